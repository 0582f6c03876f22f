import { transact } from '@slipway/storage/records';

import {
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  isLive,
  type StopCode,
  type TaskRecord,
  toJson,
} from '../state/index.ts';
import type { ClusterRef, EcsPorts } from './ports.ts';
import { clientError, invalidParameter } from './errors.ts';
import { scan, scanAll } from './scan.ts';

/** One container instance, or undefined; deregistered ones stay readable until they are swept. */
export async function findInstance(ports: EcsPorts, ref: ClusterRef, id: string): Promise<InstanceRecord | undefined> {
  const stored = await ports.records.get<InstanceRecord>(
    clusterPartition(ref.account, ref.cluster),
    clusterKeys.instance(id),
  );
  return stored?.value;
}

/** Every instance of the cluster, in order of id. */
export const listInstances = (ports: EcsPorts, ref: ClusterRef): Promise<InstanceRecord[]> =>
  scanAll<InstanceRecord>(ports.records, clusterPartition(ref.account, ref.cluster), clusterKeys.instances);

/** The live tasks of each instance of the cluster. */
export async function tasksByInstance(
  ports: EcsPorts,
  ref: ClusterRef,
): Promise<ReadonlyMap<string, readonly TaskRecord[]>> {
  const byInstance = new Map<string, TaskRecord[]>();
  const tasks = scan<TaskRecord>(ports.records, clusterPartition(ref.account, ref.cluster), clusterKeys.tasks);
  for await (const { value: task } of tasks) {
    if (!isLive(task) || task.instanceId === undefined) continue;
    byInstance.getOrInsertComputed(task.instanceId, () => []).push(task);
  }
  return byInstance;
}

/**
 * Changes one registered instance and raises its version; undefined when there is none (or it is deregistered).
 * Returning the instance itself changes nothing.
 */
export async function changeInstance(
  ports: EcsPorts,
  ref: ClusterRef,
  id: string,
  change: (instance: InstanceRecord) => InstanceRecord,
): Promise<InstanceRecord | undefined> {
  return transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const instance = await tx.get<InstanceRecord>(clusterKeys.instance(id));
    if (instance === undefined || instance.status === 'INACTIVE') return undefined;
    const changed = change(instance);
    if (changed === instance) return instance;
    const next = { ...changed, version: instance.version + 1 };
    tx.put(clusterKeys.instance(id), toJson(next));
    return next;
  });
}

/**
 * Takes an instance out of the cluster. Without `force` it must have no tasks. With `force` its tasks end here and now
 * as far as the control plane is concerned, and services replace theirs; an agent that comes back is told that its
 * instance is inactive, ends what it ran and registers a new one.
 * @param why they end, unless that was said before
 * @throws ClientException when it is unknown, InvalidParameterException when it has tasks
 */
export async function deregisterInstance(
  ports: EcsPorts,
  ref: ClusterRef,
  id: string,
  force: boolean,
  why: Ending = forcedByUser,
): Promise<InstanceRecord> {
  const partition = clusterPartition(ref.account, ref.cluster);
  return transact(ports.records, partition, async (tx) => {
    const instance = await tx.get<InstanceRecord>(clusterKeys.instance(id));
    if (instance === undefined || instance.status === 'INACTIVE') {
      throw clientError('The referenced container instance was not found.');
    }
    const now = ports.clock.now();
    for await (const { key, value } of scan<TaskRecord>(ports.records, partition, clusterKeys.tasks)) {
      if (value.instanceId !== id || !isLive(value)) continue;
      if (!force) throw invalidParameter('Found running tasks on the instance.');
      const task = await tx.get<TaskRecord>(key);
      if (task !== undefined && isLive(task)) tx.put(key, toJson(abandoned(task, why, now)));
    }
    const gone: InstanceRecord = {
      ...instance,
      status: 'INACTIVE',
      agentConnected: false,
      connectivityChangedAt: now,
      version: instance.version + 1,
    };
    tx.put(clusterKeys.instance(id), toJson(gone));
    return gone;
  });
}

/** Why tasks end with their host. */
export interface Ending {
  readonly code: StopCode;
  readonly reason: string;
}

const forcedByUser: Ending = { code: 'UserInitiated', reason: 'Container instance deregistration forced by user' };

/** Why they end whose host's machine was ended, or stopped for later, in ECS's words. @param machine its id */
export const machineEnded = (machine: string, how: 'terminated' | 'stopped'): Ending => ({
  code: 'TerminationNotice',
  reason: `Host EC2 (instance ${machine}) ${how}.`,
});

function abandoned(task: TaskRecord, { code, reason }: Ending, now: number): TaskRecord {
  return {
    ...task,
    desiredStatus: 'STOPPED',
    lastStatus: 'STOPPED',
    containers: task.containers.map((container) => ({ ...container, lastStatus: 'STOPPED' })),
    stopCode: task.stopCode ?? code,
    stoppedReason: task.stoppedReason ?? reason,
    stoppingAt: task.stoppingAt ?? now,
    stoppedAt: now,
    version: task.version + 1,
  };
}
