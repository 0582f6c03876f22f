import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlobStore, type Digest, openFilesystemBlobs } from '@slipway/storage/blobs';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { type EventSource, openSqliteRecords, type RecordStore } from '@slipway/storage/records';
import { type Images, type ImagesOptions, mediaTypes, openImages, parseRepositoryName, parseTag } from '../index.ts';

export const account = '123456789012';
export const actor = 'arn:aws:iam::123456789012:user/alice';

/** A registry on a real database and real files, in a folder of its own. */
export interface TestImages extends AsyncDisposable {
  readonly images: Images;
  readonly records: RecordStore & EventSource;
  readonly blobs: BlobStore;
  readonly folder: string;
  readonly clock: SettableClock;
}

/** The machine's clock, which can be put forward. */
export interface SettableClock extends Clock {
  advance(milliseconds: number): void;
}

export async function openTestImages(limits: ImagesOptions['limits'] = {}): Promise<TestImages> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-registry-'));
  let ahead = 0;
  const clock: SettableClock = {
    ...systemClock,
    now: () => Date.now() + ahead,
    advance: (milliseconds) => void (ahead += milliseconds),
  };
  const records = await openSqliteRecords({ file: join(folder, 'records.sqlite') }, clock);
  const blobs = await openFilesystemBlobs({ root: join(folder, 'blobs') }, clock);
  return {
    images: openImages({ records, blobs, clock, limits }),
    records,
    blobs,
    folder,
    clock,
    async [Symbol.asyncDispose]() {
      await blobs.close();
      await records.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const sha256 = (bytes: Uint8Array | string): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export async function* chunks(...parts: (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

/** Puts a blob into a repository and returns its descriptor. */
export async function pushBlob(
  images: Images,
  repository: string,
  bytes: Uint8Array | string,
  mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip',
) {
  const digest = sha256(bytes);
  await images.uploads.whole(account, parseRepositoryName(repository), digest, chunks(bytes));
  return { mediaType, digest, size: Buffer.byteLength(bytes) };
}

/** Pushes a small image that `seed` makes different from others. */
export async function pushImage(
  images: Images,
  repository: string,
  seed: string,
  tags: readonly string[],
  extra: object = {},
) {
  const config = await pushBlob(
    images,
    repository,
    JSON.stringify({ seed }),
    'application/vnd.oci.image.config.v1+json',
  );
  const layer = await pushBlob(images, repository, `layer of ${seed}`);
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer], ...extra }),
  );
  const put = await images.manifests.put({
    account,
    repository: parseRepositoryName(repository),
    bytes,
    tags: tags.map(parseTag),
    actor,
  });
  return {
    ...put,
    bytes,
    config,
    layer,
    descriptor: { mediaType: mediaTypes.ociManifest, digest: put.digest, size: bytes.length },
  };
}

/** Pushes an index of what was pushed before. */
export async function pushIndex(
  images: Images,
  repository: string,
  manifests: readonly object[],
  tags: readonly string[],
) {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  return images.manifests.put({
    account,
    repository: parseRepositoryName(repository),
    bytes,
    tags: tags.map(parseTag),
    actor,
  });
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
