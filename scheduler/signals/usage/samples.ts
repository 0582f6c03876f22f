import { type ClusterRecord, groupOfMachine, type InstanceRecord } from '../../state/index.ts';
import { type Dimension, type Sample, valuesLimit } from '../metrics/index.ts';

import type { InstanceUsage } from './ledger.ts';
import type { TaskUsage } from './minute.ts';

/** What the numbers of a cluster's tasks are put beside. */
export interface ClusterResources {
  readonly name: string;
  readonly insights: ContainerInsights;
  /** Instances that are ACTIVE or DRAINING, by id. */
  readonly hosts: ReadonlyMap<string, Pick<InstanceRecord, 'id' | 'ownerArn' | 'cpu' | 'memory' | 'attributes'>>;
  /** Those of them that have a task which is not one of Fargate's: when nothing is known of it, nothing is known of them. */
  readonly busy: ReadonlySet<string>;
}

/** What a cluster may be set to (ECS, `ClusterSetting`). */
export const insightsValues = ['disabled', 'enabled', 'enhanced'] as const;
export type ContainerInsights = (typeof insightsValues)[number];

/** What a cluster's setting says; there is one setting. */
export const insightsOf = (cluster: Pick<ClusterRecord, 'settings'> | undefined): ContainerInsights => {
  const value = cluster?.settings.find(({ name }) => name === 'containerInsights')?.value;
  return value === 'enabled' || value === 'enhanced' ? value : 'disabled';
};

export const dimensions = (of: Readonly<Record<string, string>>): Dimension[] =>
  Object.entries(of).map(([name, value]) => ({ name, value }));

/**
 * What the tasks of a part of a cluster's instances have used in a minute, as CloudWatch's samples. Parts that come from several servers
 * add up in the store: each task is one sample of its service, each instance one of its cluster.
 *
 * - AWS/ECS, ClusterName and ServiceName: what a task uses in percent of what it reserves (ECS developer guide, "Service utilization").
 * - AWS/ECS, ClusterName: what tasks of container instances use in percent of what these have registered; tasks of Fargate do not count.
 *   Samples are weighed with the size of their instance, so that their mean is the use of the whole cluster.
 * - AWS/EC2, AutoScalingGroupName: what all tasks of a machine use in percent of the CPU that it has registered; each machine is one sample. Hosts that only
 *   say that they are of the group are none: a group would be as large as they like.
 * - ECS/ContainerInsights, where the cluster has it on: by service, by family and by cluster, each task one sample.
 *
 * @param at when the minute began, milliseconds since the epoch
 */
export function usageSamples(cluster: ClusterResources, usage: readonly InstanceUsage[], at: number): Sample[] {
  const tasks = usage.flatMap((one) => one.tasks);
  return [
    ...serviceSamples(cluster.name, tasks, at),
    ...clusterSamples(cluster, usage, at),
    ...groupSamples(cluster, usage, at),
    ...(cluster.insights === 'disabled' ? [] : insightsSamples(cluster, tasks, at)),
  ];
}

function serviceSamples(cluster: string, tasks: readonly TaskUsage[], at: number): Sample[] {
  const services = Map.groupBy(tasks, ({ task }) => task.service);
  return [...services].flatMap(([service, of]) => {
    if (service === undefined) return [];
    const under = { namespace: 'AWS/ECS', dimensions: dimensions({ ClusterName: cluster, ServiceName: service }), at };
    return [
      ...values({ ...under, name: 'CPUUtilization', unit: 'Percent' }, of.flatMap(cpuUtilization)),
      ...values({ ...under, name: 'MemoryUtilization', unit: 'Percent' }, of.flatMap(memoryUtilization)),
    ];
  });
}

/** Per cent of what a task reserves. */
export const cpuUtilization = ({ cpu, task }: TaskUsage): number | [] =>
  cpu === undefined ? [] : (cpu * 100) / task.shares;

export const memoryUtilization = ({ memory, task }: TaskUsage): number | [] =>
  memory === undefined || task.reservedMemory === 0 ? [] : (memory * 100) / task.reservedMemory;

