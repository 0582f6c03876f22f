import type { Fence, Json, RecordStore } from '@slipway/storage/records';

import { scan } from '../cluster/index.ts';
import { clusterKeys, clusterPartition, type TaskRecord, toJson, type TokenRecord } from '../state/index.ts';

import type { ClusterView } from './view.ts';

const hour = 3_600_000;

/** How long what is over stays readable. */
export interface Retention {
  /** STOPPED tasks, INACTIVE services and instances; ECS shows stopped tasks for at least an hour. Milliseconds. Default 1 hour. */
  readonly ended: number;
  /** The newest ended tasks of each service or family stay this long, for inspection. Milliseconds. Default 7 days. */
  readonly newestEnded: number;
  /** How many tasks of each group that are. Default 5. */
  readonly newestCount: number;
  /** Lines of a service's `events`. Default 100, as on ECS. */
  readonly events: number;
}

export const defaultRetention: Retention = { ended: hour, newestEnded: 7 * 24 * hour, newestCount: 5, events: 100 };

/** How long client tokens are remembered. */
const tokenLife = 24 * hour;

/** Rows in one clean-up commit. */
const batchSize = 500;

/**
 * Ends tasks whose instance is no longer in the cluster, and removes what has been over for long enough. Everything it
 * does follows from the records, so running it twice, or never for a day, is the same.
 * @returns the tasks it ended, for the log
 */
export async function sweep(
  records: RecordStore,
  view: ClusterView,
  now: number,
  retention: Retention,
  fence: Fence,
): Promise<readonly string[]> {
  const partition = clusterPartition(view.account, view.name);
  const orphans = orphaned(view, now);
  for (const { task, version } of orphans) {
    const key = clusterKeys.task(task.id);
    const { version: committed } = await records.commit(partition, {
      require: [{ key, version }],
      put: [{ key, value: toJson(task) }],
      fence,
    });
    view.put({ key, value: toJson(task), version: committed });
  }
  const keys = [
    ...endedTasks(view, now, retention),
    ...endedInstances(view, now, retention),
    ...(await oldTokens(records, partition, now)),
    ...(await oldEvents(records, view, retention)),
  ];
  for (let start = 0; start < keys.length; start += batchSize) {
    const remove = keys.slice(start, start + batchSize);
    const { version } = await records.commit(partition, { remove, fence });
    for (const key of remove) view.remove(key, version);
  }
  return orphans.map(({ task }) => task.id);
}

function orphaned(view: ClusterView, now: number): { task: TaskRecord; version: number }[] {
  return [...view.tasks.values()].flatMap(({ value: task, version }) => {
    if (task.lastStatus === 'STOPPED' || task.instanceId === undefined) return [];
    const instance = view.instances.get(task.instanceId)?.value;
    if (instance !== undefined && instance.status !== 'INACTIVE') return [];
    const ended: TaskRecord = {
      ...task,
      desiredStatus: 'STOPPED',
      lastStatus: 'STOPPED',
      containers: task.containers.map((container) => ({ ...container, lastStatus: 'STOPPED' })),
      stopCode: task.stopCode ?? 'InfrastructureHealth',
      stoppedReason: task.stoppedReason ?? 'The container instance is no longer in the cluster',
      stoppingAt: task.stoppingAt ?? now,
      stoppedAt: now,
      version: task.version + 1,
    };
    return [{ task: ended, version }];
  });
}

function endedTasks(view: ClusterView, now: number, retention: Retention): string[] {
  const byGroup = new Map<string, TaskRecord[]>();
  for (const { value: task } of view.tasks.values())
    if (task.lastStatus === 'STOPPED') byGroup.set(task.group, [...(byGroup.get(task.group) ?? []), task]);
  return [...byGroup.values()].flatMap((tasks) =>
    tasks
      .sort((a, b) => (b.stoppedAt ?? 0) - (a.stoppedAt ?? 0))
      .filter((task, place) => {
        const age = now - (task.stoppedAt ?? task.createdAt);
        return age >= (place < retention.newestCount ? retention.newestEnded : retention.ended);
      })
      .map(({ id }) => clusterKeys.task(id)),
  );
}

function endedInstances(view: ClusterView, now: number, retention: Retention): string[] {
  const gone = [...view.instances.values()].filter(
    ({ value }) => value.status === 'INACTIVE' && now - value.connectivityChangedAt >= retention.ended,
  );
  const loads = [...view.loads.keys()].filter((id) => !view.instances.has(id));
  return [
    ...gone.flatMap(({ value }) => [
      clusterKeys.instance(value.id),
      ...(view.loads.has(value.id) ? [clusterKeys.load(value.id)] : []),
    ]),
    ...loads.map(clusterKeys.load),
  ];
}

async function oldTokens(records: RecordStore, partition: string, now: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key, value } of scan<TokenRecord>(records, partition, clusterKeys.tokens))
    if (now - value.createdAt >= tokenLife) keys.push(key);
  return keys;
}

/** Lines beyond the newest hundred; keys sort newest first. */
async function oldEvents(records: RecordStore, view: ClusterView, retention: Retention): Promise<string[]> {
  const partition = clusterPartition(view.account, view.name);
  const keys: string[] = [];
  for (const name of view.services.keys()) {
    const prefix = clusterKeys.serviceEvents(name);
    const page = await records.list(partition, { prefix, limit: retention.events });
    const last = page.records.at(-1)?.key;
    if (!page.more || last === undefined) continue;
    for await (const { key } of scan<Json>(records, partition, prefix, last)) keys.push(key);
  }
  return keys;
}
