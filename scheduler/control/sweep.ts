import type { Fence, RecordStore, Stored } from '@slipway/storage/records';

import { scan } from '../cluster/index.ts';
import { interrupted } from '../tasks/index.ts';
import { clusterKeys, clusterPartition, type TaskRecord, toJson, type TokenRecord } from '../state/index.ts';

import { commitParts, type Writes } from './commit.ts';
import type { ClusterView } from '../views/index.ts';

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

/** What of that has to be looked for in the store, where looking costs reads. */
export interface SweptRows {
  /** Services whose events may have become too many. */
  readonly services: Iterable<string>;
  /** Whether client tokens are looked at. */
  readonly tokens: boolean;
}

/**
 * Ends tasks whose instance is no longer in the cluster, or is taken back while they belong to no service, and removes what has been over for long enough. Everything it
 * does follows from the records, so running it twice, or never for a day, is the same.
 * @returns the tasks it ended, for the log
 */
export async function sweep(
  records: RecordStore,
  view: ClusterView,
  now: number,
  retention: Retention,
  fence: Fence,
  rows: SweptRows,
): Promise<readonly string[]> {
  const orphans = orphaned(view, now);
  const parts: Writes[] = [
    ...[...orphans, ...late(view, now)].map(({ task, key, version }) => ({
      require: [{ key, version }],
      put: [{ key, value: toJson(task) }],
      instances: [],
    })),
    ...[
      ...endedTasks(view, now, retention),
      ...endedInstances(view, now, retention),
      ...(await endedServices(records, view, now, retention)),
      ...(rows.tokens ? await oldTokens(records, view, now) : []),
      ...(await oldEvents(records, view, retention, rows.services)),
    ].map(removal),
  ];
  // What somebody else touches at this moment stays for the next time.
  for (let start = 0; start < parts.length; start += batchSize)
    await commitParts(records, view, parts.slice(start, start + batchSize), now, fence);
  return orphans.map(({ task }) => task.id);
}

interface Row {
  readonly key: string;
  readonly version: number;
  /** Rows that go with it. */
  readonly with?: readonly string[];
}

const removal = ({ key, version, with: others = [] }: Row): Writes => ({
  require: [{ key, version }],
  put: [],
  remove: [key, ...others],
  instances: [],
});

function orphaned(view: ClusterView, now: number): (Row & { readonly task: TaskRecord })[] {
  return [...view.tasks.values()].flatMap(({ key, value: task, version }) => {
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
    return [{ task: ended, key, version }];
  });
}

/** Tasks of no service that came to a host in the moment in which it was taken back. */
function late(view: ClusterView, now: number): (Row & { readonly task: TaskRecord })[] {
  return [...view.instances.values()].flatMap(({ value: instance }) =>
    instance.reclaimedAt === undefined
      ? []
      : view.liveTasksOn(instance.id).flatMap((task) => {
          const stored = view.tasks.get(task.id);
          if (stored === undefined || task.service !== undefined || task.desiredStatus === 'STOPPED') return [];
          return [{ key: stored.key, version: stored.version, task: interrupted(task, now) }];
        }),
  );
}

function endedTasks(view: ClusterView, now: number, retention: Retention): Row[] {
  const byGroup = new Map<string, Stored<TaskRecord>[]>();
  for (const stored of view.tasks.values()) {
    if (stored.value.lastStatus !== 'STOPPED') continue;
    const group = byGroup.get(stored.value.group);
    if (group === undefined) byGroup.set(stored.value.group, [stored]);
    else group.push(stored);
  }
  return [...byGroup.values()].flatMap((tasks) =>
    tasks
      .sort((a, b) => (b.value.stoppedAt ?? 0) - (a.value.stoppedAt ?? 0))
      .filter(({ value: task }, place) => {
        const age = now - (task.stoppedAt ?? task.createdAt);
        return age >= (place < retention.newestCount ? retention.newestEnded : retention.ended);
      }),
  );
}

/** Deregistered instances, and loads that nobody needs any more. */
function endedInstances(view: ClusterView, now: number, retention: Retention): Row[] {
  const gone = [...view.instances.values()].filter(
    ({ value }) => value.status === 'INACTIVE' && now - value.connectivityChangedAt >= retention.ended,
  );
  const loads = [...view.loads].filter(([id]) => !view.instances.has(id));
  return [...gone, ...loads.map(([id, version]) => ({ key: clusterKeys.load(id), version }))];
}

/** Deleted services, with what they said. */
async function endedServices(
  records: RecordStore,
  view: ClusterView,
  now: number,
  retention: Retention,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { key, value: service, version } of view.services.values()) {
    const endedAt = Math.max(service.createdAt, ...service.deployments.map(({ updatedAt }) => updatedAt));
    if (service.status !== 'INACTIVE' || now - endedAt < retention.ended) continue;
    const events = await keysOf(records, view, clusterKeys.serviceEvents(service.name));
    rows.push({ key, version, with: events.map((event) => event.key) });
  }
  return rows;
}

async function oldTokens(records: RecordStore, view: ClusterView, now: number): Promise<Row[]> {
  const partition = clusterPartition(view.account, view.name);
  const rows: Row[] = [];
  for await (const stored of scan<TokenRecord>(records, partition, clusterKeys.tokens))
    if (now - stored.value.createdAt >= tokenLife) rows.push(stored);
  return rows;
}

/** Lines beyond the newest hundred; keys sort newest first. */
async function oldEvents(
  records: RecordStore,
  view: ClusterView,
  retention: Retention,
  services: Iterable<string>,
): Promise<Row[]> {
  const partition = clusterPartition(view.account, view.name);
  const rows: Row[] = [];
  for (const name of services) {
    const service = view.services.get(name)?.value;
    if (service === undefined || service.status === 'INACTIVE') continue;
    const prefix = clusterKeys.serviceEvents(name);
    const page = await records.list(partition, { prefix, limit: retention.events });
    const last = page.records.at(-1)?.key;
    if (page.more && last !== undefined) rows.push(...(await keysOf(records, view, prefix, last)));
  }
  return rows;
}

async function keysOf(records: RecordStore, view: ClusterView, prefix: string, after?: string): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { key, version } of scan(records, clusterPartition(view.account, view.name), prefix, after))
    rows.push({ key, version });
  return rows;
}
