import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { openSqliteRecords } from './index.ts';
import { longestInline, steps } from './sqlite-schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-large-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Looks into a file that a store has open as well. */
function inside(file: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

/** Pages that the key trees take. */
const treePages = (file: string): number =>
  Number(inside(file, "SELECT count(*) AS pages FROM dbstat WHERE name IN ('record', 'event')")[0]?.['pages']);

test('long values lie outside the trees of keys, so that these stay as small as with short ones', async () => {
  const write = async (name: string, value: string): Promise<string> => {
    const file = join(folder, name);
    const store = await openSqliteRecords({ file }, systemClock);
    for (let at = 0; at < 20; at++)
      await store.commit('p', {
        put: Array.from({ length: 10 }, (_, index) => ({ key: `k/${at}/${index}`, value })),
        announce: [{ topic: 't', type: 'happened', data: value }],
      });
    await store.close();
    return file;
  };
  const long = await write('long', 'x'.repeat(100_000));
  expect(inside(long, 'SELECT count(*) AS count FROM large')[0]).toEqual({ count: 220 });
  // A tree of 200 records that hold their 100 kB has over 5,000 pages.
  expect(treePages(long)).toBeLessThanOrEqual(treePages(await write('short', '')) * 2);
});

test('what is rewritten, removed or trimmed leaves nothing behind', async () => {
  const file = join(folder, 'left');
  const store = await openSqliteRecords({ file, keptEvents: 10 }, systemClock);
  const long = 'x'.repeat(longestInline + 1);
  const large = (): unknown => inside(file, 'SELECT count(*) AS count FROM large')[0]?.['count'];
  await store.commit('p', { put: ['a', 'b', 'c'].map((key) => ({ key, value: long })) });
  expect(large()).toBe(3);
  await store.commit('p', { put: [{ key: 'a', value: `${long}y` }] });
  await store.commit('p', { put: [{ key: 'b', value: 'short' }], remove: ['c'] });
  expect(large()).toBe(1);
  // A batch that fails its conditions is not written, its long values neither.
  const refused = { require: [{ key: 'a', exists: false }], put: [{ key: 'd', value: long }] };
  await expect(store.commit('p', refused)).rejects.toThrow('condition failed');
  expect(large()).toBe(1);
  for (let at = 0; at < 128; at++)
    await store.commit('p', { announce: [{ topic: 't', type: 'happened', data: long }] });
  expect(large()).toBe(11);
  await store.close();
});

test('a file from before is brought up to date when it is opened, whole', async () => {
  const file = join(folder, 'old');
  const db = new DatabaseSync(file);
  db.exec(`${steps[0]} PRAGMA user_version = 1`);
  const long = (at: number): string => JSON.stringify('ä'.repeat(at % 2 === 0 ? 10 : 50_000 + at));
  db.exec("INSERT INTO partition (id, name, version, floor) VALUES (1, 'p', 101, 0), (2, 'q', 1, 0)");
  const record = db.prepare('INSERT INTO record (partition, key, version, value) VALUES (?, ?, ?, ?)');
  for (let at = 0; at < 100; at++) record.run(1, `key/${String(at).padStart(3, '0')}`, at + 1, long(at));
  record.run(2, 'key/001', 1, long(1));
  db.exec("INSERT INTO tombstone (partition, key, version) VALUES (1, 'gone', 101)");
  db.exec("INSERT INTO stream (id, topic, partition, first, last, touched) VALUES (1, 't', 1, 1, 40, 1)");
  const event = db.prepare('INSERT INTO event (stream, position, type, data, time) VALUES (1, ?, ?, ?, 7)');
  for (let at = 1; at <= 40; at++) event.run(at, 'happened', long(at));
  db.close();

  const store = await openSqliteRecords({ file }, systemClock);
  const { records } = await store.list<string>('p');
  expect(records.map(({ value }) => JSON.stringify(value))).toEqual(Array.from({ length: 100 }, (_, at) => long(at)));
  expect(records.map(({ version }) => version)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
  expect((await store.get('q', 'key/001'))?.value).toBe(JSON.parse(long(1)));
  const events = await store.announced('p', 't', 0, 100);
  expect(events.map(({ data, time }) => [JSON.stringify(data), time])).toEqual(
    Array.from({ length: 40 }, (_, at) => [long(at + 1), 7]),
  );
  const left = `SELECT count(*) AS count FROM record WHERE length(value) > ${longestInline}`;
  expect(inside(file, left)[0]).toEqual({ count: 0 });
  expect(inside(file, 'SELECT count(*) AS count FROM large')[0]).toEqual({ count: 50 + 1 + 20 });
  // And it is written on as any other.
  await store.commit('p', { put: [{ key: 'key/001', value: 'short' }], remove: ['key/003'] });
  expect(inside(file, 'SELECT count(*) AS count FROM large')[0]).toEqual({ count: 69 });
  await store.close();
  const again = await openSqliteRecords({ file }, systemClock);
  expect((await again.get<string>('p', 'key/005'))?.value).toBe(JSON.parse(long(5)));
  await again.close();
});
