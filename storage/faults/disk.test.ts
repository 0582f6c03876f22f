import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BlobStoreError } from '../blobs/index.ts';
import { bodyOf, collect, sha256 } from '../blobs/testing/contract.ts';
import { systemClock } from '../clock/index.ts';
import { openStorage } from '../engine/index.ts';
import { StoreUnavailable } from '../records/index.ts';
import { cannotMount, run } from './loop-disk.ts';
import { needs } from './needs.ts';

/** A file system of its own that can be filled and made read-only. */
async function smallDisk(
  megabytes: number,
): Promise<{ readonly folder: string; readonly dispose: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-disk-'));
  run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'slipway-test', folder);
  return {
    folder,
    dispose: async () => {
      run('umount', folder);
      await rm(folder, { recursive: true });
    },
  };
}

const open = (folder: string) =>
  openStorage(
    {
      records: { type: 'sqlite', file: join(folder, 'records.db') },
      blobs: { type: 'filesystem', root: join(folder, 'blobs'), reserve: 0 },
    },
    systemClock,
  );

test('a full disk fails the upload with its own error, keeps what was stored, and is over when there is room', async (context) => {
  needs(context, cannotMount);
  const disk = await smallDisk(24);
  const storage = await open(disk.folder);
  const bytes = randomBytes(4 * 1024 * 1024);
  const { staged } = await storage.blobs.append(await storage.blobs.stage(), bodyOf(bytes));
  const kept = await storage.blobs.seal(staged, sha256(bytes));
  const large = await storage.blobs.stage();
  const refusal = await storage.blobs
    .append(large, bodyOf(randomBytes(40 * 1024 * 1024)))
    .catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(BlobStoreError);
  expect(refusal).toMatchObject({ code: 'full' });
  expect(sha256(await collect((await storage.blobs.open(kept)).stream()))).toBe(sha256(bytes));
  // What the failed upload left is swept, and the same client may try again.
  await systemClock.sleep(20);
  expect(await storage.blobs.sweepStaged(1, async () => false)).toBe(1);
  const again = await storage.blobs.append(large, bodyOf(bytes));
  expect((await storage.blobs.seal(again.staged, sha256(bytes))).size).toBe(bytes.byteLength);
  await storage.close();
  await disk.dispose();
});

test('a full disk fails commits with nothing half-written, and they succeed when there is room', async (context) => {
  needs(context, cannotMount);
  const disk = await smallDisk(8);
  const storage = await open(disk.folder);
  await storage.records.commit('p', { put: [{ key: 'first', value: 1 }] });
  const filler = join(disk.folder, 'filler');
  await writeFile(filler, Buffer.alloc(6 * 1024 * 1024));
  let refusal: unknown;
  let committed = 0;
  for (let n = 0; refusal === undefined && n < 200; n++) {
    const value = 'x'.repeat(60_000);
    const commit = storage.records.commit('p', {
      put: [
        { key: `a${n}`, value },
        { key: `b${n}`, value },
      ],
    });
    refusal = await commit.then(
      () => void committed++,
      (error: unknown) => error,
    );
  }
  expect(refusal).toBeInstanceOf(StoreUnavailable);
  expect(refusal).toMatchObject({ outcome: 'not-committed' });
  expect((await storage.records.list('p')).records).toHaveLength(1 + 2 * committed);
  await rm(filler);
  await storage.records.commit('p', { put: [{ key: 'last', value: 1 }] });
  expect((await storage.records.get('p', 'last'))?.value).toBe(1);
  await storage.close();
  await disk.dispose();
});

test('a file system that turns read-only fails writes, still serves reads, and is over when it is writable', async (context) => {
  needs(context, cannotMount);
  const disk = await smallDisk(32);
  const storage = await open(disk.folder);
  await storage.records.commit('p', { put: [{ key: 'a', value: 1 }] });
  const bytes = randomBytes(100_000);
  const { staged } = await storage.blobs.append(await storage.blobs.stage(), bodyOf(bytes));
  const sealed = await storage.blobs.seal(staged, sha256(bytes));
  await storage.close();
  run('mount', '-o', 'remount,ro', disk.folder);
  await expect(open(disk.folder)).rejects.toThrow('Name a folder that this user may write to.');
  run('mount', '-o', 'remount,rw', disk.folder);
  const again = await open(disk.folder);
  expect((await again.records.get('p', 'a'))?.value).toBe(1);
  expect(sha256(await collect((await again.blobs.open(sealed)).stream()))).toBe(sha256(bytes));
  await again.close();
  await disk.dispose();
});

test('a file whose folder disappears under a running server fails the upload and is not taken for success', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-disk-'));
  const storage = await open(folder);
  const bytes = randomBytes(50_000);
  const { staged } = await storage.blobs.append(await storage.blobs.stage(), bodyOf(bytes));
  await rm(join(folder, 'blobs'), { recursive: true });
  await expect(storage.blobs.seal(staged, sha256(bytes))).rejects.toThrow('gone');
  await storage.close();
  await rm(folder, { recursive: true });
});
