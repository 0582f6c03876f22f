import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { array, assert, asyncProperty, constant, constantFrom, integer, oneof, uniqueArray } from 'fast-check';
import { expect, test } from 'vitest';

import { bucketPartition, objectKeys } from './keys.ts';
import { list } from './listing.ts';

const sizes: Readonly<Record<string, number>> = { nightly: 3000, release: 20_000 };
const numRuns = sizes[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 300;

const bytes = (text: string): Buffer => Buffer.from(text);
const sorted = (keys: Iterable<string>): string[] => [...keys].toSorted((a, b) => Buffer.compare(bytes(a), bytes(b)));

/** What S3 lists, said in another way: all entries first, and pages of them afterwards. */
function oracle(keys: readonly string[], prefix: string, delimiter: string): string[] {
  const entries = new Set<string>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const rest = key.slice(prefix.length);
    const at = delimiter === '' ? -1 : rest.indexOf(delimiter);
    entries.add(at === -1 ? key : prefix + rest.slice(0, at + delimiter.length));
  }
  return sorted(entries);
}

const letters = constantFrom('a', 'b', '/', '//', '-', 'ü', '\uFFFF', '\u{1F600}', '\u{10FFFF}');
const key = array(letters, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));

test('pages of every size hold what S3 lists, in order, once', async () => {
  await assert(
    asyncProperty(
      uniqueArray(key, { maxLength: 40 }),
      oneof(constant(''), key),
      oneof(constant(''), letters),
      integer({ min: 1, max: 7 }),
      async (keys, prefix, delimiter, limit) => {
        const records = memoryRecords(systemClock);
        await records.commit(bucketPartition('b'), {
          put: [
            ...keys.map((one) => ({ key: objectKeys.object(one), value: {} })),
            { key: objectKeys.bucket, value: {} },
          ],
        });
        const found: string[] = [];
        let after = '';
        for (let more = true; more;) {
          const page = await list(records, 'b', { prefix, delimiter, after, limit });
          expect(page.entries.length).toBeLessThanOrEqual(limit);
          found.push(...page.entries.map((entry) => entry.key));
          ({ more } = page);
          expect(page.entries.length).toBeGreaterThanOrEqual(more ? limit : 0);
          after = found.at(-1) ?? '';
        }
        expect(found).toEqual(oracle(keys, prefix, delimiter));
      },
    ),
    { numRuns },
  );
});

test('what an entry stands for is passed over, however much it is', async () => {
  const records = memoryRecords(systemClock);
  for (let from = 0; from < 25_000; from += 5000)
    await records.commit(bucketPartition('b'), {
      put: Array.from({ length: 5000 }, (_, index) => ({ key: objectKeys.object(`a/${from + index}`), value: {} })),
    });
  await records.commit(bucketPartition('b'), { put: [{ key: objectKeys.object('b'), value: {} }] });
  let reads = 0;
  const counting: Pick<typeof records, 'list'> = {
    list: (...given) => {
      reads++;
      return records.list(...given);
    },
  };
  const page = await list(counting, 'b', { prefix: '', delimiter: '/', after: '', limit: 10 });
  expect(page.entries.map((entry) => entry.key)).toEqual(['a/', 'b']);
  expect(reads).toBe(2);
});

test('a list reads few rows more than it has entries, and few of those that an entry stands for', async () => {
  const records = memoryRecords(systemClock);
  const keys = Array.from({ length: 20_000 }, (_, index) => `${Math.floor(index / 1000)}/${index}`);
  for (let from = 0; from < keys.length; from += 5000)
    await records.commit(bucketPartition('b'), {
      put: keys.slice(from, from + 5000).map((one) => ({ key: objectKeys.object(one), value: {} })),
    });
  let rows = 0;
  const counting: Pick<typeof records, 'list'> = {
    list: async <T>(...given: Parameters<typeof records.list>) => {
      const read = await records.list<T>(...given);
      rows += read.records.length;
      return read;
    },
  };
  const rowsOf = async (delimiter: string, limit: number): Promise<readonly [entries: number, rows: number]> => {
    rows = 0;
    const { entries } = await list(counting, 'b', { prefix: '', delimiter, after: '', limit });
    return [entries.length, rows];
  };
  expect(await rowsOf('', 1)).toEqual([1, 2]);
  expect(await rowsOf('', 1000)).toEqual([1000, 1001]);
  const [entries, read] = await rowsOf('/', 1000);
  expect(entries).toBe(20);
  expect(read).toBeLessThan(4000);
});
