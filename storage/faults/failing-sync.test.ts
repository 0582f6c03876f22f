import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type BlobStore, BlobStoreError, openFilesystemBlobs, type SealedBlob, StagedLost } from '../blobs/index.ts';
import { bodyOf, collect, sha256 } from '../blobs/testing/contract.ts';
import { systemClock } from '../clock/index.ts';
import { openStorage } from '../engine/index.ts';
import { StoreUnavailable } from '../records/index.ts';
import { cannotLoop, LoopDisk, run } from './loop-disk.ts';
import { needs } from './needs.ts';

type Sync = 'file' | 'file data' | 'folder';

/** The system reports a write that failed to one sync only; after it, syncs of the same file succeed again. */
async function whileOneSyncFails<T>(which: Sync, work: () => Promise<T>): Promise<T> {
  const handle = await open('/dev/null');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const method = which === 'file data' ? 'datasync' : 'sync';
  const real = prototype[method];
  let failed = false;
  prototype[method] = async function (this: FileHandle) {
    if (!failed && (await this.stat()).isDirectory() === (which === 'folder')) {
      failed = true;
      throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
    }
    await real.call(this);
  };
  try {
    return await work();
  } finally {
    prototype[method] = real;
    expect(failed).toBe(true);
  }
}

async function withFiles(work: (blobs: BlobStore) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'slipway-sync-'));
  const blobs = await openFilesystemBlobs({ root, reserve: 0 }, systemClock);
  await work(blobs);
  await blobs.close();
  await rm(root, { recursive: true });
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => error,
  );

const upload = async (blobs: BlobStore, bytes: Uint8Array): Promise<SealedBlob> => {
  const { staged } = await blobs.append(await blobs.stage(), bodyOf(bytes));
  return blobs.seal(staged, sha256(bytes));
};

test('a blob whose sync fails is not sealed, also not when the client tries again and the next sync succeeds', async () => {
  await withFiles(async (blobs) => {
    const bytes = randomBytes(300_000);
    const { staged } = await blobs.append(await blobs.stage(), bodyOf(bytes));
    const refusal = await whileOneSyncFails('file', () => failure(blobs.seal(staged, sha256(bytes))));
    expect(refusal).toBeInstanceOf(BlobStoreError);
    expect(refusal).toMatchObject({ code: 'unavailable' });
    expect((refusal as Error).message).toMatch(/EIO.*send them again from the start/);
    await expect(blobs.seal(staged, sha256(bytes))).rejects.toThrow(StagedLost);
    await expect(blobs.append(staged, bodyOf(bytes))).rejects.toThrow(StagedLost);
    const sealed = await upload(blobs, bytes);
    expect(await collect((await blobs.open(sealed)).stream())).toEqual(bytes);
  });
});

test('an early sync that fails ends the upload, and what came before it is not trusted either', async () => {
  await withFiles(async (blobs) => {
    const bytes = randomBytes(20 * 1024 * 1024);
    const first = await blobs.append(await blobs.stage(), bodyOf(bytes.subarray(0, 1_000_000)));
    const rest = bytes.subarray(1_000_000);
    const refusal = await whileOneSyncFails('file data', () => failure(blobs.append(first.staged, bodyOf(rest))));
    expect(refusal).toMatchObject({ code: 'unavailable' });
    await expect(blobs.append(first.staged, bodyOf(rest))).rejects.toThrow(StagedLost);
  });
});

test('a blob whose folder cannot be synced is not acknowledged until it can', async () => {
  await withFiles(async (blobs) => {
    const bytes = randomBytes(100_000);
    // The first blob makes the folders; the second one's syncs are its own.
    const warm = await upload(blobs, bytes);
    const { staged } = await blobs.append(await blobs.stage(), bodyOf(bytes));
    const refusal = await whileOneSyncFails('folder', () => failure(blobs.seal(staged, sha256(bytes))));
    expect(refusal).toMatchObject({ code: 'unavailable' });
    const again = await whileOneSyncFails('folder', () => failure(blobs.seal(staged, sha256(bytes))));
    expect(again).toMatchObject({ code: 'unavailable' });
    const sealed = await blobs.seal(staged, sha256(bytes));
    expect(sealed.generation).not.toBe(warm.generation);
    expect(await collect((await blobs.open(sealed)).stream())).toEqual(bytes);
  });
});

test('a blob found in its place is not acknowledged either when its sync fails', async () => {
  await withFiles(async (blobs) => {
    const bytes = randomBytes(100_000);
    await upload(blobs, bytes);
    const { staged } = await blobs.append(await blobs.stage(), bodyOf(bytes));
    await whileOneSyncFails('folder', () => failure(blobs.seal(staged, sha256(bytes))));
    const refusal = await whileOneSyncFails('file', () => failure(blobs.seal(staged, sha256(bytes))));
    expect((refusal as Error).message).toMatch(/EIO.*send them again from the start/);
    await expect(blobs.seal(staged, sha256(bytes))).rejects.toThrow(StagedLost);
  });
});

const openOn = (folder: string) =>
  openStorage(
    {
      records: { type: 'sqlite', file: join(folder, 'records.db') },
      blobs: { type: 'filesystem', root: join(folder, 'blobs'), reserve: 0 },
    },
    systemClock,
  );

