import { randomBytes } from 'node:crypto';
import { smallestChunk } from './chunks.ts';
import { blobPath, deleteBlob, getBlob, headBlob } from './content.ts';
import { type Algorithm, digestOf } from './digest.ts';
import { mount, mountMissing } from './mounts.ts';
import { checkRanges } from './ranges.ts';
import type { Result } from './results.ts';
import type { Suite } from './suite.ts';
import { begin, type BlobPush, minimumChunk } from './upload.ts';
import { chunkedWay, pushAny, pushBy, type Way, ways } from './ways.ts';

/** How a case brings its blob into the repository; true when it is there and can be looked at. */
type Bring = (suite: Suite, group: Result, blob: BlobPush) => Promise<boolean>;

const by =
  (way: Way): Bring =>
  (suite, group, blob) =>
    pushBy(suite, group, way, blob);

interface BlobCase {
  readonly name: string;
  readonly bring: Bring;
  /** The blob is long enough for three chunks; otherwise it is half a kilobyte. */
  readonly long?: boolean;
  /** The blob comes from the second repository, where it has to be tidied up as well. */
  readonly fromSecond?: boolean;
}

const cases: readonly BlobCase[] = [
  { name: 'post only', bring: by(ways.postOnly) },
  { name: 'post+put', bring: by(ways.postPut) },
  { name: 'chunked single', bring: by(ways.chunked) },
  { name: 'stream', bring: by(ways.stream) },
  {
    name: 'mount',
    fromSecond: true,
    bring: async (suite, group, blob) => {
      const [, second] = suite.settings.repositories;
      await pushAny(suite, group, { ...blob, repository: second });
      return suite.run(group, 'blob-mount', {
        rows: ['Blob mount'],
        check: (check) => mount(suite, check, blob, second),
      });
    },
  },
  {
    name: 'mount anonymous',
    fromSecond: true,
    bring: async (suite, group, blob) => {
      await pushAny(suite, group, { ...blob, repository: suite.settings.repositories[1] });
      return suite.run(group, 'blob-mount-anonymous', {
        rows: ['Blob anonymous mount'],
        check: (check) => mount(suite, check, blob),
      });
    },
  },
  {
    name: 'mount missing',
    bring: (suite, group, blob) =>
      suite.run(group, 'blob-mount', {
        rows: ['Blob mount'],
        check: (check) => mountMissing(suite, check, blob, suite.settings.repositories[1]),
      }),
  },
  { name: 'post cancel', bring: cancelUpload },
  { name: 'chunked multi', long: true, bring: by(ways.chunked) },
  { name: 'chunked multi and put chunk', long: true, bring: by(chunkedWay({ putLast: true })) },
  { name: 'chunked out-of-order', long: true, bring: by(chunkedWay({ outOfOrder: true })) },
  {
    name: 'chunked out-of-order and put chunk',
    long: true,
    bring: by(chunkedWay({ putLast: true, outOfOrder: true })),
  },
];

/** Each way with bytes that do not belong to the digest. */
const refusals: Readonly<Record<string, Way>> = {
  'bad digest post only': ways.postOnly,
  'bad digest post+put': ways.postPut,
  'bad digest chunked': ways.chunked,
  'bad digest chunked and put chunk': chunkedWay({ putLast: true }),
  'bad digest stream': ways.stream,
};

/** Everything about blobs under one digest algorithm: every way to push, mounts, ranges, deletion, and what must be refused. */
export async function checkBlobs(suite: Suite, group: Result, algorithm: Algorithm): Promise<void> {
  const [repository] = suite.settings.repositories;
  const blobOf = (bytes: Buffer): BlobPush => ({ repository, bytes, digest: digestOf(bytes, algorithm) });
  const missing = blobOf(randomBytes(512));
  await suite.run(group, 'get-missing', {
    rows: ['Blob get'],
    check: async (check) => check.status(await suite.ask('GET', blobPath(repository, missing.digest)), 404),
  });
  // Three chunks of which the last is shorter.
  const length = Math.max(smallestChunk, await minimumChunk(suite, repository)) * 3 - 5;
  for (const { name, bring, long, fromSecond } of cases) {
    const part = group.child(name);
    const blob = blobOf(randomBytes(long ? length : 512));
    const there = await bring(suite, part, blob);
    if (there && bring !== cancelUpload) await lookAtBlob(suite, part, blob);
    await deleteBlob(suite, part, repository, blob.digest);
    if (fromSecond) await deleteBlob(suite, part, suite.settings.repositories[1], blob.digest);
  }
  await checkRanges(suite, group.child('range requests'), blobOf(randomBytes(2048)));
  for (const [name, bytes] of [
    ['empty', Buffer.alloc(0)],
    ['emptyJSON', Buffer.from('{}')],
  ] as const) {
    const part = group.child(name);
    const blob = blobOf(bytes);
    await pushAny(suite, part, blob);
    await lookAtBlob(suite, part, blob);
    await deleteBlob(suite, part, repository, blob.digest);
  }
  for (const [name, way] of Object.entries(refusals)) {
    const { digest, bytes } = blobOf(randomBytes(length));
    const spoiled = Buffer.concat([bytes, Buffer.from('!')]);
    await pushBy(suite, group.child(name), way, { repository, digest, bytes: spoiled, refused: true });
  }
}

async function lookAtBlob(suite: Suite, group: Result, { repository, digest, bytes }: BlobPush): Promise<void> {
  await headBlob(suite, group, repository, digest, bytes);
  await getBlob(suite, group, repository, digest, bytes);
}

async function cancelUpload(suite: Suite, group: Result, { repository }: BlobPush): Promise<boolean> {
  return suite.run(group, 'blob-post-cancel', {
    rows: ['Blob upload cancel'],
    check: async (check) => {
      const upload = await begin(suite, check, repository);
      if (upload) check.status(await suite.ask('DELETE', upload.at), 204);
    },
  });
}
