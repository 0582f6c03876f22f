import { transact } from '@slipway/storage/records';

import { type ClusterRef, type EcsPorts, invalidParameter } from '../cluster/index.ts';
import {
  clusterKeys,
  clusterPartition,
  outgoingStatus,
  type StopCode,
  type TaskRecord,
  toJson,
} from '../state/index.ts';

/** The tasks with these ids that exist, in any status, by id. */
export async function findTasks(
  ports: Pick<EcsPorts, 'records'>,
  ref: ClusterRef,
  ids: readonly string[],
): Promise<ReadonlyMap<string, TaskRecord>> {
  const found = await ports.records.getMany<TaskRecord>(
    clusterPartition(ref.account, ref.cluster),
    ids.map((id) => clusterKeys.task(id)),
  );
  return new Map([...found.values()].map(({ value }) => [value.id, value]));
}

/**
 * The task on its way out: desired STOPPED with the reason. The first reason stays; the agent does the stopping. Pure.
 * @param now milliseconds since the epoch
 */
export function stopping(task: TaskRecord, stopCode: StopCode, reason: string, now: number): TaskRecord {
  if (task.desiredStatus === 'STOPPED') return task;
  const { waits, ...others } = task;
  const next = { ...others, desiredStatus: 'STOPPED', stopCode, stoppedReason: reason, stoppingAt: now } as const;
  const version = task.version + 1;
  if (waits === undefined) return { ...next, lastStatus: outgoingStatus(task), version };
  // No agent knows of one that has no instance yet.
  const containers = task.containers.map((container) => ({ ...container, lastStatus: 'STOPPED' as const }));
  return { ...next, lastStatus: 'STOPPED', containers, stoppedAt: now, version };
}

/**
 * Asks for a task to stop because somebody said so. A task that already stops, or has stopped, is returned as it is.
 * @throws InvalidParameterException when it does not exist
 */
export function stopTask(
  ports: EcsPorts,
  ref: ClusterRef,
  id: string,
  reason: string | undefined,
): Promise<TaskRecord> {
  return changeTask(ports, ref, id, (task) =>
    stopping(task, 'UserInitiated', reason ?? 'Task stopped by user', ports.clock.now()),
  );
}

/**
 * Changes a task in one transaction; returning it as it is writes nothing.
 * @throws InvalidParameterException when it does not exist
 */
export function changeTask(
  ports: Pick<EcsPorts, 'records'>,
  ref: ClusterRef,
  id: string,
  change: (task: TaskRecord) => TaskRecord,
): Promise<TaskRecord> {
  return transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const key = clusterKeys.task(id);
    const task = await tx.get<TaskRecord>(key);
    if (task === undefined) throw invalidParameter('The referenced task was not found.');
    const changed = change(task);
    if (changed !== task) tx.put(key, toJson(changed));
    return changed;
  });
}
