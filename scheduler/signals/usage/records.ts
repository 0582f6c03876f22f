import type { LaunchType, TaskRecord } from '../../state/index.ts';

/** Whose agent says something. */
export interface InstanceName {
  readonly account: string;
  readonly cluster: string;
  /** Of the container instance. */
  readonly id: string;
}

/** A statistic set as agents send it. */
interface Set {
  readonly sum?: number | undefined;
  readonly sampleCount?: number | undefined;
  readonly max?: number | undefined;
}

/** What an agent says of one container, as it came in: nothing about it is believed yet. */
export interface SaidOfContainer {
  readonly containerName?: string | undefined;
  /** Percent of all that the host has. */
  readonly cpuStatsSet?: Set | undefined;
  /** MiB. */
  readonly memoryStatsSet?: Set | undefined;
  readonly networkStatsSet?:
    | { readonly rxBytesPerSecond?: Set | undefined; readonly txBytesPerSecond?: Set | undefined }
    | undefined;
  /** Bytes since the container began. */
  readonly storageStatsSet?:
    | { readonly readSizeBytes?: Set | undefined; readonly writeSizeBytes?: Set | undefined }
    | undefined;
}

/** What one look at a container has found, within what its host can have. */
export interface ContainerUsage {
  readonly name: string;
  /** CPU units, 1024 a processor. */
  readonly cpu?: number;
  /** MiB. */
  readonly memory?: number;
  /** Bytes a second. */
  readonly received?: number;
  readonly sent?: number;
  /** Bytes since the container began. */
  readonly read?: number;
  readonly written?: number;
}

/** What numbers of a task are told under; all of it comes from its record. */
export interface TaskName {
  readonly arn: string;
  readonly id: string;
  readonly family: string;
  readonly service: string | undefined;
  readonly launchType: LaunchType;
  /** CPU units that the task reserves, 0 for none; and how many its containers count as at least. */
  readonly reservedCpu: number;
  readonly shares: number;
  /** MiB. */
  readonly reservedMemory: number;
}

/** The units that Docker gives to a container that reserves none (ECS, `ContainerDefinition.cpu`). */
const leastShares = 2;

export function nameOf(task: TaskRecord): TaskName {
  const definition = task.taskDefinition.slice(task.taskDefinition.lastIndexOf('/') + 1);
  return {
    arn: task.arn,
    id: task.id,
    family: definition.slice(0, definition.lastIndexOf(':')),
    service: task.service?.name,
    launchType: task.launchType,
    reservedCpu: task.reservation.cpu,
    shares: Math.max(task.reservation.cpu, leastShares * Math.max(1, task.containers.length)),
    reservedMemory: task.reservation.memory,
  };
}
