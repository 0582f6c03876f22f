/** Placements a second that are on the disk: decided and reserved, committed in batches, then confirmed as tasks. */
import { join } from 'node:path';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import type { Batch, Condition, Json, RecordStore } from '@slipway/storage/records';
import { hasRedis, RedisServer } from '@slipway/storage/records/testing';
import type { PlacementRequest, Reservation } from '@slipway/scheduler/placement';
import { clusterKeys, clusterPartition } from '@slipway/scheduler/state';
import { makeIndex, type Workload } from './placement-rows.ts';

interface Planned {
  readonly id: string;
  readonly request: PlacementRequest;
  readonly reservation: Reservation;
}

const partition = clusterPartition('000000000000', 'bench');

/**
 * Placements a second through a Redis of its own with `appendonly yes` and `appendfsync always`, `batch` to a commit. A
 * commit writes a record for each task, and bumps a row for each instance under the version it was decided on, so that two
 * planners never count on the same room. Undefined when there is no redis-server on the machine.
 */
export async function durableRate(workload: Workload, batch: number): Promise<number | undefined> {
  if (!hasRedis) return undefined;
  const server = await RedisServer.start();
  const blobs = { type: 'filesystem', root: join(server.folder, 'blobs') } as const;
  const storage = await openStorage({ records: { type: 'redis', url: server.url }, blobs }, systemClock);
  try {
    return await run(storage.records, workload, batch);
  } finally {
    await storage.close();
    await server.dispose();
  }
}

async function run(records: RecordStore, workload: Workload, batch: number): Promise<number> {
  const index = makeIndex(workload);
  const versions = new Map<string, number>();
  const start = performance.now();
  let placed = 0;
  const commit = async (planned: readonly Planned[], instances: ReadonlySet<string>): Promise<void> => {
    const { version } = await records.commit(partition, batchOf(planned, instances, versions));
    for (const id of instances) versions.set(id, version);
    for (const { id, reservation } of planned) index.confirm(reservation, id);
    placed += planned.length;
  };
  let committing = Promise.resolve();
  for (let from = 0; from < workload.queue.length; from += batch) {
    // The next batch is planned while the one before is on its way to the disk: its room is reserved already.
    const planned = workload.queue.slice(from, from + batch).flatMap((request, offset): Planned[] => {
      const reservation = index.reserve(request);
      return reservation === undefined ? [] : [{ id: `task-${from + offset}`, request, reservation }];
    });
    await committing;
    if (planned.length === 0) break;
    const instances = new Set(planned.map(({ reservation }) => reservation.instanceId));
    committing = commit(planned, instances);
  }
  await committing;
  return (placed / (performance.now() - start)) * 1000;
}

function batchOf(
  planned: readonly Planned[],
  instances: ReadonlySet<string>,
  versions: ReadonlyMap<string, number>,
): Batch {
  const require: Condition[] = [];
  const put: { key: string; value: Json }[] = [];
  for (const id of instances) {
    const key = clusterKeys.load(id);
    const version = versions.get(id);
    require.push(version === undefined ? { key, exists: false } : { key, version });
    put.push({ key, value: { tasks: planned.length } });
  }
  for (const { id, request, reservation } of planned) {
    const { instanceId } = reservation;
    put.push({
      key: clusterKeys.task(id),
      value: { instanceId, group: request.group, desiredStatus: 'RUNNING', lastStatus: 'PENDING' },
    });
  }
  return { require, put };
}
