import type { PartGauge } from '@slipway/auth/contract';

import type { ControlPlane, WatchedCluster } from '../control/index.ts';
import type { DeploymentRecord, TaskStatus } from '../state/index.ts';
import type { Census } from '../views/index.ts';

/** Clusters with lines of their own, so that a scrape stays small; those beyond are added up as the cluster `others`. */
const shownClusters = 100;

const statuses: readonly TaskStatus[] = [
  'PROVISIONING',
  'PENDING',
  'ACTIVATING',
  'RUNNING',
  'DEACTIVATING',
  'STOPPING',
  'DEPROVISIONING',
  'STOPPED',
];
const rollouts: readonly DeploymentRecord['rolloutState'][] = ['IN_PROGRESS', 'COMPLETED', 'FAILED'];
const agents = ['connected', 'disconnected'] as const;

/**
 * What the clusters hold and who leads them. A scrape reads no store and looks at no task: every process counts the changes of the
 * clusters that it follows anyway, and the numbers are as they stand then.
 */
export function schedulerGauges(control: Pick<ControlPlane, 'clusters'>): readonly PartGauge[] {
  return [
    {
      name: 'slipway_scheduler_leader_epoch',
      help: 'Epoch of the leadership of a cluster, where a process of this server has it',
      labels: ['account', 'cluster'],
      across: 'max',
      read: async () =>
        groups(control.clusters()).flatMap(({ labels, clusters }) => {
          const epochs = clusters.flatMap(({ epoch }) => epoch ?? []);
          return epochs.length === 0 ? [] : [{ labels, value: Math.max(...epochs) }];
        }),
    },
    {
      name: 'slipway_scheduler_services_waiting',
      help: 'Services that the leaders in this server have yet to look at after something happened to them',
      labels: [],
      across: 'sum',
      read: async () => [{ labels: {}, value: sum(control.clusters(), ({ servicesWaiting }) => servicesWaiting) }],
    },
    {
      name: 'slipway_scheduler_placements_waiting',
      help: 'Tasks of RunTask and StartTask that wait for their turn to be placed',
      labels: [],
      across: 'sum',
      read: async () => [{ labels: {}, value: sum(control.clusters(), ({ placementsWaiting }) => placementsWaiting) }],
    },
    tally(control, 'slipway_scheduler_agents', 'state', agents, {
      help: 'Container instances that are not deregistered, by whether their agent is connected',
      of: ({ agents }, state) => agents.of(state),
    }),
    tally(control, 'slipway_scheduler_tasks', 'status', statuses, {
      help: 'Tasks in the records by lastStatus; STOPPED ones as long as they are kept',
      of: ({ tasks }, status) => tasks.of(status),
    }),
    tally(control, 'slipway_scheduler_rollouts', 'state', rollouts, {
      help: 'Active services by the rollout of their newest deployment',
      of: ({ rollouts }, state) => rollouts.of(state),
    }),
    {
      name: 'slipway_scheduler_unplaceable_services',
      help: 'Services with a deployment whose next task fits on no container instance now',
      labels: ['account', 'cluster'],
      across: 'one',
      read: async () =>
        groups(control.clusters()).map(({ labels, clusters }) => ({
          labels,
          value: sum(clusters, ({ view }) => view.census.unplaceable.of('service')),
        })),
    },
  ];
}

/** A gauge that counts things of each cluster by one label, whose values are all there from the start. */
function tally<Value extends string>(
  control: Pick<ControlPlane, 'clusters'>,
  name: string,
  label: string,
  values: readonly Value[],
  { help, of }: { readonly help: string; readonly of: (census: Census, value: Value) => number },
): PartGauge {
  return {
    name,
    help,
    labels: ['account', 'cluster', label],
    across: 'one',
    read: async () =>
      groups(control.clusters()).flatMap(({ labels, clusters }) =>
        values.map((value) => ({
          labels: { ...labels, [label]: value },
          value: sum(clusters, ({ view }) => of(view.census, value)),
        })),
      ),
  };
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

interface Group {
  readonly labels: { readonly account: string; readonly cluster: string };
  readonly clusters: readonly WatchedCluster[];
}

/** Each cluster by itself, the first by name, and the rest together. */
function groups(clusters: readonly WatchedCluster[]): readonly Group[] {
  const named = clusters.map((one): Group => {
    const { account, name } = one.view;
    return { labels: { account, cluster: name }, clusters: [one] };
  });
  const place = ({ labels }: Group): string => `${labels.account}/${labels.cluster}`;
  named.sort((a, b) => (place(a) < place(b) ? -1 : 1));
  const rest = named.splice(shownClusters).flatMap((group) => group.clusters);
  return rest.length === 0 ? named : [...named, { labels: { account: '', cluster: 'others' }, clusters: rest }];
}
