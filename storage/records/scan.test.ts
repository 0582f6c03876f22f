import { expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { hasRoom, pagesOf, type RecordStore, scan, scanAll, scanPages, scanPartitions } from './index.ts';
import { memoryRecords } from './testing/memory-records.ts';

async function storeOf(keys: readonly string[], partition = 'p'): Promise<RecordStore> {
  const records = memoryRecords(systemClock);
  await records.commit(partition, { put: keys.map((key) => ({ key, value: key })) });
  return records;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test.each([1, 2, 3, 4, 5, 100])('pages of %i give every record of a prefix once, in order', async (limit) => {
  const records = await storeOf(['a/1', 'b/1', 'b/2', 'b/3', 'b/4', 'c/1']);
  const options = { prefix: 'b/', limit };
  const keys = ['b/1', 'b/2', 'b/3', 'b/4'];
  expect((await collect(scan(records, 'p', options))).map(({ key }) => key)).toEqual(keys);
  expect((await scanAll<string>(records, 'p', options)).map(({ value }) => value)).toEqual(keys);
  const pages = await collect(scanPages(records, 'p', options));
  expect(pages.flatMap((page) => page.records.map(({ key }) => key))).toEqual(keys);
  expect(pages).toHaveLength(Math.ceil(keys.length / limit));
});

test('whether there is room is told without reading a record', async () => {
  const records = await storeOf(['a/1', 'b/1', 'b/2', 'b/3', 'c/1']);
  const counted = { count: (prefix: string, most: number) => records.count('p', prefix, most) };
  const room = (prefix: string, most: number): Promise<boolean> => hasRoom(counted, prefix, most);
  expect([await room('b/', 2), await room('b/', 3), await room('b/', 4), await room('d/', 1)]).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

test('a scan begins after a key, and one of nothing is empty', async () => {
  const records = await storeOf(['a', 'b', 'c']);
  expect((await scanAll(records, 'p', { after: 'a', limit: 1 })).map(({ key }) => key)).toEqual(['b', 'c']);
  expect(await scanAll(records, 'p', { after: 'c' })).toEqual([]);
  expect(await scanAll(records, 'nothing')).toEqual([]);
});

test('a scan that is left early reads no further page', async () => {
  const records = await storeOf(['a', 'b', 'c', 'd']);
  let reads = 0;
  const counting = { list: ((...args) => (reads++, records.list(...args))) as RecordStore['list'] };
  for await (const { key } of scan(counting, 'p', { limit: 1 })) if (key === 'b') break;
  expect(reads).toBe(2);
});

test('every partition is named, whatever the size of the pages', async () => {
  const records = memoryRecords(systemClock);
  for (let index = 0; index < 1500; index++)
    await records.commit(`x/${String(index).padStart(4, '0')}`, { put: [{ key: 'a', value: 1 }] });
  await records.commit('y', { put: [{ key: 'a', value: 1 }] });
  const names = await collect(scanPartitions(records, 'x/'));
  expect(names).toHaveLength(1500);
  expect(names.at(-1)).toBe('x/1499');
  expect(await collect(scanPartitions(records, 'z'))).toEqual([]);
});

test('a list whose page is empty ends, even one that says there is more', async () => {
  let reads = 0;
  const pages = pagesOf(
    async (after: number | undefined) => ({ items: [[1, 2], [3], []][reads++] ?? [], more: true, after }),
    ({ items }) => items.at(-1),
  );
  expect((await collect(pages)).map(({ after }) => after)).toEqual([undefined, 2, 3]);
});
