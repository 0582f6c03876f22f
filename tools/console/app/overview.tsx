import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { lastOf, plural } from './format.ts';
import {
  attention,
  type Attention,
  healthOf,
  healthOfHost,
  isDeploying,
  type Level,
  nameOfHost,
  primaryOf,
  reserved,
} from './health.ts';
import { useLive } from './live.ts';
import { type Overview, readOverview } from './overview-data.ts';
import { Ago, Answered, Empty, Icon, LiveMark, Meter, Panel, Plain, Refusal, ServiceLink, Status } from './parts.tsx';
import { Table } from './table.tsx';
import { Progress } from './progress.tsx';
import { link } from './route.ts';
import type { Host, ServiceRow } from './types.ts';

/** Lines of a list beside others. */
const mostListed = 50;

/** Services with health, deployments under way, hosts, and what needs attention, on one screen. */
export function OverviewPage(): JSX.Element {
  const live = useLive('overview', readOverview, 5000, ({ clusters }) => clusters);
  return (
    <>
      <header class="page">
        <h1>Overview</h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="services">
        {(overview) => <Body overview={overview} />}
      </Answered>
    </>
  );
}

function Body({ overview }: { readonly overview: Overview }): JSX.Element {
  const { services, hosts, alarms, refused } = overview;
  const urgent = attention(services, hosts, alarms);
  const deploying = services.filter(isDeploying);
  const steady = services.filter((service) => ['good', 'idle'].includes(healthOf(service).level)).length;
  const running = sum(services, ({ runningCount }) => runningCount);
  const desired = sum(services, ({ desiredCount }) => desiredCount);
  const hidden = (what: RegExp): boolean => refused.some(({ operation }) => what.test(operation));
  const [noServices, noHosts] = [hidden(/Clusters|Services/), hidden(/Clusters|ContainerInstances/)];
  const connected = hosts.filter(({ agentConnected }) => agentConnected !== false).length;
  return (
    <>
      {refused.map((one) => (
        <Refusal key={one.operation} error={one} />
      ))}
      {noServices ? null : (
        <>
          <ul class="tiles">
            <Tile
              name="Services"
              value={services.length}
              note={services.length === 0 ? 'none yet' : `${steady} steady`}
            />
            <Tile
              name="Tasks running"
              value={running}
              note={`of ${desired} wanted`}
              level={running < desired ? 'warn' : undefined}
            />
            <Tile
              name="Deployments"
              value={deploying.length}
              note={deploying.length === 0 ? 'none under way' : 'under way'}
              level={deploying.length > 0 ? 'busy' : undefined}
            />
            <Tile
              name="Hosts"
              value={hosts.length}
              note={noHosts ? 'not shown' : hosts.length === 0 ? 'none joined' : `${connected} connected`}
              level={connected < hosts.length ? 'bad' : undefined}
            />
          </ul>
          <div class="columns">
            <Panel title="Needs attention" flush={urgent.length > 0}>
              {urgent.length === 0 ? (
                <Empty title="Nothing does">
                  {refused.length === 0
                    ? 'Services have their tasks, hosts are connected, and no alarm rings.'
                    : 'As far as you may see.'}
                </Empty>
              ) : (
                <ul class="list">
                  {urgent.slice(0, mostListed).map((one) => (
                    <AttentionRow key={one.title} {...one} />
                  ))}
                </ul>
              )}
            </Panel>
            <Panel title="Deployments under way" flush={deploying.length > 0}>
              {deploying.length === 0 ? (
                <Empty title="None">A push to a tag that a service follows begins one.</Empty>
              ) : (
                <ul class="list">
                  {deploying.slice(0, mostListed).map((service) => (
                    <DeployingRow key={service.serviceArn} service={service} />
                  ))}
                  {deploying.length > mostListed ? (
                    <li class="faint">{deploying.length - mostListed} more are under way.</li>
                  ) : null}
                </ul>
              )}
            </Panel>
          </div>
          <Services services={services} />
        </>
      )}
      {noHosts ? null : <Hosts hosts={hosts} />}
    </>
  );
}

const sum = (services: readonly ServiceRow[], of: (service: ServiceRow) => number | undefined): number =>
  services.reduce((all, service) => all + (of(service) ?? 0), 0);

