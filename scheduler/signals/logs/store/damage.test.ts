import { scanAll } from '@slipway/storage/records';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blobsOfLogs, knownBlobsOfLogs } from './blobs-of-logs.ts';
import { LogsDamaged, LogsThrottled } from './contract.ts';
import { logKeys, logsPartition } from './keys.ts';
import type { EventsRecord } from './records.ts';
import type { StoredLogs } from './stored-logs.ts';
import { MemoryBlobs } from './testing/memory-blobs.ts';
import { account, openedLogs, type OpenedLogs } from './testing/opened.ts';

const day = 86_400_000;
const partition = logsPartition(account);

let blobs: MemoryBlobs;
let opened: OpenedLogs;
let store: StoredLogs;

beforeEach(async () => {
  blobs = new MemoryBlobs();
  opened = openedLogs(blobs);
  store = opened.server();
  for (const group of ['g', 'large']) {
    await store.createGroup(account, group, { tags: {}, logGroupClass: 'STANDARD' });
    await store.createStream(account, group, 's');
  }
});
afterEach(() => store.close());

const put = (group: string, timestamp: number, message: string): Promise<void> =>
  store.put(account, group, 's', [{ timestamp, message }]);
const read = async (group: string, on = store): Promise<string[]> =>
  (await on.read(account, group, 's', { direction: 'forward', limit: 10_000 })).events.map(({ message }) => message);
const segments = async (group?: string) => {
  const id = group === undefined ? undefined : (await store.group(account, group))?.id;
  const prefix = id === undefined ? logKeys.segments : logKeys.segmentsOf(id);
  return scanAll<EventsRecord>(opened.records, partition, { prefix });
};
const chunks = () => scanAll<EventsRecord>(opened.records, partition, { prefix: logKeys.chunks });

describe.each([
  ['a chunk', false],
  ['a segment', true],
])('%s that is not what was stored', (_title, isSettled) => {
  const cases: [string, (bytes: Buffer) => Buffer][] = [
    ['cut off', (bytes) => bytes.subarray(0, bytes.length - 1)],
    ['empty', () => Buffer.alloc(0)],
    ['longer', (bytes) => Buffer.concat([bytes, Buffer.from([0])])],
    ['zeroed', (bytes) => Buffer.alloc(bytes.length)],
  ];
  test.each(cases)('%s, is refused and said, and the rest is read', async (_case, change) => {
    await put('g', 1, 'one');
    if (isSettled) await opened.upkeep(store);
    const [file] = [...(await chunks()), ...(await segments())];
    const blob = blobs.sealed.get(file!.value.blob.generation)!;
    blob.bytes = change(blob.bytes);
    const fresh = opened.server();
    await expect(read('g', fresh)).rejects.toThrow(LogsDamaged);
    await expect(fresh.scan(account, 'g', { limit: 1 })).rejects.toThrow(file!.value.blob.generation);
    await put('large', 2, 'two');
    await opened.upkeep(fresh);
    // What cannot be read stays where it is, and stops nothing else.
    await opened.upkeep(fresh);
    expect(await read('large', fresh)).toEqual(['two']);
    await expect(read('g', fresh)).rejects.toThrow(LogsDamaged);
    expect(opened.said.includes('log events cannot be read; they are left as they lie')).toBe(!isSettled);
  });

  test('with any one bit turned over, is refused or what it was', async () => {
    for (let n = 0; n < 5; n++) await put('g', n, `line ${n} ${'x'.repeat(40 * n)}`);
    if (isSettled) await opened.upkeep(store);
    const expected = await read('g');
    for (const { value } of [...(await chunks()), ...(await segments())]) {
      const blob = blobs.sealed.get(value.blob.generation)!;
      const good = blob.bytes;
      let refused = 0;
      const others: unknown[] = [];
      for (let at = 0; at < good.length; at++) {
        const bad = Buffer.from(good);
        bad[at]! ^= 1 << (at % 8);
        blob.bytes = bad;
        const found = await read('g', opened.server()).catch((error: unknown) => error);
        if (found instanceof LogsDamaged) refused += 1;
        else others.push(found);
      }
      expect(others).toEqual(others.map(() => expected));
      expect(refused).toBeGreaterThan(good.length / 2);
      blob.bytes = good;
    }
  });

  test('damaged behind its table, keeps nothing else from being compacted', async () => {
    await put('g', 1, 'one');
    if (isSettled) {
      await opened.upkeep(store);
      await put('g', 2, 'two');
    }
    const [file] = isSettled ? await segments('g') : await chunks();
    const { generation } = file!.value.blob;
    blobs.sealed.get(generation)!.bytes[file!.value.footer.offset - 1]! ^= 1;
    opened.clock.time += 1;
    await put('large', 3, 'three');
    const fresh = opened.server();
    opened.clock.time += 10 * 60_000;
    await opened.upkeep(fresh);
    expect((await chunks()).map(({ value }) => value.blob.generation)).toEqual(isSettled ? [] : [generation]);
    expect(await read('large', fresh)).toEqual(['three']);
    await expect(read('g', fresh)).rejects.toThrow(generation);
    expect(opened.said).toContain('log events cannot be read; they are left as they lie');
    expect(await segments('large')).toHaveLength(1);
  });

  test('gone, is said to be missing', async () => {
    await put('g', 1, 'one');
    if (isSettled) await opened.upkeep(store);
    const [file] = [...(await chunks()), ...(await segments())];
    blobs.sealed.delete(file!.value.blob.generation);
    await expect(read('g', opened.server())).rejects.toThrow(LogsDamaged);
  });
});

