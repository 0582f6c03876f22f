import { createHash } from 'node:crypto';
import { audit, transfer } from '@slipway/storage/audit';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';
import { blobsOfLogs, knownBlobsOfLogs, relocateLogs } from './blobs-of-logs.ts';
import { MemoryBlobs } from './testing/memory-blobs.ts';
import { account, HandClock, openedLogs } from './testing/opened.ts';

const clock = new HandClock();

/** Logs with a chunk, a segment, and a blob that a segment has replaced. */
async function withLogs() {
  const blobs = new MemoryBlobs();
  const records = memoryRecords(clock);
  const opened = openedLogs(blobs, () => records);
  const store = opened.server();
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'g', 's');
  await store.put(account, 'g', 's', [{ timestamp: 1, message: 'one' }]);
  await opened.upkeep(store);
  await store.put(account, 'g', 's', [{ timestamp: 2, message: 'two' }]);
  return { blobs, records, store };
}

const read = async (store: Awaited<ReturnType<typeof withLogs>>['store']) =>
  (await store.read(account, 'g', 's', { direction: 'forward', limit: 10 })).events;

test('an audit misses nothing of logs and names what a crash left, which alone it removes', async () => {
  const { blobs, records, store } = await withLogs();
  const stray = Buffer.from('sealed, and never committed');
  const digest = `sha256:${createHash('sha256').update(stray).digest('hex')}` as const;
  blobs.sealed.set('stray', { digest, bytes: stray });
  const run = audit({
    blobs,
    references: () => blobsOfLogs(records),
    isReferenced: async (blob) => (await knownBlobsOfLogs(records))(blob),
    now: () => clock.now(),
    repair: true,
  });
  const found = [];
  let step = await run.next();
  for (; step.done !== true; step = await run.next()) found.push(step.value);
  expect(found).toEqual([
    { kind: 'unreferenced', blob: { digest, generation: 'stray', size: stray.length }, removed: true },
  ]);
  expect(step.value).toMatchObject({ blobs: 2, missing: 0, damaged: 0 });
  expect(await read(store)).toHaveLength(2);
  // One that is gone is missed.
  const [first] = blobs.sealed.keys();
  blobs.sealed.clear();
  const again = audit({
    blobs,
    references: () => blobsOfLogs(records),
    isReferenced: async () => true,
    now: clock.now,
  });
  const finding = await again.next();
  expect(first).toBeDefined();
  expect(finding.value).toMatchObject({ kind: 'missing', blob: { by: expect.stringContaining(`logs/${account}: `) } });
});

test('logs move to other stores, where their blobs have other generations, and what they replaced goes there as well', async () => {
  const { blobs, records, store } = await withLogs();
  const expected = await read(store);
  const target = { records: memoryRecords(clock), blobs: new MemoryBlobs() };
  // Generations of the target are not those of the source.
  for (let n = 0; n < 10; n++) await target.blobs.stage();
  await transfer({ from: { records, blobs }, to: target, relocate: relocateLogs });
  const moved = openedLogs(target.blobs, () => target.records);
  expect(await read(moved.server())).toEqual(expected);
  moved.clock.time = clock.time + 3_600_000;
  const after = moved.server();
  await moved.upkeep(after);
  moved.clock.time += 3_600_000;
  await moved.upkeep(after);
  expect(await read(after)).toEqual(expected);
  const known = await knownBlobsOfLogs(target.records);
  for await (const blob of target.blobs.list()) expect(known(blob)).toBe(true);
  expect(target.blobs.sealed.size).toBeLessThan(3);
});
