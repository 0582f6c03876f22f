import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { ConditionFailed, openSqliteRecords, type RecordStore } from '../records/index.ts';
import { openRedisRecords } from '../records/redis-records.ts';
import { redisMissing, RedisServer } from '../records/testing/redis-server.ts';
import { rounds } from './harness.ts';
import { needs } from './needs.ts';
import { isLinearizable, type Operation } from './linearizable.ts';

test('the checker accepts what a register can show and rejects what it cannot', () => {
  const write = (call: number, end: number, value: number): Operation => ({ kind: 'write', call, end, value });
  const read = (call: number, end: number, value: number): Operation => ({ kind: 'read', call, end, value });
  expect(isLinearizable([write(0, 10, 1), read(5, 6, 0), read(7, 8, 1)], 0)).toBe(true);
  expect(isLinearizable([write(0, 10, 1), read(5, 6, 1), read(7, 8, 0)], 0)).toBe(false);
  expect(isLinearizable([write(0, 1, 1), read(2, 3, 0)], 0)).toBe(false);
  expect(isLinearizable([write(0, Infinity, 1), read(2, 3, 0), read(4, 5, 1)], 0)).toBe(true);
  const swap = (call: number, end: number, expected: number, value: number, swapped: boolean): Operation => ({
    kind: 'swap',
    call,
    end,
    expected,
    value,
    swapped,
  });
  expect(isLinearizable([swap(0, 5, 0, 1, true), swap(1, 6, 0, 2, true)], 0)).toBe(false);
  expect(isLinearizable([swap(0, 5, 0, 1, true), swap(1, 6, 0, 2, false)], 0)).toBe(true);
});

/** Clients of two servers write, read and swap the same few records; each record's history must be that of one register. */
async function history(
  stores: readonly RecordStore[],
  round: number,
  disturb: () => Promise<void>,
): Promise<readonly string[]> {
  const registers = ['x', 'y'];
  const histories = new Map(registers.map((key) => [key, [] as Operation[]]));
  let next = 1;
  const client = async (store: RecordStore): Promise<void> => {
    const known = new Map<string, { value: number; version: number }>();
    for (let step = 0; step < 10; step++) {
      const key = registers[Math.floor(Math.random() * registers.length)]!;
      const operations = histories.get(key)!;
      const call = performance.now();
      const value = next++;
      const last = known.get(key);
      const choice = Math.random();
      try {
        if (choice < 0.4) {
          const stored = await store.get<number>(`round${round}`, key);
          operations.push({ kind: 'read', call, end: performance.now(), value: stored?.value ?? 0 });
          if (stored) known.set(key, stored);
        } else if (choice < 0.7 || last === undefined) {
          const { version } = await store.commit(`round${round}`, { put: [{ key, value }] });
          operations.push({ kind: 'write', call, end: performance.now(), value });
          known.set(key, { value, version });
        } else {
          const base = { kind: 'swap', call, value, expected: last.value } as const;
          const committed = await store
            .commit(`round${round}`, { require: [{ key, version: last.version }], put: [{ key, value }] })
            .catch((error: unknown) => {
              if (error instanceof ConditionFailed) return undefined;
              operations.push({ ...base, end: Infinity });
              throw error;
            });
          operations.push({ ...base, end: performance.now(), swapped: committed !== undefined });
          if (committed) known.set(key, { value, version: committed.version });
          else known.delete(key);
        }
      } catch {
        if (choice >= 0.4 && (choice < 0.7 || last === undefined))
          operations.push({ kind: 'write', call, end: Infinity, value });
        await systemClock.sleep(10);
      }
    }
  };
  await Promise.all([...Array.from({ length: 8 }, (_, index) => client(stores[index % stores.length]!)), disturb()]);
  // What is no history of one register is returned whole, for whoever has to understand it.
  return Array.from(histories.values())
    .filter((operations) => !isLinearizable(operations, 0))
    .map((operations) => JSON.stringify(operations));
}

test('two servers on one sqlite file show one register', { timeout: 600_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-linear-'));
  const open = () => openSqliteRecords({ file: join(folder, 'records.db') }, systemClock);
  const stores = [await open(), await open()];
  for (let round = 0; round < rounds(20, 1000); round++) {
    expect(await history(stores, round, async () => {})).toEqual([]);
  }
  for (const store of stores) await store.close();
  await rm(folder, { recursive: true });
});

test('two servers on one Redis show one register, also while it is killed', { timeout: 600_000 }, async (context) => {
  needs(context, redisMissing);
  const server = await RedisServer.start();
  const open = () => openRedisRecords({ url: server.url, reconnectWait: 100 }, systemClock);
  const stores = [await open(), await open()];
  for (let round = 0; round < rounds(20, 1000); round++) {
    const wrong = await history(stores, round, async () => {
      if (round % 4 !== 3) return;
      await systemClock.sleep(Math.random() * 10);
      await server.kill();
      await server.resume();
    });
    expect(wrong).toEqual([]);
  }
  for (const store of stores) await store.close();
  await server.dispose();
});
