import type { JSX } from 'preact';
import type { TargetHealth } from './balancers-data.ts';
import { plural, visible } from './format.ts';
import { capital, type Health } from './health.ts';
import { useLive } from './live.ts';
import { Answered, Empty, LiveMark, Panel, Plain, Status } from './parts.tsx';
import { Table } from './table.tsx';
import { TrafficCharts } from './traffic.tsx';
import {
  type BalancerData,
  type Group,
  metricName,
  mostBalancers,
  readBalancers,
  readTraffic,
} from './traffic-data.ts';

/** Every load balancer: where it listens, what stands behind it and how that is, what it carries. */
export function BalancersPage(): JSX.Element {
  const live = useLive('balancers', readBalancers);
  return (
    <>
      <header class="page">
        <h1>Load balancers</h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="load balancers">
        {(all) => (
          <>
            {all.length === 0 ? (
              <Panel title="Load balancers">
                <Empty title="There is no load balancer yet">
                  <code>npx slipway expose default/web --port 80</code> gives a service one.
                </Empty>
              </Panel>
            ) : null}
            {all.map((one) => (
              <BalancerPanel key={one.balancer.LoadBalancerArn} data={one} />
            ))}
            {all.length === mostBalancers ? <p class="faint">Only {mostBalancers} are shown.</p> : null}
          </>
        )}
      </Answered>
    </>
  );
}

function BalancerPanel({ data: { balancer, listeners, groups } }: { readonly data: BalancerData }): JSX.Element {
  const { LoadBalancerArn = '', LoadBalancerName = '', DNSName = '', State, Type = '', Scheme = '' } = balancer;
  const { data: traffic } = useLive(
    `balancer ${LoadBalancerArn}`,
    (signal) => readTraffic([{ Name: 'LoadBalancer', Value: metricName(LoadBalancerArn) }], signal),
    20_000,
  );
  return (
    <Panel title={LoadBalancerName} aside={<Status health={healthOfBalancer(State?.Code)} />}>
      <dl class="facts">
        <div>
          <dt>Address</dt>
          <dd class="wrap">
            <code>{visible(DNSName)}</code>
          </dd>
        </div>
        <div>
          <dt>Kind</dt>
          <dd>
            {Type}, {Scheme === 'internal' ? 'internal' : 'open to the outside'}
          </dd>
        </div>
        <div>
          <dt>Listens on</dt>
          <dd>
            {listeners.length === 0
              ? 'nothing yet'
              : listeners.map(({ Port = 0, Protocol = '' }) => `${Protocol} ${Port}`).join(', ')}
          </dd>
        </div>
      </dl>
      {Type === 'application' && traffic !== undefined ? <TrafficCharts traffic={traffic} /> : null}
      {groups.map((group) => (
        <Targets key={group.TargetGroupArn} group={group} />
      ))}
    </Panel>
  );
}

const healthOfBalancer = (code = ''): Health =>
  code === 'active'
    ? { level: 'good', word: 'Active' }
    : code === 'failed'
      ? { level: 'bad', word: 'Failed' }
      : { level: 'busy', word: capital(code) };

const healths: Readonly<Record<string, Health>> = {
  healthy: { level: 'good', word: 'Healthy' },
  unhealthy: { level: 'bad', word: 'Unhealthy' },
  initial: { level: 'busy', word: 'Starting' },
  draining: { level: 'busy', word: 'Draining' },
  unused: { level: 'idle', word: 'Not used' },
};

const nameOf = ({ Target }: TargetHealth): string => `${Target?.Id ?? ''}:${Target?.Port ?? ''}`;

function Targets({ group }: { readonly group: Group }): JSX.Element {
  const { targets, TargetGroupName = '', HealthCheckPath } = group;
  return (
    <div class="group">
      <h3>
        <Plain text={TargetGroupName} />{' '}
        <span class="faint">
          {plural(targets.length, 'target')}
          {HealthCheckPath === undefined ? '' : `, checked at ${visible(HealthCheckPath)}`}
        </span>
      </h3>
      {targets.length === 0 ? (
        <Empty title="Nothing stands behind it">Requests are answered with 503.</Empty>
      ) : (
        <Table
          caption={`Targets of ${TargetGroupName}`}
          rows={targets.slice(0, 500)}
          keyOf={nameOf}
          columns={[
            { name: 'Target', cell: (target) => <code>{visible(nameOf(target))}</code> },
            {
              name: 'Health',
              cell: ({ TargetHealth: health }) => (
                <Status
                  health={healths[health?.State ?? ''] ?? { level: 'warn', word: capital(health?.State ?? '') }}
                />
              ),
            },
            {
              name: 'Why',
              wide: true,
              cell: ({ TargetHealth: health }) => (
                <span class="faint">
                  <Plain text={health?.Description ?? health?.Reason} />
                </span>
              ),
            },
          ]}
        />
      )}
    </div>
  );
}