test('what a crash left between blob and commit is named by nobody, and everything else is', async () => {
  await put('g', 1, 'one');
  await opened.upkeep(store);
  await put('g', 2, 'two');
  const stray = { ...blobs.sealed.values().next().value! };
  blobs.sealed.set('stray', stray);
  const named = new Set<string>();
  for await (const { generation } of blobsOfLogs(opened.records)) named.add(generation);
  const known = await knownBlobsOfLogs(opened.records);
  const unknown: string[] = [];
  for await (const blob of blobs.list()) {
    if (!known(blob)) unknown.push(blob.generation);
  }
  expect(unknown).toEqual(['stray']);
  expect(named.size).toBe(2);
});

test('replaced blobs stay for those who read them, and then go', async () => {
  for (let n = 0; n < 20; n++) await put('g', n, `line ${n}`);
  await opened.upkeep(store);
  expect(blobs.sealed.size).toBeGreaterThan(10);
  opened.clock.time += 10 * 60_000;
  await opened.upkeep(store);
  expect(blobs.sealed.size).toBe(1);
  expect(await read('g')).toHaveLength(20);
});

test('small segments of one day become one, and none crosses a day', async () => {
  for (let n = 0; n < 30; n++) {
    await put('g', (n % 2) * day + n, `line ${n}`);
    await opened.upkeep(store, false);
  }
  expect((await segments('g')).length).toBeLessThan(20);
  opened.clock.time += 60_000;
  await opened.upkeep(store);
  const left = await segments('g');
  expect(left).toHaveLength(2);
  for (const { value } of left) expect(Math.floor(value.minTimestamp / day)).toBe(Math.floor(value.maxTimestamp / day));
  expect(await read('g')).toHaveLength(30);
});

test('retention removes whole segments, and what deleted groups had', async () => {
  const now = opened.clock.time;
  await put('g', now - 3 * day, 'old');
  await put('g', now, 'new');
  await put('large', now - 3 * day, 'kept for ever');
  await opened.upkeep(store);
  expect((await store.group(account, 'g'))?.storedBytes).toBe(2 * 26 + 6);
  await store.changeGroup(account, 'g', (settings) => ({ ...settings, retentionInDays: 1 }));
  await opened.upkeep(store);
  expect(await read('g')).toEqual(['new']);
  expect(await read('large')).toEqual(['kept for ever']);
  expect((await store.group(account, 'g'))?.storedBytes).toBe(26 + 3);
  await store.deleteGroup(account, 'g');
  await store.deleteGroup(account, 'large');
  opened.clock.time += day;
  await opened.upkeep(store);
  opened.clock.time += day;
  await opened.upkeep(store);
  const left = await scanAll(opened.records, partition);
  expect(left.map(({ key }) => key).filter((key) => !key.startsWith('$lease/'))).toEqual([]);
  expect(blobs.sealed.size).toBe(0);
});

test('beyond their room, the oldest events of the largest group go, and it is announced', async () => {
  const noise = Array.from({ length: 2000 }, () => Math.random().toString(36)).join('');
  for (let n = 0; n < 6; n++) {
    await put('large', opened.clock.time - (6 - n) * day, `${n} ${noise}`);
    await opened.upkeep(store);
  }
  await put('g', opened.clock.time - 6 * day, 'small and old');
  await opened.upkeep(store);
  let room = Infinity;
  const capped = opened.server({ maxBytes: () => room });
  room = (await segments('large')).reduce((sum, { value }) => sum + value.blob.size, 0) / 2;
  await opened.upkeep(capped);
  const left = await read('large');
  expect(left.length).toBeGreaterThan(0);
  expect(left.map((text) => text.slice(0, 1))).toEqual(['0', '1', '2', '3', '4', '5'].slice(-left.length));
  expect(left.length).toBeLessThan(4);
  expect(await read('g')).toEqual(['small and old']);
  expect(opened.said.some((line) => line.includes('SLIPWAY_LOGS_MAX'))).toBe(true);
});

test('a group over its rate is refused and no other, and what is too much for the memory as well', async () => {
  const limited = opened.server({ groupRate: 1000 });
  const message = 'x'.repeat(900);
  const send = (group: string) => limited.put(account, group, 's', [{ timestamp: 1, message }]);
  await send('large');
  await send('large');
  const refusal = await send('large').catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(LogsThrottled);
  expect((refusal as LogsThrottled).retryAfter).toBeGreaterThan(0);
  await send('g');
  const small = opened.server({ intake: { waitingBytes: 3000, linger: 10_000 } });
  const waiting = small.put(account, 'g', 's', [{ timestamp: 1, message }]);
  const second = small.put(account, 'g', 's', [{ timestamp: 1, message }]);
  await expect(small.put(account, 'g', 's', [{ timestamp: 1, message }])).rejects.toThrow(LogsThrottled);
  await Promise.all([small.close(), waiting, second]);
  expect(await read('g')).toHaveLength(3);
  await limited.close();
});
