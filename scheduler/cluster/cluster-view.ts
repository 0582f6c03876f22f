import type { Cluster, ClusterField, KeyValuePair } from '@aws-sdk/client-ecs';
import { smallTagList } from '@slipway/auth/kit';

import {
  arns,
  clusterKeys,
  clusterPartition,
  type ClusterRecord,
  type InstanceRecord,
  isPending,
  type ServiceRecord,
  type TaskRecord,
} from '../state/index.ts';
import type { EcsPorts } from './ports.ts';
import { scan } from './scan.ts';
import { strategyView } from './strategies.ts';

const launchTypes = { EC2: 'EC2', FARGATE: 'Fargate', EXTERNAL: 'External' } as const;
type LaunchType = keyof typeof launchTypes;
type Tally = Record<LaunchType, number>;

interface Counts {
  instances: number;
  readonly running: Tally;
  readonly pending: Tally;
  readonly activeServices: Tally;
  readonly drainingServices: Tally;
}

/** A cluster as DescribeClusters and its relatives give it back; counts are taken at the time of the call. */
export async function clusterView(
  ports: EcsPorts,
  account: string,
  cluster: ClusterRecord,
  include: readonly ClusterField[] = [],
): Promise<Cluster> {
  const counts = await count(ports, clusterPartition(account, cluster.name));
  return {
    clusterArn: arns.cluster(ports.region, account, cluster.name),
    clusterName: cluster.name,
    status: cluster.status,
    registeredContainerInstancesCount: counts.instances,
    runningTasksCount: total(counts.running),
    pendingTasksCount: total(counts.pending),
    activeServicesCount: total(counts.activeServices),
    statistics: include.includes('STATISTICS') ? statistics(counts) : [],
    tags: include.includes('TAGS') ? smallTagList(cluster.tags) : [],
    settings: include.includes('SETTINGS')
      ? cluster.settings.map(({ value }) => ({ name: 'containerInsights', value }))
      : [],
    ...(include.includes('CONFIGURATIONS') && cluster.configuration !== undefined
      ? { configuration: cluster.configuration }
      : {}),
    capacityProviders: [...cluster.capacityProviders],
    defaultCapacityProviderStrategy: strategyView(cluster.defaultCapacityProviderStrategy),
  };
}

async function count(ports: EcsPorts, partition: string): Promise<Counts> {
  const none = (): Tally => ({ EC2: 0, FARGATE: 0, EXTERNAL: 0 });
  const counts: Counts = {
    instances: 0,
    running: none(),
    pending: none(),
    activeServices: none(),
    drainingServices: none(),
  };
  for await (const { value } of scan<InstanceRecord>(ports.records, partition, clusterKeys.instances)) {
    if (value.status === 'ACTIVE' || value.status === 'DRAINING') counts.instances++;
  }
  for await (const { value } of scan<TaskRecord>(ports.records, partition, clusterKeys.tasks)) {
    if (value.lastStatus === 'RUNNING') counts.running[value.launchType]++;
    else if (isPending(value)) counts.pending[value.launchType]++;
  }
  for await (const { value } of scan<ServiceRecord>(ports.records, partition, clusterKeys.services)) {
    if (value.status === 'ACTIVE') counts.activeServices[value.launchType]++;
    else if (value.status === 'DRAINING') counts.drainingServices[value.launchType]++;
  }
  return counts;
}

const total = (tally: Tally): number => tally.EC2 + tally.FARGATE + tally.EXTERNAL;

/** The pairs that `include=STATISTICS` asks for, for every launch type ECS lists. */
function statistics(counts: Counts): KeyValuePair[] {
  return Object.entries(launchTypes).flatMap(([type, label]) => [
    { name: `running${label}TasksCount`, value: String(counts.running[type as LaunchType]) },
    { name: `pending${label}TasksCount`, value: String(counts.pending[type as LaunchType]) },
    { name: `active${label}ServiceCount`, value: String(counts.activeServices[type as LaunchType]) },
    { name: `draining${label}ServiceCount`, value: String(counts.drainingServices[type as LaunchType]) },
  ]);
}