function clusterSamples(
  { name, hosts, busy }: ClusterResources,
  usage: readonly InstanceUsage[],
  at: number,
): Sample[] {
  return (['cpu', 'memory'] as const).flatMap((what) => {
    const all = [...hosts.values()].reduce((sum, host) => sum + host[what], 0);
    const usual = all / hosts.size;
    const set = { count: 0, sum: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
    for (const { instance, tasks } of usage) {
      const host = hosts.get(instance.id);
      const used = tasks.flatMap((one) => (one.task.launchType === 'FARGATE' ? [] : (one[what] ?? [])));
      if (host === undefined || host[what] === 0 || (used.length === 0 && busy.has(instance.id))) continue;
      const percent = (used.reduce((sum, value) => sum + value, 0) * 100) / host[what];
      set.count += 1;
      set.sum += percent * (host[what] / usual);
      set.min = Math.min(set.min, percent);
      set.max = Math.max(set.max, percent);
    }
    if (set.count === 0) return [];
    return [
      {
        namespace: 'AWS/ECS',
        name: what === 'cpu' ? 'CPUUtilization' : 'MemoryUtilization',
        dimensions: dimensions({ ClusterName: name }),
        timestamp: at,
        unit: 'Percent',
        resolution: 60,
        measured: set,
      } satisfies Sample,
    ];
  });
}

/** Of each Auto Scaling group that has machines among the hosts of the cluster. */
function groupSamples({ hosts, busy }: ClusterResources, usage: readonly InstanceUsage[], at: number): Sample[] {
  const used = usage.flatMap(({ instance, tasks }) => {
    const host = hosts.get(instance.id);
    const group = host === undefined ? undefined : groupOfMachine(host);
    if (host === undefined || group === undefined || host.cpu === 0) return [];
    const known = tasks.flatMap(({ cpu }) => cpu ?? []);
    if (known.length === 0 && busy.has(instance.id)) return [];
    return [{ group, percent: (known.reduce((sum, cpu) => sum + cpu, 0) * 100) / host.cpu }];
  });
  return [...Map.groupBy(used, ({ group }) => group)].flatMap(([AutoScalingGroupName, of]) => {
    const under = { namespace: 'AWS/EC2', dimensions: dimensions({ AutoScalingGroupName }), at };
    return values(
      { ...under, name: 'CPUUtilization', unit: 'Percent' },
      of.map(({ percent }) => percent),
    );
  });
}

function insightsSamples({ name, insights }: ClusterResources, tasks: readonly TaskUsage[], at: number): Sample[] {
  const ClusterName = name;
  const families = Map.groupBy(tasks, ({ task }) => task.family);
  const services = Map.groupBy(tasks, ({ task }) => task.service);
  const sets: (readonly [Readonly<Record<string, string>>, readonly TaskUsage[]])[] = [
    [{ ClusterName }, tasks],
    ...[...families].map(([TaskDefinitionFamily, of]) => [{ TaskDefinitionFamily, ClusterName }, of] as const),
    ...[...services].flatMap(([ServiceName, of]) =>
      ServiceName === undefined ? [] : [[{ ServiceName, ClusterName }, of] as const],
    ),
  ];
  return sets.flatMap(([of, all]) => {
    const under = { namespace: 'ECS/ContainerInsights', dimensions: dimensions(of), at };
    const measured = (metric: string, unit: string, read: (one: TaskUsage) => number | undefined | []): Sample[] =>
      values(
        { ...under, name: metric, unit },
        all.flatMap((one) => read(one) ?? []),
      );
    // Of tasks that reserve no CPU neither is told (CloudWatch user guide, "Amazon ECS Container Insights metrics").
    const reserves = ({ task }: TaskUsage): boolean => task.reservedCpu > 0;
    return [
      ...measured('CpuUtilized', 'None', (one) => (reserves(one) ? one.cpu : undefined)),
      ...measured('CpuReserved', 'None', (one) => (reserves(one) ? one.task.reservedCpu : undefined)),
      ...measured('MemoryUtilized', 'Megabytes', ({ memory }) => memory),
      ...measured('MemoryReserved', 'Megabytes', ({ task }) => task.reservedMemory),
      ...measured('NetworkRxBytes', 'Bytes/Second', ({ received }) => received),
      ...measured('NetworkTxBytes', 'Bytes/Second', ({ sent }) => sent),
      ...measured('StorageReadBytes', 'Bytes', ({ read }) => read),
      ...measured('StorageWriteBytes', 'Bytes', ({ written }) => written),
      ...(insights === 'enhanced'
        ? [
            ...measured('TaskCpuUtilization', 'Percent', (one) => (reserves(one) ? cpuUtilization(one) : undefined)),
            ...measured('TaskMemoryUtilization', 'Percent', memoryUtilization),
          ]
        : []),
    ];
  });
}

interface Under {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: readonly Dimension[];
  readonly unit: string;
  readonly at: number;
}

/** As few samples as have room for all values; none where there are no values. */
export const values = ({ at, ...series }: Under, measured: readonly number[]): Sample[] =>
  Array.from({ length: Math.ceil(measured.length / valuesLimit) }, (_, part) => ({
    ...series,
    timestamp: at,
    resolution: 60,
    measured: { values: measured.slice(part * valuesLimit, (part + 1) * valuesLimit) },
  }));
