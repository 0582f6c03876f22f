import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { StoreUnavailable } from './record-store.ts';
import { openSqliteRecords } from './sqlite-records.ts';
import { SqliteStamp } from './sqlite-stamp.ts';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'slipway-stamp-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('every commit changes the stamp of every store on the file, before it is acknowledged; reads do not', async () => {
  const file = join(folder, 'records.sqlite');
  const first = await openSqliteRecords({ file }, systemClock);
  const second = await openSqliteRecords({ file }, systemClock);
  try {
    for (let count = 0; count < 300; count++) {
      const stamps = [first.stamp?.(), second.stamp?.()];
      await (count % 2 === 0 ? first : second).commit('p', {
        put: [{ key: `k${count % 7}`, value: 'x'.repeat(count * 20) }],
        ...(count % 3 === 0 ? { lazy: true } : {}),
      });
      const after = [first.stamp?.(), second.stamp?.()];
      expect(after[0]).not.toBe(stamps[0]);
      expect(after[1]).not.toBe(stamps[1]);
      await Promise.all([first.get('p', 'k1'), first.list('p'), second.get('p', 'k1')]);
      expect([first.stamp?.(), second.stamp?.()]).toEqual(after);
    }
    // Also when the log is written back and begun anew.
    const other = new DatabaseSync(file);
    const before = first.stamp?.();
    other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    other.close();
    await second.commit('p', { put: [{ key: 'k1', value: 'new' }] });
    expect(first.stamp?.()).not.toBe(before);
    expect((await first.get('p', 'k1'))?.value).toBe('new');
  } finally {
    await first.close();
    await second.close();
  }
  // Closed, it holds for nothing, and what is read says so as ever.
  const last = first.stamp?.();
  expect(first.stamp?.()).not.toBe(last);
  await expect(first.get('p', 'k1')).rejects.toThrow(StoreUnavailable);
});

test('there is none for a database that is not in WAL mode, or whose shared memory has another format', () => {
  const file = join(folder, 'plain.sqlite');
  const plain = new DatabaseSync(file);
  plain.exec('CREATE TABLE t (a)');
  expect(SqliteStamp.open(file)).toBeUndefined();
  plain.close();
  expect(SqliteStamp.open(join(folder, 'not-there'))).toBeUndefined();
});
