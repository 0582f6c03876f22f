import { type RecordStore, scanAll, StaleEpoch, StoreUnavailable } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { TailBatch } from './contract.ts';
import { logKeys, logsPartition } from './keys.ts';
import { MemoryBlobs } from './testing/memory-blobs.ts';
import { account, type OpenedLogs, openedLogs, withCommit } from './testing/opened.ts';
import type { StoredLogs } from './stored-logs.ts';

const partition = logsPartition(account);

async function withStream(opened: OpenedLogs): Promise<StoredLogs> {
  const store = opened.server();
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'g', 's');
  return store;
}
const put = (store: StoredLogs, timestamp: number): Promise<void> =>
  store.put(account, 'g', 's', [{ timestamp, message: `line ${timestamp}` }]);
const chunks = (opened: OpenedLogs) => scanAll(opened.records, partition, { prefix: logKeys.chunks });

test('of several servers one compacts, until it ends', async () => {
  const opened = openedLogs();
  const store = await withStream(opened);
  await put(store, 1);
  const stop = new AbortController();
  const keeping = [store, opened.server()].map((server) => server.keep(stop.signal));
  await vi.waitUntil(async () => (await chunks(opened)).length === 0, { timeout: 60_000, interval: 10 });
  stop.abort();
  await Promise.all(keeping);
  expect((await store.read(account, 'g', 's', { direction: 'forward', limit: 9 })).events).toHaveLength(1);
});

test('who lost the lease commits nothing, and leaves no blob behind', async () => {
  const blobs = new MemoryBlobs();
  const opened = openedLogs(blobs);
  const store = await withStream(opened);
  await put(store, 1);
  await opened.upkeep(store);
  await put(store, 2);
  const before = [...blobs.sealed.keys()];
  const late = store.keeper.round(account, { name: logKeys.keeper, epoch: 0 });
  await expect(late.quick(new AbortController().signal)).rejects.toThrow(StaleEpoch);
  expect([...blobs.sealed.keys()]).toEqual(before);
  expect(await chunks(opened)).toHaveLength(1);
});

test('a commit that surely failed leaves no blob; one whose outcome is unknown may have been made, and keeps it', async () => {
  let outcome: 'unknown' | 'not-committed' | 'committed' = 'committed';
  const blobs = new MemoryBlobs();
  const opened = openedLogs(blobs, (clock) => {
    const inner = memoryRecords(clock);
    const commit: RecordStore['commit'] = async (name, batch) => {
      const committed = outcome === 'not-committed' ? { version: 0 } : await inner.commit(name, batch);
      if (outcome !== 'committed') throw new StoreUnavailable('the connection broke', outcome);
      return committed;
    };
    return withCommit(inner, commit);
  });
  const store = await withStream(opened);
  for (const [at, given] of (['not-committed', 'unknown'] as const).entries()) {
    outcome = given;
    await expect(put(store, at)).rejects.toThrow(StoreUnavailable);
  }
  outcome = 'committed';
  expect(blobs.sealed.size).toBe(1);
  const { events } = await store.read(account, 'g', 's', { direction: 'forward', limit: 9 });
  expect(events.map(({ message }) => message)).toEqual(['line 1']);
});

test('a stream that is deleted while its events are compacted leaves nothing behind for good', async () => {
  let meanwhile: (() => Promise<void>) | undefined;
  const opened = openedLogs(undefined, (clock) => {
    const inner = memoryRecords(clock);
    const commit: RecordStore['commit'] = async (name, batch) => {
      const now = batch.put?.some(({ key }) => key.startsWith(logKeys.segments)) === true ? meanwhile : undefined;
      if (now !== undefined) meanwhile = undefined;
      await now?.();
      return inner.commit(name, batch);
    };
    return withCommit(inner, commit);
  });
  const store = await withStream(opened);
  await store.createStream(account, 'g', 'gone');
  await put(store, 1);
  await store.put(account, 'g', 'gone', [{ timestamp: 2, message: 'of nobody' }]);
  meanwhile = () => store.deleteStream(account, 'g', 'gone');
  await opened.upkeep(store, false);
  expect(meanwhile).toBeUndefined();
  const rows = async (prefix: string) => (await scanAll(opened.records, partition, { prefix })).length;
  expect([await rows('dead/'), await rows('seen/')]).toEqual([1, 2]);
  for (let round = 3; round < 6; round++) {
    opened.clock.time += 2 * 3_600_000;
    await put(store, round);
    await opened.upkeep(store);
  }
  expect([await rows('dead/'), await rows('seen/')]).toEqual([0, 1]);
});

test('a follower whose chunk was compacted before it looked is told of a gap, and goes on', async () => {
  const opened = openedLogs();
  const store = await withStream(opened);
  const stop = new AbortController();
  const batches = store.tail(account, [{ group: 'g' }], stop.signal)[Symbol.asyncIterator]();
  const first = batches.next();
  // It follows from when it has begun, which shows in what it sees.
  let n = 0;
  let seen: IteratorResult<TailBatch> | undefined;
  while (seen === undefined) {
    await put(store, n++);
    seen = await Promise.race([first, sleep(5, undefined)]);
  }
  expect(seen.value).toMatchObject({ gap: false });
  // Nobody asks the follower meanwhile.
  await put(store, 1000);
  await opened.upkeep(store, false);
  await put(store, 2000);
  const messages: string[] = [];
  let gap = false;
  while (!messages.includes('line 2000')) {
    const { value } = await batches.next();
    messages.push(...(value?.events ?? []).map(({ message }: { readonly message: string }) => message));
    gap ||= value?.gap ?? false;
  }
  expect(gap).toBe(true);
  expect(messages).not.toContain('line 1000');
  stop.abort();
  expect((await batches.next()).done).toBe(true);
});
