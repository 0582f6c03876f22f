import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { openStorage, type StorageConfig } from '../engine/index.ts';
import { redisMissing, RedisServer } from '../records/testing/redis-server.ts';
import { damage, halves, rounds, Writer } from './harness.ts';
import { needs } from './needs.ts';

/** Returns all damage found, and how many writes were acknowledged. */
async function killAgainAndAgain(
  config: StorageConfig,
  times: number,
): Promise<{ readonly found: readonly string[]; readonly writes: number }> {
  const found: string[] = [];
  let next: Writer | undefined;
  let writes = 0;
  let storage = await openStorage(config, systemClock);
  for (let round = 0; round < times; round++) {
    const writer = next ?? new Writer(config, `r${round}`);
    await writer.reached(1);
    // The next writer starts, as a standby server would, while this one is at work and dies.
    next = round + 1 < times ? new Writer(config, `r${round + 1}`) : undefined;
    await systemClock.sleep(Math.random() * 40);
    await writer.kill();
    writes += writer.acknowledged.length;
    found.push(...(await damage(storage, writer.acknowledged)));
    if (round % 50 === 49 || next === undefined) {
      // The only process on the store, which must recover it by itself.
      await next?.kill();
      if (next) found.push(...(await damage(storage, next.acknowledged)));
      next = undefined;
      await storage.close();
      storage = await openStorage(config, systemClock);
      found.push(...(await halves(storage)));
      await storage.records.commit('faults', { put: [{ key: 'alive', value: round }] });
    }
  }
  await storage.close();
  return { found, writes };
}

test(
  'a server killed at any moment loses nothing acknowledged on sqlite and files',
  { timeout: 1_800_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-kill-'));
    const records = { type: 'sqlite', file: join(folder, 'records.db') } as const;
    const { found, writes } = await killAgainAndAgain(
      { records, blobs: { type: 'filesystem', root: join(folder, 'blobs') } },
      rounds(240, 2400),
    );
    expect(found).toEqual([]);
    expect(writes).toBeGreaterThan(240);
    await rm(folder, { recursive: true });
  },
);

test('a server killed at any moment loses nothing acknowledged on Redis', { timeout: 1_800_000 }, async (context) => {
  needs(context, redisMissing);
  const folder = await mkdtemp(join(tmpdir(), 'slipway-kill-'));
  const server = await RedisServer.start();
  const records = { type: 'redis', url: server.url } as const;
  const { found, writes } = await killAgainAndAgain(
    { records, blobs: { type: 'filesystem', root: join(folder, 'blobs') } },
    rounds(60, 600),
  );
  expect(found).toEqual([]);
  expect(writes).toBeGreaterThan(60);
  await server.dispose();
  await rm(folder, { recursive: true });
});

test(
  'a Redis killed at any moment loses nothing acknowledged, and the servers go on by themselves',
  { timeout: 600_000 },
  async (context) => {
    needs(context, redisMissing);
    const folder = await mkdtemp(join(tmpdir(), 'slipway-kill-'));
    const server = await RedisServer.start();
    const config = {
      records: { type: 'redis', url: server.url, reconnectWait: 200 },
      blobs: { type: 'filesystem', root: join(folder, 'blobs') },
    } as const;
    const storage = await openStorage(config, systemClock);
    const acknowledged: string[] = [];
    for (let round = 0; round < rounds(10, 100); round++) {
      const stop = new AbortController();
      const lanes = Array.from({ length: 8 }, async (_, lane) => {
        for (let n = 0; !stop.signal.aborted; n++) {
          const pair = `${round}-${lane}-${n}`;
          await storage.records
            .commit('faults', {
              put: [
                { key: `a/${pair}`, value: n },
                { key: `b/${pair}`, value: n },
              ],
              announce: [{ topic: 'faults', type: 'pair', data: pair }],
            })
            .then(
              () => acknowledged.push(pair),
              () => systemClock.sleep(5),
            );
        }
      });
      // In the midst of the writes, however fast the machine is.
      const enough = acknowledged.length + 100 + Math.random() * 100;
      while (acknowledged.length < enough) await systemClock.sleep(1);
      await server.kill();
      stop.abort();
      await Promise.all(lanes);
      await server.resume();
    }
    // They notice by themselves that it is back, a moment after it is.
    const answers = (): Promise<boolean> =>
      storage.records.get('faults', 'alive').then(
        () => true,
        () => false,
      );
    while (!(await answers())) await systemClock.sleep(20);
    expect(
      await damage(
        storage,
        acknowledged.map((pair) => ({ pair })),
      ),
    ).toEqual([]);
    expect(await halves(storage)).toEqual([]);
    expect(storage.lossNoticed()).toBeUndefined();
    expect(acknowledged.length).toBeGreaterThanOrEqual(100 * rounds(10, 100));
    await storage.close();
    await server.dispose();
    await rm(folder, { recursive: true });
  },
);
