import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { openStorage, type StorageConfig } from '../engine/index.ts';
import { hasRedis, RedisServer } from '../records/testing/redis-server.ts';
import { damage, halves, rounds, Writer } from './harness.ts';

/**
 * A power failure, as far as it can be had without cutting the power: the server works on a file system in an image file. At a random
 * moment the image is copied: what the copy holds is what had reached the disk. The copy is mounted, which replays its journal
 * as a machine does that comes up again, and looked through.
 */
const run = (command: string, ...parameters: string[]): string =>
  execFileSync(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    run('losetup', '--find');
    return true;
  } catch {
    return false;
  }
}

// Only the superuser of a machine with loop devices can mount images; elsewhere, CI included, there is nothing to run on.
const mountable = canMount();

class Disk {
  readonly folder: string;
  readonly image: string;
  readonly mounted: string;

  constructor(folder: string, name: string) {
    this.folder = folder;
    this.image = join(folder, `${name}.img`);
    this.mounted = join(folder, name);
  }

  async make(megabytes: number): Promise<void> {
    run('truncate', '-s', `${megabytes}M`, this.image);
    run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', this.image);
    await this.mount();
  }

  async mount(): Promise<void> {
    await mkdir(this.mounted, { recursive: true });
    // Long intervals: nothing reaches the disk but what is synced.
    run('mount', '-o', 'loop,commit=600', this.image, this.mounted);
  }

  /** The disk as it would be found after a power failure at this moment. */
  async copy(name: string): Promise<Disk> {
    const copy = new Disk(this.folder, name);
    run('cp', '--sparse=always', this.image, copy.image);
    await copy.mount();
    return copy;
  }

  async dispose(): Promise<void> {
    run('umount', this.mounted);
    await rm(this.image);
  }
}

const localConfig = (folder: string): StorageConfig => ({
  records: { type: 'sqlite', file: join(folder, 'records.db') },
  blobs: { type: 'filesystem', root: join(folder, 'blobs'), reserve: 0 },
});

/** Fails the power so many times and returns all damage found. */
async function failPower(times: number, options: { readonly sync: boolean }): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-power-'));
  const found: string[] = [];
  let writer: Writer | undefined;
  let disk: Disk | undefined;
  for (let round = 0; round < times; round++) {
    if (disk === undefined || writer === undefined || round % 10 === 0) {
      // A new disk now and then: a small one fills up, and the first moments are worth a look too.
      await writer?.kill();
      await disk?.dispose();
      disk = new Disk(folder, `disk${round}`);
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

test.skipIf(!mountable)(
  'a power failure loses nothing acknowledged on sqlite and files',
  { timeout: 1_800_000 },
  async () => {
    expect(await failPower(rounds(50, 300, 1000), { sync: true })).toEqual([]);
  },
);

test.skipIf(!mountable)('the test finds the damage when nothing is synced', { timeout: 300_000 }, async () => {
  expect(await failPower(10, { sync: false })).not.toEqual([]);
});

async function failRedisPower(times: number, fsync: 'always' | 'no'): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-power-'));
  const disk = new Disk(folder, 'disk');
  await disk.make(256);
  const settings = ['--appendonly', 'yes', '--appendfsync', fsync];
  const server = await RedisServer.start(settings, join(disk.mounted));
  const blobs = { type: 'filesystem', root: join(folder, 'blobs') } as const;
  const writer = new Writer({ records: { type: 'redis', url: server.url }, blobs }, 'p');
  const found: string[] = [];
  for (let round = 0; round < times && found.length === 0; round++) {
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
  await rm(folder, { recursive: true });
  return found;
}

test.skipIf(!mountable || !hasRedis)(
  'a power failure loses nothing acknowledged on Redis with `always`',
  { timeout: 900_000 },
  async () => {
    expect(await failRedisPower(rounds(20, 100), 'always')).toEqual([]);
  },
);

test.skipIf(!mountable || !hasRedis)(
  'the test finds the damage when Redis never syncs',
  { timeout: 300_000 },
  async () => {
    expect(await failRedisPower(5, 'no')).not.toEqual([]);
  },
);