function Tile(props: {
  readonly name: string;
  readonly value: number;
  readonly note: string;
  readonly level?: Level | undefined;
}): JSX.Element {
  return (
    <li>
      <span class="name">{props.name}</span>
      <span class="value">{props.value.toLocaleString('en')}</span>
      <span class="note">
        {props.level === undefined ? null : <Icon level={props.level} />}
        {props.note}
      </span>
    </li>
  );
}

function AttentionRow({ level, title, detail, to }: Attention): JSX.Element {
  return (
    <li>
      <Icon level={level} />
      <div>
        <p class="strong">
          {to === undefined ? <Plain text={title} /> : <a href={link(...to)}>{<Plain text={title} />}</a>}
        </p>
        <p class="faint">
          <Plain text={detail} />
        </p>
      </div>
    </li>
  );
}

function DeployingRow({ service }: { readonly service: ServiceRow }): JSX.Element {
  const primary = primaryOf(service.deployments);
  return (
    <li>
      <Icon level="busy" />
      <div class="grow">
        <p class="strong">
          <ServiceLink service={service} />{' '}
          <span class="faint">
            to <Plain text={lastOf(primary?.taskDefinition)} />
          </span>
        </p>
        <Progress done={primary?.runningCount ?? 0} all={primary?.desiredCount ?? 0} />
      </div>
    </li>
  );
}

/** As `localeCompare`, which looks up its rules anew for each pair. */
const order = new Intl.Collator();

function Services({ services }: { readonly services: readonly ServiceRow[] }): JSX.Element {
  const [wanted, setWanted] = useState('');
  // Once for what was read, and not for each key: of a thousand names it is most of the work.
  const sorted = useMemo(
    () => services.toSorted((a, b) => order.compare(a.serviceName ?? '', b.serviceName ?? '')),
    [services],
  );
  const rows = sorted.filter(({ serviceName = '' }) => serviceName.toLowerCase().includes(wanted.toLowerCase()));
  const search = (
    <input
      type="search"
      placeholder="Find a service"
      aria-label="Find a service"
      value={wanted}
      onInput={(event) => setWanted(event.currentTarget.value)}
    />
  );
  return (
    <Panel title="Services" flush={rows.length > 0} aside={services.length > 5 ? search : undefined}>
      {services.length === 0 ? (
        <Empty title="There is no service yet">
          <code>npx slipway --help</code> and the README show how to make the first one; it appears here by itself.
        </Empty>
      ) : rows.length === 0 ? (
        <Empty title="No service has that in its name" />
      ) : (
        <Table
          caption="Services"
          rows={rows}
          keyOf={({ serviceArn = '' }) => serviceArn}
          columns={[
            { name: 'Service', cell: (service) => <ServiceLink service={service} /> },
            { name: 'Health', cell: (service) => <Status health={healthOf(service)} /> },
            {
              name: 'Tasks',
              cell: ({ runningCount = 0, desiredCount = 0 }) => `${runningCount} / ${desiredCount}`,
            },
            { name: 'Revision', cell: ({ taskDefinition }) => <Plain text={lastOf(taskDefinition)} /> },
            { name: 'Cluster', cell: ({ clusterArn }) => <Plain text={lastOf(clusterArn)} /> },
            {
              name: 'Last deployment',
              cell: ({ deployments }) => <Ago at={primaryOf(deployments)?.createdAt} />,
            },
          ]}
        />
      )}
    </Panel>
  );
}

function Hosts({ hosts }: { readonly hosts: readonly Host[] }): JSX.Element {
  return (
    <Panel title="Hosts" aside={<span class="faint">{plural(hosts.length, 'host')}</span>}>
      {hosts.length === 0 ? (
        <Empty title="No host has joined">
          A machine with a Docker engine joins with <code>npx slipway agent</code>.
        </Empty>
      ) : (
        <ul class="cards">
          {hosts.slice(0, 60).map((host) => (
            <li key={host.containerInstanceArn}>
              <p class="strong">
                <Plain text={nameOfHost(host)} />
              </p>
              <Status health={healthOfHost(host)} />
              <Meter label="CPU" part={reserved(host, 'CPU')} />
              <Meter label="Memory" part={reserved(host, 'MEMORY')} />
              <p class="faint">{plural((host.runningTasksCount ?? 0) + (host.pendingTasksCount ?? 0), 'task')}</p>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
