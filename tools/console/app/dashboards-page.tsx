import type { ComponentChildren, JSX } from 'preact';
import { cloudwatch } from './aws.ts';
import { Chart } from './chart.tsx';
import { mostWidgets, readAlarms, readCurves, readDashboards, type Widget, widgetsOf } from './dashboards-data.ts';
import { visible } from './format.ts';
import type { Health } from './health.ts';
import { useLive } from './live.ts';
import { Ago, Answered, Empty, LiveMark, Panel, Plain, Status } from './parts.tsx';
import { Table } from './table.tsx';
import { link } from './route.ts';

/** Every dashboard of the account. */
export function DashboardsPage(): JSX.Element {
  const live = useLive('dashboards', readDashboards, 10_000);
  return (
    <>
      <header class="page">
        <h1>Dashboards</h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="dashboards">
        {(all) => (
          <Panel title="Dashboards of CloudWatch" flush={all.length > 0}>
            {all.length === 0 ? (
              <Empty title="There is no dashboard yet">
                <code>aws cloudwatch put-dashboard</code> keeps one; Terraform calls it{' '}
                <code>aws_cloudwatch_dashboard</code>.
              </Empty>
            ) : (
              <Table
                caption="Dashboards"
                rows={all.slice(0, 500)}
                keyOf={({ DashboardName = '' }) => DashboardName}
                columns={[
                  {
                    name: 'Dashboard',
                    wide: true,
                    cell: ({ DashboardName = '' }) => (
                      <a class="strong" href={link('dashboards', DashboardName)}>
                        <Plain text={DashboardName} />
                      </a>
                    ),
                  },
                  { name: 'Changed', cell: ({ LastModified }) => <Ago at={LastModified} /> },
                ]}
              />
            )}
          </Panel>
        )}
      </Answered>
    </>
  );
}

/** One dashboard: its metrics of the last hour, its texts as they were written, how its alarms stand. */
export function DashboardPage({ name }: { readonly name: string }): JSX.Element {
  const live = useLive(
    `dashboard ${name}`,
    async (signal) => {
      const { DashboardBody = '' } = await cloudwatch('GetDashboard', { DashboardName: name }, { signal });
      return widgetsOf(DashboardBody) ?? [];
    },
    30_000,
  );
  return (
    <>
      <header class="page">
        <h1>
          <Plain text={name} />
        </h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="the dashboard">
        {(widgets) => (
          <>
            {widgets.length === 0 ? (
              <Panel title="Widgets">
                <Empty title="There is nothing on it" />
              </Panel>
            ) : null}
            {widgets.map((widget, index) => (
              <WidgetPanel key={`${index} ${JSON.stringify(widget)}`} widget={widget} id={`widget-${index}`} />
            ))}
            {widgets.length === mostWidgets ? <p class="faint">Only {mostWidgets} widgets are shown.</p> : null}
          </>
        )}
      </Answered>
    </>
  );
}

function WidgetPanel({ widget, id }: { readonly widget: Widget; readonly id: string }): JSX.Element {
  switch (widget.kind) {
    case 'metrics':
      return (
        <Framed id={id} title={widget.title === '' ? 'Metrics' : widget.title}>
          <Curves widget={widget} />
        </Framed>
      );
    case 'alarms':
      return (
        <Framed id={id} title={widget.title === '' ? 'Alarms' : widget.title}>
          <Alarms names={widget.names} />
        </Framed>
      );
    case 'text':
      return (
        <Framed id={id} title="Text">
          <pre class="written">
            <Plain text={widget.text} />
          </pre>
        </Framed>
      );
    case 'unknown':
      return (
        <Framed id={id} title="Not shown here">
          <p class="faint">
            Widgets of the type <Plain text={widget.type === '' ? 'none' : widget.type} /> are not.
          </p>
        </Framed>
      );
  }
}

/** Two widgets may have the same title: what names them is their place. */
const Framed = (props: {
  readonly id: string;
  readonly title: string;
  readonly children: ComponentChildren;
}): JSX.Element => (
  <section class="panel" aria-labelledby={props.id}>
    <header>
      <h2 id={props.id}>
        <Plain text={props.title} />
      </h2>
    </header>
    <div class="body">{props.children}</div>
  </section>
);

function Curves({ widget }: { readonly widget: Extract<Widget, { kind: 'metrics' }> }): JSX.Element {
  const live = useLive(`curves ${JSON.stringify(widget)}`, (signal) => readCurves(widget.curves, signal), 20_000);
  return (
    <Answered live={live} what="measurements">
      {({ from, to, curves }) => (
        <>
          {curves.length === 0 ? <Empty title="It names no metric" /> : null}
          <div class="charts">
            {curves.map(({ label, points, step }, index) => (
              <Chart
                key={index}
                title={label}
                unit=""
                points={points}
                from={from}
                to={to}
                marks={[]}
                step={step}
                nothing="Nothing was measured in this hour."
              />
            ))}
          </div>
          {widget.left > 0 ? <p class="faint">{widget.left} more are not shown.</p> : null}
        </>
      )}
    </Answered>
  );
}

const healths: Readonly<Record<string, Health>> = {
  OK: { level: 'good', word: 'OK' },
  ALARM: { level: 'bad', word: 'In alarm' },
  INSUFFICIENT_DATA: { level: 'idle', word: 'Not enough data' },
};

function Alarms({ names }: { readonly names: readonly string[] }): JSX.Element {
  const live = useLive(`alarms ${names.join('\n')}`, (signal) => readAlarms(names, signal), 10_000);
  return (
    <Answered live={live} what="alarms">
      {(alarms) => (
        <Table
          caption="Alarms"
          rows={names.slice(0, 100)}
          keyOf={(alarm) => alarm}
          columns={[
            { name: 'Alarm', cell: (alarm) => <Plain text={alarm} /> },
            {
              name: 'State',
              cell: (alarm) => (
                <Status
                  health={healths[alarms.get(alarm)?.state ?? ''] ?? { level: 'warn', word: 'There is no such alarm' }}
                />
              ),
            },
            {
              name: 'Why',
              wide: true,
              cell: (alarm) => <span class="faint">{visible(alarms.get(alarm)?.reason ?? '')}</span>,
            },
          ]}
        />
      )}
    </Answered>
  );
}
