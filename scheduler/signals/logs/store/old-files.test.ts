import { zstdCompressSync } from 'node:zlib';
import { type Json, scanAll } from '@slipway/storage/records';
import { expect, test } from 'vitest';
import { parsePattern } from '../patterns/index.ts';
import { batchesOf } from '../subscriptions/batches.ts';
import { LogsTooNew } from './contract.ts';
import { EventBlobs } from './event-blobs.ts';
import { logKeys, logsPartition } from './keys.ts';
import type { EventsRecord } from './records.ts';
import { MemoryBlobs } from './testing/memory-blobs.ts';
import { account, openedLogs } from './testing/opened.ts';

/** A segment as version 1 of the files had it: five events of two streams. */
const packed =
  'KLUv/QRY+QIAAILwpuriaIDA4oXjaMLCqpjaIQIJb25lIGVycm9yAM4PAAACCXR3bwpsaW5lcwCQtggAAAIMR3LDtsOfZSDwn5CLAtvFCAAAAgAAnB8AAAIO' +
  'b25lIG1vcmUgZXJyb3I5MEBlKLUv/QRYXQUAAksjIGCHqgPWeFC/KuQxa7R4GCN2QXe3fpLaUjdMCxRBEHABCa3ZYPjPlAsoP+PKIYFg/wPO2P8f/h/xhHKn' +
  'qmpSVTWb1lppc1MT5TmpdFMZiwbBc7bmh9MRpUWbIOQ8s1jPZPPitDLIc9A5h06MyVFOa1y1FgK8JKK4iFqhKHgpcNDxWJxbsEFjYHHAAyMECwAgAOcdsAAM' +
  'E9UIID4oBo7zY3Zo4jYT71NR7e57Ng==';
const day = 1_799_971_200_000;
const group = '061f5fdb3e1981f0';

test('what an older Slipway wrote is read, and becomes part of new segments', async () => {
  const blobs = new MemoryBlobs();
  const bytes = Buffer.from(packed, 'base64');
  const digest = 'sha256:0b920eace9ff9e8f3578c422b40d8ad071c287e2792c4f50eb73e0f3d1632263';
  blobs.sealed.set('old', { digest, bytes });
  const opened = openedLogs(blobs);
  const rows: { readonly [key: string]: Json } = {
    [logKeys.group('g')]: { tags: {}, logGroupClass: 'STANDARD', id: group, createdAt: day },
    [logKeys.stream(group, 's')]: { id: '84dff45aaaeab628', createdAt: day },
    [logKeys.stream(group, 't')]: { id: '2b9c2b465d15175f', createdAt: day },
    [logKeys.segment(group, 20_833, '01800000000000-a3edf51e')]: {
      blob: { digest, generation: 'old', size: bytes.length },
      footer: { offset: 108, length: 184 },
      events: 5,
      raw: 44,
      minTimestamp: day + 1,
      maxTimestamp: day + 70_000,
      writtenAt: day,
    },
  };
  const put = Object.entries(rows).map(([key, value]) => ({ key, value }));
  await opened.records.commit(logsPartition(account), { put });
  const store = opened.server();
  const all = async (terms: readonly string[] = []) =>
    (await store.scan(account, 'g', { limit: 10, terms })).events.map(({ message }) => message);
  const found = ['one error', '', 'two\nlines', 'one more error', 'Größe \u{1f40b}'];
  expect(await all()).toEqual(found);
  expect(await all(['error'])).toEqual(['one error', 'one more error']);
  const read = await store.read(account, 'g', 't', { direction: 'backward', limit: 1 });
  expect(read.events).toMatchObject([{ timestamp: day + 2000, ingestionTime: 1_800_000_000_000 }]);
  expect(read.events.map(({ id }) => id)).toEqual(['01799971202000018000000000005790407927370000000000000005']);

  await store.put(account, 'g', 's', [{ timestamp: day + 3000, message: 'new' }]);
  opened.clock.time += 3 * 86_400_000;
  await opened.upkeep(store);
  const files = await scanAll<EventsRecord>(opened.records, logsPartition(account), { prefix: logKeys.segments });
  expect(files.map(({ value }) => value.blob.generation)).toEqual([expect.not.stringMatching('old')]);
  expect(files.map(({ value }) => value.events)).toEqual([6]);
  expect(await all()).toEqual(found.toSpliced(4, 0, 'new'));
});

test('what a newer Slipway wrote is no damage: a subscription filter is not told that it is lost', async () => {
  const blobs = new MemoryBlobs();
  const bytes = zstdCompressSync(JSON.stringify({ version: 99, streams: [], blocks: [] }));
  const digest = `sha256:${'0'.repeat(64)}` as const;
  blobs.sealed.set('new', { digest, bytes });
  const file: EventsRecord = {
    blob: { digest, generation: 'new', size: bytes.length },
    footer: { offset: 0, length: bytes.length },
    events: 5,
    raw: 44,
    minTimestamp: day,
    maxTimestamp: day,
  };
  const lost: unknown[] = [];
  const wanted = { id: group, group: 'g', filter: 'f', pattern: parsePattern('') };
  const first = batchesOf(new EventBlobs(blobs), [file], wanted, (error) => void lost.push(error)).next();
  await expect(first).rejects.toThrow(LogsTooNew);
  expect(lost).toEqual([]);
});
