import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { openStorage, type StorageConfig } from '../engine/index.ts';
import { redisMissing, RedisServer } from '../records/testing/redis-server.ts';
import { damage, halves, rounds, Writer } from './harness.ts';
import { cannotLoop, LoopDisk } from './loop-disk.ts';
import { needs } from './needs.ts';

/**
 * A power failure, as far as it can be had without cutting the power: the server works on a file system in an image file. At a random
 * moment the image is copied: what the copy holds is what had reached the disk. The copy is mounted, which replays its journal
 * as a machine does that comes up again, and looked through.
 */
const localConfig = (folder: string): StorageConfig => ({
  records: { type: 'sqlite', file: join(folder, 'records.db') },
  blobs: { type: 'filesystem', root: join(folder, 'blobs'), reserve: 0 },
});

/** Fails the power so many times and returns all damage found. */
async function failPower(times: number, options: { readonly sync: boolean }): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-power-'));
  const found: string[] = [];
  let writer: Writer | undefined;
  let disk: LoopDisk | undefined;
  for (let round = 0; round < times; round++) {
    if (disk === undefined || writer === undefined || round % 10 === 0) {
      // A new disk now and then: a small one fills up, and the first moments are worth a look too.
      await writer?.kill();
      await disk?.dispose();
      disk = new LoopDisk(folder, `disk${round}`);
      await disk.make(160);
      writer = new Writer(localConfig(disk.mounted), `p${round}`, options);
      await writer.reached(5);
    }
    await systemClock.sleep(20 + Math.random() * 80);
    writer.pause();
    // What it has said until now is acknowledged; its last words arrive while it stands still.
    await systemClock.sleep(10);
    const acknowledged = [...writer.acknowledged];
    const copy = await disk.copy('copy');
    writer.resume();
    const storage = await openStorage(localConfig(copy.mounted), systemClock).catch((error: unknown) => {
      found.push(`cannot be opened: ${(error as Error).message}`);
    });
    if (storage) {
      found.push(...(await damage(storage, acknowledged)), ...(await halves(storage)));
      await storage.close();
    }
    await copy.dispose();
    if (found.length > 0) break;
  }
  await writer?.kill();
  await disk?.dispose();
  await rm(folder, { recursive: true });
  return found;
}

test('a power failure loses nothing acknowledged on sqlite and files', { timeout: 1_800_000 }, async (context) => {
  needs(context, cannotLoop);
  expect(await failPower(rounds(50, 300, 1000), { sync: true })).toEqual([]);
});

test('the test finds the damage when nothing is synced', { timeout: 300_000 }, async (context) => {
  needs(context, cannotLoop);
  expect(await failPower(10, { sync: false })).not.toEqual([]);
});

/** As {@link failPower}, with all but the bytes of blobs in a Redis whose folder is on the disk. */
async function failRedisPower(times: number, fsync: 'always' | 'no'): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-power-'));
  const settings = ['--appendonly', 'yes', '--appendfsync', fsync];
  const blobs = { type: 'filesystem', root: join(folder, 'blobs') } as const;
  const found: string[] = [];
  for (let done = 0; done < times && found.length === 0; done += 5) {
    // A new disk now and then: all that was acknowledged on one is looked for each time.
    const disk = new LoopDisk(folder, `disk${done}`);
    await disk.make(256);
    const server = await RedisServer.start(settings, disk.mounted);
    const writer = new Writer({ records: { type: 'redis', url: server.url }, blobs }, `p${done}`);
    for (let round = done; round < Math.min(times, done + 5) && found.length === 0; round++) {
      await writer.reached(writer.acknowledged.length + 5);
      await systemClock.sleep(Math.random() * 50);
      writer.pause();
      await systemClock.sleep(10);
      const acknowledged = [...writer.acknowledged];
      const copy = await disk.copy('copy');
      writer.resume();
      const again = await RedisServer.start(settings, copy.mounted);
      const storage = await openStorage({ records: { type: 'redis', url: again.url }, blobs }, systemClock);
      found.push(...(await damage(storage, acknowledged)));
      await storage.close();
      await again.kill();
      await copy.dispose();
    }
    await writer.kill();
    await server.kill();
    await disk.dispose();
  }
  await rm(folder, { recursive: true });
  return found;
}

test('a power failure loses nothing acknowledged on Redis with `always`', { timeout: 900_000 }, async (context) => {
  needs(context, cannotLoop, redisMissing);
  expect(await failRedisPower(rounds(20, 100), 'always')).toEqual([]);
});

test('the test finds the damage when Redis never syncs', { timeout: 300_000 }, async (context) => {
  needs(context, cannotLoop, redisMissing);
  expect(await failRedisPower(5, 'no')).not.toEqual([]);
});
