import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { needs } from '../faults/needs.ts';
import { redisMissing, RedisServer } from '../records/testing/redis-server.ts';
import { openStorage, StorageUnusable } from './index.ts';

test('a fresh folder becomes a storage, and what was committed is there after a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-storage-'));
  const config = {
    records: { type: 'sqlite', file: join(folder, 'data', 'records.db') },
    blobs: { type: 'filesystem', root: join(folder, 'data', 'blobs') },
  } as const;
  const first = await openStorage(config, systemClock);
  await first.records.commit('p', { put: [{ key: 'a', value: 1 }] });
  await first.close();
  const second = await openStorage(config, systemClock);
  expect((await second.records.get('p', 'a'))?.value).toBe(1);
  expect(await second.describe()).toMatchObject({ records: { warnings: [] }, blobs: { warnings: [] } });
  await second.close();
  await rm(folder, { recursive: true });
});

test('a place that cannot be used is refused with what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-storage-'));
  const blobs = { type: 'filesystem', root: join(folder, 'blobs') } as const;
  const file = openStorage({ records: { type: 'sqlite', file: '/dev/null/x/records.db' }, blobs }, systemClock);
  await expect(file).rejects.toThrow(StorageUnusable);
  await expect(file).rejects.toThrow('Name a folder that this user may write to.');
  const redis = openStorage({ records: { type: 'redis', url: 'redis://:secret@127.0.0.1:1' }, blobs }, systemClock);
  const refusal = (await redis.catch((error: unknown) => error)) as Error;
  expect(refusal).toBeInstanceOf(StorageUnusable);
  expect(refusal.message).not.toContain('secret');
  await rm(folder, { recursive: true });
});

test('what is unsafe about a Redis is said in plain words', async (context) => {
  needs(context, redisMissing);
  const folder = await mkdtemp(join(tmpdir(), 'slipway-storage-'));
  const server = await RedisServer.start(['--maxmemory-policy', 'allkeys-lru']);
  const records = { type: 'redis', url: server.url } as const;
  const storage = await openStorage({ records, blobs: { type: 'filesystem', root: folder } }, systemClock);
  const { warnings } = (await storage.describe()).records;
  expect(warnings.join('\n')).toMatch(
    /appendonly "no".*\n.*appendfsync "everysec".*\n.*maxmemory-policy "allkeys-lru"/,
  );
  await storage.close();
  await server.dispose();
  await rm(folder, { recursive: true });
});
