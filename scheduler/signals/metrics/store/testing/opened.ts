import { randomBytes } from 'node:crypto';
import type { BlobStore } from '@slipway/storage/blobs';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { openLeases } from '@slipway/storage/leases';
import { fenceKey, type RecordStore } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';

import { MemoryBlobs } from '../../../logs/store/testing/index.ts';
import type { Compaction } from '../compaction.ts';
import { metricKeys, metricsPartition } from '../keys.ts';
import { type MetricStoreOptions, StoredMetrics } from '../stored-metrics.ts';

export const account = '000000000000';

/** Wall time by hand; waits pass as they do. */
export class HandClock implements Clock {
  time = Date.parse('2026-06-15T12:00:00Z');
  now = (): number => this.time;
  monotonic = (): number => performance.now();
  sleep = (ms: number, signal?: AbortSignal): Promise<void> => systemClock.sleep(ms, signal);
}

/** Stores in memory (by default) with servers on them that wait for nobody: chunks are written at once, and compacted at once. */
export function openedMetrics(
  given: {
    readonly blobs?: BlobStore;
    readonly records?: RecordStore;
    readonly clock?: Clock;
    /** Whose files `compaction` is about. */
    readonly account?: string;
  } = {},
) {
  const hand = new HandClock();
  const clock = given.clock ?? hand;
  const blobs = given.blobs ?? new MemoryBlobs();
  const records = given.records ?? memoryRecords(clock);
  const said: string[] = [];
  const say = (_: unknown, message: string): void => void said.push(message);
  const log = { info: () => undefined, warn: say, error: say };
  const leases = openLeases(records, clock, Math.random);
  return {
    clock: hand,
    records,
    blobs,
    /** Lines of the log at `warn` and `error`. */
    said,
    /** A server on the same stores. */
    server: (options: Partial<MetricStoreOptions> = {}): StoredMetrics =>
      new StoredMetrics(
        { records, blobs, leases, clock, random: randomBytes, log },
        {
          maxBytes: () => Infinity,
          ...options,
          intake: { linger: 0, ...options.intake },
          compaction: { age: 0, chunks: 0, ...options.compaction },
        },
      ),
    /** What the holder of the lease does, by its own hands. */
    compaction: async (store: StoredMetrics): Promise<Compaction> => {
      const key = fenceKey(metricKeys.keeper);
      const of = given.account ?? account;
      const epoch = ((await records.get<number>(metricsPartition(of), key))?.value ?? 0) + 1;
      await records.commit(metricsPartition(of), { put: [{ key, value: epoch }] });
      return store.keeper.compaction(of, { name: metricKeys.keeper, epoch });
    },
  };
}

/** Compacts everything there is, once. */
export async function upkeep(compaction: Compaction): Promise<void> {
  while (await compaction.chunks());
  await compaction.thorough(new AbortController().signal);
  await compaction.collectGarbage();
}
