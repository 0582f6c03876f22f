import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { BlobStoreError, openFilesystemBlobs } from './index.ts';
import { bodyOf, describeBlobStore, sha256 } from './testing/contract.ts';

describeBlobStore('filesystem', async () => {
  const root = await mkdtemp(join(tmpdir(), 'slipway-blobs-'));
  const open = () => openFilesystemBlobs({ root }, systemClock);
  return { store: await open(), another: open, dispose: () => rm(root, { recursive: true }) };
});

test('an upload leaves nothing in the staging folder once it is sealed, and its file is private', async () => {
  const root = await mkdtemp(join(tmpdir(), 'slipway-blobs-'));
  const store = await openFilesystemBlobs({ root }, systemClock);
  const bytes = randomBytes(10);
  const { staged } = await store.append(await store.stage(), bodyOf(bytes));
  const [name] = await readdir(join(root, 'staging'));
  expect((await stat(join(root, 'staging', name!))).mode & 0o777).toBe(0o600);
  await store.seal(staged, sha256(bytes));
  expect(await readdir(join(root, 'staging'))).toEqual([]);
  await rm(root, { recursive: true });
});

test('uploads are refused while less than the reserve is free', async () => {
  const root = await mkdtemp(join(tmpdir(), 'slipway-blobs-'));
  const store = await openFilesystemBlobs({ root, reserve: Number.MAX_SAFE_INTEGER }, systemClock);
  const refused = store.append(await store.stage(), bodyOf(Buffer.from('x')));
  await expect(refused).rejects.toThrow(BlobStoreError);
  await expect(refused).rejects.toMatchObject({ code: 'full' });
  await rm(root, { recursive: true });
});

test('a hundred uploads under a small ceiling of buffers all come to their end', async () => {
  const root = await mkdtemp(join(tmpdir(), 'slipway-blobs-'));
  const store = await openFilesystemBlobs({ root, bufferCeiling: 256 * 1024 }, systemClock);
  const bytes = randomBytes(300_000);
  const sealed = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const { staged } = await store.append(await store.stage(), bodyOf(bytes));
      return store.seal(staged, sha256(bytes));
    }),
  );
  expect(new Set(sealed.map(({ generation }) => generation)).size).toBe(100);
  await rm(root, { recursive: true });
});

test('a newer request for an upload stops an older one that hangs', async () => {
  const root = await mkdtemp(join(tmpdir(), 'slipway-blobs-'));
  const store = await openFilesystemBlobs({ root }, systemClock);
  const staged = await store.stage();
  async function* stuck(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('old');
    await new Promise(() => {});
  }
  const first = (await store.append(staged, bodyOf(Buffer.from('head')))).staged;
  const hanging = store.append(first, stuck());
  const newer = await store.append(first, bodyOf(Buffer.from(' and tail')));
  expect((await hanging).cut).toBeInstanceOf(Error);
  const sealed = await store.seal(newer.staged, sha256(Buffer.from('head and tail')));
  expect(sealed.size).toBe(13);
  await rm(root, { recursive: true });
});

test('bytes that another process wrote are taken as they lie when nobody writes to them, and copied otherwise', async () => {
  const root = await mkdtemp(join(tmpdir(), 'slipway-blobs-'));
  const [one, other] = [
    await openFilesystemBlobs({ root }, systemClock),
    await openFilesystemBlobs({ root }, systemClock),
  ];
  const bytes = randomBytes(100_000);
  const inodes = async (quiet: boolean): Promise<readonly number[]> => {
    const { staged } = await one.append(await one.stage(), bodyOf(bytes));
    const [name] = await readdir(join(root, 'staging'));
    const { ino } = await stat(join(root, 'staging', name!));
    const sealed = await other.seal(staged, sha256(bytes), { quiet });
    const hex = sealed.digest.slice(7);
    return [ino, (await stat(join(root, 'blobs', 'sha256', hex.slice(0, 2), `${hex}.${sealed.generation}`))).ino];
  };
  const [written, sealed] = await inodes(true);
  expect(sealed).toBe(written);
  const [left, copied] = await inodes(false);
  expect(copied).not.toBe(left);
  expect(await readdir(join(root, 'staging'))).toEqual([]);
  await Promise.all([one.close(), other.close()]);
  await rm(root, { recursive: true });
});
