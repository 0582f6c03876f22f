import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ecs, inGroups, pages, unlessRefused } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { bytes, lastOf, plural } from './format.ts';
import { healthOfHost, nameOfHost } from './health.ts';
import { useLive, useMay } from './live.ts';
import { clustersOf, hostsOf, servicesOf } from './overview-data.ts';
import { type Block, blocksOf, Packing } from './packing.tsx';
import { Ago, Answered, Button, Empty, LiveMark, Panel, Plain, Status } from './parts.tsx';
import type { Host, Task } from './types.ts';
import { type Waiting, waitingOf, WaitingPanel } from './waiting.tsx';

interface ClusterHosts {
  readonly cluster: string;
  readonly hosts: readonly Host[];
  readonly tasks: ReadonlyMap<string, readonly Task[]>;
  readonly waiting: readonly Waiting[];
}

/** Tasks of a cluster that are put into the pictures of its hosts. */
const mostTasks = 2000;

async function read(signal: AbortSignal): Promise<readonly ClusterHosts[]> {
  const clusters = await clustersOf(signal);
  return Promise.all(
    clusters.map(async (cluster) => {
      const [hosts, services, arns] = await Promise.all([
        hostsOf(cluster, signal),
        // Who may see hosts alone sees them without what waits for them.
        unlessRefused(servicesOf(cluster, signal), []),
        pages(
          (nextToken) => ecs('ListTasks', { cluster, maxResults: 100, nextToken }, { signal }),
          (page) => page.taskArns,
          mostTasks,
        ),
      ]);
      const tasks = await inGroups(
        arns,
        100,
        async (group) => (await ecs('DescribeTasks', { cluster, tasks: group }, { signal })).tasks ?? [],
      );
      return {
        cluster: lastOf(cluster),
        hosts,
        tasks: Map.groupBy(tasks, (task) => task.containerInstanceArn ?? ''),
        waiting: waitingOf(services),
      };
    }),
  );
}

/** The hosts of every cluster: what runs where, how much room is left, what fits nowhere and why, and draining. */
export function HostsPage(): JSX.Element {
  const live = useLive('hosts', read, 5000, (all) => all.map(({ cluster }) => cluster));
  return (
    <>
      <header class="page">
        <h1>Hosts</h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="hosts">
        {(clusters) => (
          <>
            {clusters.map(({ cluster, waiting }) =>
              waiting.length === 0 ? null : <WaitingPanel key={cluster} cluster={cluster} waiting={waiting} />,
            )}
            <Clusters clusters={clusters.filter(({ hosts }) => hosts.length > 0)} again={live.again} />
          </>
        )}
      </Answered>
    </>
  );
}

function Clusters(props: { readonly clusters: readonly ClusterHosts[]; readonly again: () => void }): JSX.Element {
  const { clusters, again } = props;
  if (clusters.length === 0)
    return (
      <Panel title="Hosts">
        <Empty title="No host has joined">
          A machine with a Docker engine joins with <code>npx slipway agent</code>.
        </Empty>
      </Panel>
    );
  return (
    <>
      {clusters.map((one) => (
        <Panel
          key={one.cluster}
          title={`Cluster ${one.cluster}`}
          flush
          aside={<span class="faint">{plural(one.hosts.length, 'host')}</span>}
        >
          <ul class="list">
            {one.hosts.map((host) => (
              <HostRow
                key={host.containerInstanceArn}
                cluster={one.cluster}
                host={host}
                tasks={one.tasks.get(host.containerInstanceArn ?? '') ?? []}
                again={again}
              />
            ))}
          </ul>
        </Panel>
      ))}
    </>
  );
}

function HostRow(props: {
  readonly cluster: string;
  readonly host: Host;
  readonly tasks: readonly Task[];
  readonly again: () => void;
}): JSX.Element {
  const { cluster, host, tasks } = props;
  const [asking, setAsking] = useState(false);
  const { containerInstanceArn = '', status, registeredAt, versionInfo, registeredResources } = host;
  const drains = status === 'DRAINING';
  const next = drains ? ('ACTIVE' as const) : ('DRAINING' as const);
  const change = { cluster, containerInstances: [containerInstanceArn], status: next };
  const mayChange = useMay(`${next} ${containerInstanceArn}`, () => ecs.may('UpdateContainerInstancesState', change));
  const memory = registeredResources?.find(({ name }) => name === 'MEMORY')?.integerValue;
  const cpu = registeredResources?.find(({ name }) => name === 'CPU')?.integerValue;
  const docker = versionInfo?.dockerVersion?.replace('DockerVersion: ', '');
  const blocks: readonly Block[] = blocksOf(tasks);
  const name = nameOfHost(host);
  return (
    <li class="host">
      <div class="row">
        <h3>
          <Plain text={name} />
        </h3>
        <Status health={healthOfHost(host)} />
        <span class="grow faint">
          {cpu === undefined ? '' : `${(cpu / 1024).toLocaleString('en', { maximumFractionDigits: 1 })} CPU`}
          {memory === undefined ? '' : ` · ${bytes(memory * 2 ** 20)}`}
          {docker === undefined ? '' : ' · Docker '}
          <Plain text={docker} /> · joined <Ago at={registeredAt} />
        </span>
        {mayChange ? (
          <Button kind="quiet" label={`${drains ? 'Use again' : 'Drain'} ${name}`} onClick={() => setAsking(true)}>
            {drains ? 'Use again' : 'Drain'}
          </Button>
        ) : null}
      </div>
      <Packing name="CPU" host={host} resource="CPU" blocks={blocks} />
      <Packing name="Memory" host={host} resource="MEMORY" blocks={blocks} />
      {tasks.length === 0 ? (
        <p class="faint">No task runs here.</p>
      ) : (
        <ul class="tags" aria-label={`Tasks on ${name}`}>
          {blocks.map(({ group, count, hue }) => (
            <li key={group}>
              <span class={`swatch hue-${hue}`} aria-hidden="true" />
              <Plain text={group} /> × {count}
            </li>
          ))}
        </ul>
      )}
      {asking ? (
        <Dialog
          title={drains ? 'Use this host again?' : 'Drain this host?'}
          yes={drains ? 'Use again' : 'Drain'}
          done={drains ? `${name} takes tasks again.` : `${name} is being drained.`}
          act={async () => {
            await ecs('UpdateContainerInstancesState', change);
            props.again();
          }}
          close={() => setAsking(false)}
        >
          <p>
            {drains
              ? 'New tasks may be placed on it from now on.'
              : 'No new task is placed on it. Services start other tasks elsewhere, within their limits, and stop those that run here; tasks of no service run to their end.'}
          </p>
        </Dialog>
      ) : null}
    </li>
  );
}
