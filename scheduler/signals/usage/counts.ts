import { isPending, type InstanceRecord, type ServiceRecord, type TaskRecord } from '../../state/index.ts';
import type { Sample } from '../metrics/index.ts';

import { type ContainerInsights, dimensions, values } from './samples.ts';

/** A cluster as its records say. */
export interface ClusterRecords {
  readonly name: string;
  readonly insights: ContainerInsights;
  readonly instances: readonly InstanceRecord[];
  readonly tasks: readonly TaskRecord[];
  readonly services: readonly ServiceRecord[];
}

/**
 * What is counted of a cluster once a minute, by the server that leads it. AWS/ECS, ClusterName: what tasks of container instances
 * reserve, in percent of what the instances that are ACTIVE or DRAINING have registered; nothing without such an instance. And where
 * Container Insights are on, how many tasks, services and instances there are.
 * @param at when the minute began, milliseconds since the epoch
 */
export function countSamples(cluster: ClusterRecords, at: number): Sample[] {
  const hosts = cluster.instances.filter(({ status }) => status === 'ACTIVE' || status === 'DRAINING');
  return [
    ...reservations(cluster, hosts, at),
    ...(cluster.insights === 'disabled' ? [] : insights(cluster, hosts.length, at)),
  ];
}

/** Whether a task counts as one of the instance that it is on, which those of Fargate never do. */
export const countsOnHost = ({ lastStatus, launchType }: Pick<TaskRecord, 'lastStatus' | 'launchType'>): boolean =>
  lastStatus !== 'STOPPED' && launchType !== 'FARGATE';

function reservations({ name, tasks }: ClusterRecords, hosts: readonly InstanceRecord[], at: number): Sample[] {
  const known = new Set(hosts.map(({ id }) => id));
  const placed = tasks.filter((task) => countsOnHost(task) && known.has(task.instanceId ?? ''));
  const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);
  const percent = (metric: string, reserved: number, registered: number): Sample[] =>
    registered === 0
      ? []
      : values(
          {
            namespace: 'AWS/ECS',
            name: metric,
            dimensions: dimensions({ ClusterName: name }),
            unit: 'Percent',
            at,
          },
          [(reserved * 100) / registered],
        );
  return [
    ...percent(
      'CPUReservation',
      sum(placed, ({ reservation }) => reservation.cpu),
      sum(hosts, ({ cpu }) => cpu),
    ),
    ...percent(
      'MemoryReservation',
      sum(placed, ({ reservation }) => reservation.memory),
      sum(hosts, ({ memory }) => memory),
    ),
    ...percent(
      'GPUReservation',
      sum(placed, ({ reservation }) => reservation.gpus),
      sum(hosts, ({ gpuIds }) => gpuIds.length),
    ),
  ];
}

function insights({ name, tasks, services }: ClusterRecords, hosts: number, at: number): Sample[] {
  const ClusterName = name;
  const count = (of: Readonly<Record<string, string>>, metric: string, value: number): Sample[] =>
    values({ namespace: 'ECS/ContainerInsights', name: metric, dimensions: dimensions(of), unit: 'Count', at }, [
      value,
    ]);
  const running = (all: readonly TaskRecord[]): number =>
    all.filter(({ lastStatus }) => lastStatus === 'RUNNING').length;
  const active = services.filter(({ status }) => status === 'ACTIVE');
  const byService = Map.groupBy(tasks, ({ service }) => service?.name);
  return [
    ...count({ ClusterName }, 'TaskCount', running(tasks)),
    ...count({ ClusterName }, 'ServiceCount', active.length),
    ...count({ ClusterName }, 'ContainerInstanceCount', hosts),
    ...active.flatMap(({ name: ServiceName, desiredCount, deployments }) => {
      const of = { ServiceName, ClusterName };
      const own = byService.get(ServiceName) ?? [];
      return [
        ...count(of, 'DesiredTaskCount', desiredCount),
        ...count(of, 'RunningTaskCount', running(own)),
        ...count(of, 'PendingTaskCount', own.filter(isPending).length),
        ...count(of, 'DeploymentCount', deployments.filter(({ status }) => status !== 'INACTIVE').length),
        ...count(of, 'TaskSetCount', deployments.filter(({ taskSet }) => taskSet !== undefined).length),
      ];
    }),
  ];
}
