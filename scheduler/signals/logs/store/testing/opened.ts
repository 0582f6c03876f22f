import { randomBytes } from 'node:crypto';
import type { BlobStore } from '@slipway/storage/blobs';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { openLeases } from '@slipway/storage/leases';
import { type Fence, fenceKey, type RecordStore } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { logKeys, logsPartition } from '../keys.ts';
import { type LogsPorts, type LogStoreOptions, StoredLogs } from '../stored-logs.ts';
import { MemoryBlobs } from './memory-blobs.ts';

export const account = '000000000000';

/** Wall time by hand; waits pass as they do. */
export class HandClock implements Clock {
  time = 1_800_000_000_000;
  now = (): number => this.time;
  monotonic = (): number => performance.now();
  sleep = (ms: number, signal?: AbortSignal): Promise<void> => systemClock.sleep(ms, signal);
}

/** A record store with commits of the test's own. */
export const withCommit = (inner: RecordStore, commit: RecordStore['commit']): RecordStore =>
  new Proxy(inner, {
    get: (target, name) => {
      const member: unknown = name === 'commit' ? commit : Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });

/** Seals nothing; for tests. */
export const sealer = {
  seal: (text: string): string => `sealed ${text}`,
  open: (text: string): string => text.slice('sealed '.length),
};

export interface OpenedLogs {
  readonly clock: HandClock;
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  /** A server on the same stores. */
  readonly server: (options?: Partial<LogStoreOptions>) => StoredLogs;
  /** Becomes the holder of the lease. */
  readonly lead: () => Promise<Fence>;
  /** What the holder of the lease does, once, with everything looked at. */
  readonly upkeep: (store: StoredLogs, thorough?: boolean) => Promise<void>;
  /** Lines of the log at `warn` and `error`. */
  readonly said: string[];
}

/** Stores in memory (by default) with servers on them that wait for nobody: chunks are written at once, and compacted at once. */
export function openedLogs(
  blobs: BlobStore = new MemoryBlobs(),
  given: (clock: HandClock) => RecordStore = (clock) => memoryRecords(clock),
  metrics: LogsPorts['metrics'] = { put: () => Promise.resolve() },
  outbound: LogsPorts['outbound'] = { fetch: () => Promise.resolve(new Response('')) },
): OpenedLogs {
  const clock = new HandClock();
  const records = given(clock);
  const said: string[] = [];
  const say = (_: unknown, message: string): void => void said.push(message);
  const log = { info: () => undefined, warn: say, error: say };
  const lead = async (): Promise<Fence> => {
    const epoch = ((await records.get<number>(logsPartition(account), fenceKey(logKeys.keeper)))?.value ?? 0) + 1;
    await records.commit(logsPartition(account), { put: [{ key: fenceKey(logKeys.keeper), value: epoch }] });
    return { name: logKeys.keeper, epoch };
  };
  const leases = openLeases(records, clock, Math.random);
  return {
    clock,
    records,
    blobs,
    said,
    server: (options = {}) =>
      new StoredLogs(
        { records, blobs, leases, clock, random: randomBytes, log, metrics, outbound, sealer },
        {
          maxBytes: () => Infinity,
          ...options,
          intake: { linger: 0, ...options.intake },
          compaction: { age: 0, chunks: 0, settle: 0, ...options.compaction },
        },
      ),
    lead,
    upkeep: async (store, thorough = true) => {
      const { signal } = new AbortController();
      const round = store.keeper.round(account, await lead());
      await round.quick(signal);
      if (thorough) await round.thorough(signal);
    },
  };
}