/**
 * A disk whose writes really fail: an image file on a memory file system that is filled up. The file system in the image believes
 * that it has room, so calls of write succeed and the fsync after them does not.
 */
test('a commit whose fsync fails is refused, no further one is taken on that disk, and nothing acknowledged is lost', async (context) => {
  needs(context, cannotLoop);
  const folder = await mkdtemp(join(tmpdir(), 'slipway-sync-'));
  run('mount', '-t', 'tmpfs', '-o', 'size=56m', 'slipway-test', folder);
  const disk = new LoopDisk(folder, 'disk');
  await disk.makeThin(48);
  let storage = await openOn(disk.mounted);
  const acknowledged: string[] = [];
  const blobs: SealedBlob[] = [];
  const text = 'x'.repeat(60_000);
  const commit = async (key: string): Promise<void> => {
    await storage.records.commit('p', { put: [{ key, value: text + key }] });
    acknowledged.push(key);
  };
  for (let n = 0; n < 20; n++) await commit(`before${n}`);
  const bytes = randomBytes(500_000);
  blobs.push(await upload(storage.blobs, bytes));

  const filler = join(folder, 'filler');
  await failure(writeFile(filler, Buffer.alloc(64 * 1024 * 1024)));
  // Such a disk lies once: it acknowledges a first sync that a plain append loses too. So these commits are not counted.
  let refusal: unknown;
  for (let n = 0; !(refusal instanceof Error) && n < 500; n++) {
    refusal = await failure(storage.records.commit('p', { put: [{ key: `during${n}`, value: text }] }));
  }
  expect(refusal).toBeInstanceOf(StoreUnavailable);
  expect(refusal).toMatchObject({ outcome: 'unknown' });
  expect((refusal as Error).message).toMatch(/failed to sync .*disk I\/O error.*mount its file system again/);
  const { staged } = await storage.blobs.append(await storage.blobs.stage(), bodyOf(bytes));
  const unsealed = await failure(storage.blobs.seal(staged, sha256(bytes)));
  expect(unsealed).toMatchObject({ code: 'unavailable' });

  await rm(filler);
  await expect(storage.blobs.seal(staged, sha256(bytes))).rejects.toThrow(StagedLost);
  // The disk has room again, and still holds less than the system believes.
  const fenced = await failure(commit('fenced'));
  expect(fenced).toBeInstanceOf(StoreUnavailable);
  expect(fenced).toMatchObject({ outcome: 'not-committed' });
  expect((await storage.records.get<string>('p', 'before0'))?.value).toHaveLength(text.length + 7);
  blobs.push(await upload(storage.blobs, bytes));
  await storage.close();
  // What the disk really has, not what memory remembers of it.
  disk.unmount();
  await disk.mount();
  storage = await openOn(disk.mounted);
  for (let n = 0; n < 20; n++) await commit(`after${n}`);
  const rows = await storage.records.getMany<string>('p', acknowledged);
  expect(acknowledged.filter((key) => rows.get(key)?.value !== text + key)).toEqual([]);
  for (const blob of blobs)
    expect(sha256(await collect((await storage.blobs.open(blob)).stream()))).toBe(sha256(bytes));
  await storage.close();
  await disk.dispose();
  run('umount', folder);
  await rm(folder, { recursive: true });
});

test('a file system that turns read-only under a running server refuses writes clearly and still serves reads', async (context) => {
  needs(context, cannotLoop);
  const folder = await mkdtemp(join(tmpdir(), 'slipway-sync-'));
  const disk = new LoopDisk(folder, 'disk');
  await disk.make(96);
  let storage = await openOn(disk.mounted);
  const bytes = randomBytes(200_000);
  await storage.records.commit('p', { put: [{ key: 'a', value: 1 }] });
  const sealed = await upload(storage.blobs, bytes);
  // What the system does by itself when it finds the file system damaged; a mount with open files cannot be turned by hand.
  const device = run('findmnt', '-n', '-o', 'SOURCE', disk.mounted).trim().replace('/dev/', '');
  await writeFile(`/sys/fs/ext4/${device}/trigger_fs_error`, 'a test of storage');

  for (let n = 0; n < 3; n++) {
    const refusal = await failure(storage.records.commit('p', { put: [{ key: `b${n}`, value: 1 }] }));
    expect(refusal).toBeInstanceOf(StoreUnavailable);
    expect((refusal as Error).message).toMatch(/readonly|read-only|I\/O error/i);
    const unwritten = await failure(upload(storage.blobs, bytes));
    expect(unwritten).toMatchObject({ code: 'unavailable' });
    expect((unwritten as Error).message).toMatch(/read-only|i\/o error/i);
  }
  expect((await storage.records.get('p', 'a'))?.value).toBe(1);
  expect(sha256(await collect((await storage.blobs.open(sealed)).stream()))).toBe(sha256(bytes));
  await failure(storage.close());
  disk.unmount();
  await disk.mount();
  storage = await openOn(disk.mounted);
  expect((await storage.records.get('p', 'a'))?.value).toBe(1);
  expect(sha256(await collect((await storage.blobs.open(sealed)).stream()))).toBe(sha256(bytes));
  await storage.records.commit('p', { put: [{ key: 'c', value: 1 }] });
  await upload(storage.blobs, bytes);
  await storage.close();
  await disk.dispose();
  await rm(folder, { recursive: true });
});
