import { createHash } from 'node:crypto';
import type { BlobLocation, BlobSource } from '@slipway/storage/blobs';
import { expect, test } from 'vitest';
import { EventBlobs } from './event-blobs.ts';
import { mergedRows } from './merge.ts';
import { MemoryBlobs } from './testing/memory-blobs.ts';
import { account, openedLogs } from './testing/opened.ts';

/** However slow the machine is: pages end early otherwise. */
const anyTime = { bytes: 2 ** 30, milliseconds: 3_600_000 };
/** Larger than what shares its memory with others. */
const lines = Array.from({ length: 4000 }, (_, n) => ({ timestamp: n, message: `line ${n} ${'x'.repeat(90)}` }));

test('memory of a block that was lent goes at once, unless others may have it by then', async () => {
  const blobs = new EventBlobs(new MemoryBlobs());
  const rows = lines.map(({ timestamp, message }, n) => ({
    stream: 0,
    timestamp,
    ingestionTime: timestamp,
    writer: 1,
    sequence: n + 1,
    message: Buffer.from(message),
  }));
  const file = await blobs.write([{ group: 'g', id: 's', name: 's' }], [rows], { level: 1, isSearched: false });
  const [block] = (await blobs.table(file)).blocks;
  const lend = () => blobs.lent(file, block!);

  const [one, other] = [await lend(), await lend()];
  one.drop();
  expect(one.bytes).toHaveLength(0);
  expect(other.bytes.includes('line 3999')).toBe(true);
  other.keep();
  const kept = await lend();
  expect(kept.bytes).toBe(other.bytes);
  expect(await blobs.block(file, block!)).toBe(other.bytes);
  kept.drop();
  expect(other.bytes.includes('line 3999')).toBe(true);
});

test('what a block was packed in goes as soon as it is unpacked', async () => {
  const read: Buffer[] = [];
  class Watched extends MemoryBlobs {
    override async open(blob: BlobLocation): Promise<BlobSource> {
      const source = await super.open(blob);
      const watched: BlobSource['read'] = async (range) => {
        const bytes = await source.read(range);
        read.push(bytes);
        return bytes;
      };
      return { ...source, read: watched };
    }
  }
  const blobs = new EventBlobs(new Watched());
  // More than is read at once with its table, however it is packed.
  const rows = Array.from({ length: 6000 }, (_, n) => ({
    stream: 0,
    timestamp: n,
    ingestionTime: n,
    writer: 1,
    sequence: n + 1,
    message: createHash('sha512').update(`${n}`).digest(),
  }));
  const file = await blobs.write([{ group: 'g', id: 's', name: 's' }], [rows], { level: 1, isSearched: false });
  const [block] = (await blobs.table(file)).blocks;
  read.length = 0;
  const { bytes } = await blobs.lent(file, block!);
  expect(bytes.includes(rows[77]!.message)).toBe(true);
  expect(read.map(({ length }) => length)).toEqual([0]);
  const once = await blobs.rowsOnce(file, block!);
  expect(once.next() && once.message.equals(rows[0]!.message)).toBe(true);
  expect(read.map(({ length }) => length)).toEqual([0, 0]);
});

test('a merge lets go of each block behind its last row, and its rows are whole until then', async () => {
  const blobs = new EventBlobs(new MemoryBlobs());
  const streams = [{ group: 'g', id: 's', name: 's' }];
  const messageOf = (n: number): Buffer => createHash('sha512').update(`${n}`).digest();
  const rowsFrom = (first: number) =>
    Array.from({ length: 40_000 }, (_, n) => ({
      stream: 0,
      timestamp: first + 2 * n,
      ingestionTime: 0,
      writer: 1,
      sequence: n + 1,
      message: messageOf(first + 2 * n),
    }));
  const files = [];
  for (const first of [0, 1]) {
    const file = await blobs.write(streams, [rowsFrom(first)], { level: 1, isSearched: false });
    files.push({ file, blocks: (await blobs.table(file)).blocks, places: [0] });
  }
  const read: Buffer[] = [];
  const seen: number[] = [];
  const reading = mergedRows(async (file, block) => {
    const rows = await blobs.rowsOnce(file, block);
    read.push(rows.bytes);
    return rows;
  }, files);
  for await (const run of reading)
    for (const { timestamp, message } of run) if (messageOf(timestamp).equals(message)) seen.push(timestamp);
  expect(seen).toEqual(Array.from({ length: 80_000 }, (_, n) => n));
  // The last one of each file is left to its reader.
  expect(read).toHaveLength(6);
  expect(read.filter(({ length }) => length > 0)).toHaveLength(2);
});

test('searches that find nothing take nothing from those that go on beside them', async () => {
  const stores = openedLogs();
  const store = stores.server();
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'g', 's');
  for (let at = 0; at < lines.length; at += 1000) await store.put(account, 'g', 's', lines.slice(at, at + 1000));
  await stores.upkeep(store);
  const search = async (term: string): Promise<number> =>
    (await store.scan(account, 'g', { terms: [term], limit: 10_000, bytes: 10_000_000, budget: anyTime })).events
      .length;
  // Parts of numbers, of which filters know nothing.
  const found = await Promise.all(['3999', '77 x', '5555', '1234 x', '9876', '99 x'].map(search));
  expect(found).toEqual([1, 40, 0, 1, 0, 40]);
  expect(await search('3998')).toBe(1);
  const read = await store.read(account, 'g', 's', { direction: 'forward', limit: 10_000, bytes: 10_000_000 });
  expect(read.events.map(({ message }) => message)).toEqual(lines.map(({ message }) => message));
  await store.close();
});
