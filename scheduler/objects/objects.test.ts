import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  AbortMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { reclaim } from './store/index.ts';
import { openObjects } from './testing/open-objects.ts';

let world: Awaited<ReturnType<typeof openObjects>>;
beforeAll(async () => {
  world = await openObjects();
  await world.s3.send(new CreateBucketCommand({ Bucket: 'shelf' }));
});
afterAll(() => world[Symbol.asyncDispose]());

const Bucket = 'shelf';
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    ({ name, Code, $metadata }) => `${$metadata?.httpStatusCode} ${Code ?? name}`,
  );
const read = async (Key: string, more: object = {}): Promise<string> =>
  (await world.s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body?.transformToString() ?? '';

test('buckets are made, found, listed and removed', async () => {
  const { s3 } = world;
  expect(await codeOf(s3.send(new HeadBucketCommand({ Bucket: 'nowhere' })))).toMatch(/^404/);
  expect(await codeOf(s3.send(new CreateBucketCommand({ Bucket: 'Up' })))).toBe('400 InvalidBucketName');
  await s3.send(new CreateBucketCommand({ Bucket: 'short-lived' }));
  await s3.send(new CreateBucketCommand({ Bucket: 'short-lived' }));
  expect(await codeOf(world.clientOf('other').send(new CreateBucketCommand({ Bucket: 'short-lived' })))).toMatch(
    /^40[39] /,
  );
  expect((await s3.send(new HeadBucketCommand({ Bucket: 'short-lived' }))).BucketRegion).toBe('us-east-1');
  expect((await s3.send(new GetBucketLocationCommand({ Bucket: 'short-lived' }))).LocationConstraint).toBeUndefined();
  const names = async () => (await s3.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name);
  expect(await names()).toEqual(['shelf', 'short-lived']);
  const page = (more: object) => s3.send(new ListBucketsCommand({ MaxBuckets: 1, Prefix: 'sh', ...more }));
  const { Buckets, ContinuationToken } = await page({});
  const rest = await page({ ContinuationToken });
  expect([Buckets, rest.Buckets].map((some) => some?.map(({ Name }) => Name))).toEqual([['shelf'], ['short-lived']]);
  expect(rest.ContinuationToken).toBeUndefined();
  await s3.send(new PutObjectCommand({ Bucket: 'short-lived', Key: 'a', Body: 'x' }));
  expect(await codeOf(s3.send(new DeleteBucketCommand({ Bucket: 'short-lived' })))).toBe('409 BucketNotEmpty');
  await s3.send(new DeleteObjectCommand({ Bucket: 'short-lived', Key: 'a' }));
  await s3.send(new DeleteBucketCommand({ Bucket: 'short-lived' }));
  expect(await names()).toEqual(['shelf']);
  expect(await codeOf(s3.send(new PutObjectCommand({ Bucket: 'short-lived', Key: 'a', Body: 'x' })))).toBe(
    '404 NoSuchBucket',
  );
});

describe('an object', () => {
  test.each([
    'a',
    'a b/ü+%25?#&=.txt',
    '../../etc/passwd',
    '//',
    '.',
    'a/../b',
    `${'ü'.repeat(512)}`,
    '\u{1F600}/x',
    "it's(!)*~",
  ])('under the key %j is what was put', async (Key) => {
    const body = randomBytes(1000).toString('hex');
    const { ETag } = await world.s3.send(
      new PutObjectCommand({
        Bucket,
        Key,
        Body: body,
        ContentType: 'text/plain',
        CacheControl: 'no-cache',
        Metadata: { colour: 'blue' },
        Tagging: 'team=a&x=%20y',
      }),
    );
    const got = await world.s3.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    expect(await got.Body?.transformToString()).toBe(body);
    expect(got).toMatchObject({
      ETag,
      ContentType: 'text/plain',
      CacheControl: 'no-cache',
      Metadata: { colour: 'blue' },
      TagCount: 2,
      ContentLength: 2000,
    });
    expect(got.ChecksumCRC32).toMatch(/=$/);
    expect((await world.s3.send(new HeadObjectCommand({ Bucket, Key }))).ETag).toBe(ETag);
    expect(
      (await world.s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key }))).Contents?.map((one) => one.Key),
    ).toContain(Key);
    await world.s3.send(new DeleteObjectCommand({ Bucket, Key }));
    expect(await codeOf(world.s3.send(new GetObjectCommand({ Bucket, Key })))).toBe('404 NoSuchKey');
  });

  test('is empty, is large, and is read in parts', async () => {
    await world.s3.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: '' }));
    expect(await read('empty')).toBe('');
    const bytes = randomBytes(3_000_000);
    await world.s3.send(new PutObjectCommand({ Bucket, Key: 'large', Body: bytes }));
    const all = await (
      await world.s3.send(new GetObjectCommand({ Bucket, Key: 'large' }))
    ).Body?.transformToByteArray();
    expect(Buffer.from(all ?? []).equals(bytes)).toBe(true);
    await world.s3.send(new PutObjectCommand({ Bucket, Key: 'digits', Body: '0123456789' }));
    expect(await read('digits', { Range: 'bytes=2-4' })).toBe('234');
    expect(await read('digits', { Range: 'bytes=-3' })).toBe('789');
    expect(await read('digits', { Range: 'bytes=8-99' })).toBe('89');
    expect(await read('digits', { Range: 'bytes=0-1,4-5' })).toBe('0123456789');
    expect(await codeOf(read('digits', { Range: 'bytes=10-' }))).toBe('416 InvalidRange');
  });

  test('is read and written on conditions', async () => {
    const { s3 } = world;
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body: '1', IfNoneMatch: '*' }));
    expect(await codeOf(s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body: '2', IfNoneMatch: '*' })))).toBe(
      '412 PreconditionFailed',
    );
    expect(await codeOf(s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body: '2', IfMatch: '"x"' })))).toBe(
      '412 PreconditionFailed',
    );
    await s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body: '1', IfMatch: ETag }));
    expect(await codeOf(read('once', { IfNoneMatch: ETag }))).toMatch(/^304/);
    expect(await codeOf(read('once', { IfMatch: '"x"' }))).toBe('412 PreconditionFailed');
    expect(await codeOf(read('once', { IfModifiedSince: new Date(Date.now() + 60_000) }))).toMatch(/^304/);
    expect(await codeOf(read('once', { IfUnmodifiedSince: new Date(0) }))).toBe('412 PreconditionFailed');
  });

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
    'has its %s held against the bytes',
    async (ChecksumAlgorithm) => {
      const { s3 } = world;
      const name = `Checksum${ChecksumAlgorithm}`;
      const known = {
        CRC32: 'y/Q5Jg==',
        CRC32C: '4waSgw==',
        CRC64NVME: 'rosUhgp5mIg=',
        SHA1: '98O8HYCOBHMq32eZZczDTKeuNEE=',
        SHA256: 'FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=',
      };
      const put = { Bucket, Key: 'sum', Body: '123456789', ChecksumAlgorithm };
      await s3.send(new PutObjectCommand({ ...put, [name]: known[ChecksumAlgorithm] }));
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'sum', ChecksumMode: 'ENABLED' }));
      expect(head).toMatchObject({ [name]: known[ChecksumAlgorithm], ChecksumType: 'FULL_OBJECT' });
      expect(
        await codeOf(s3.send(new PutObjectCommand({ ...put, Body: 'other', [name]: known[ChecksumAlgorithm] }))),
      ).toBe('400 BadDigest');
    },
  );

  test('with another MD5 than it says is not kept', async () => {
    const put = new PutObjectCommand({ Bucket, Key: 'md5', Body: 'x', ContentMD5: 'XUFAKrxLKna5cZ2REBfFkg==' });
    expect(await codeOf(world.s3.send(put))).toBe('400 BadDigest');
    expect(await codeOf(read('md5'))).toBe('404 NoSuchKey');
  });

  test('is copied with what is said of it, or with what is said anew', async () => {
    const { s3 } = world;
    await s3.send(new PutObjectCommand({ Bucket, Key: 'from ü', Body: 'text', Metadata: { a: '1' }, Tagging: 't=1' }));
    const CopySource = encodeURIComponent('shelf/from ü');
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource }));
    expect(await read('to')).toBe('text');
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'to' }))).Metadata).toEqual({ a: '1' });
    expect((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'to' }))).TagSet).toEqual([
      { Key: 't', Value: '1' },
    ]);
    await s3.send(
      new CopyObjectCommand({ Bucket, Key: 'to', CopySource, MetadataDirective: 'REPLACE', Metadata: { b: '2' } }),
    );
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'to' }))).Metadata).toEqual({ b: '2' });
    expect(await codeOf(s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource: 'shelf/to' })))).toBe(
      '400 InvalidRequest',
    );
    expect(await codeOf(s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource: 'shelf/none' })))).toBe(
      '404 NoSuchKey',
    );
    await s3.send(
      new PutObjectTaggingCommand({
        Bucket,
        Key: 'to',
        Tagging: { TagSet: [{ Key: 'k', Value: 'v&<>'.slice(0, 1) }] },
      }),
    );
    expect((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'to' }))).TagSet).toEqual([
      { Key: 'k', Value: 'v' },
    ]);
  });

  test('is removed among many, each with its own answer', async () => {
    const { s3 } = world;
    for (const Key of ['m/1', 'm/2 ü<&', 'm/3']) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
    world.refused.add('s3:DeleteObject arn:aws:s3:::shelf/m/3');
    const answer = await s3.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: ['m/1', 'm/2 ü<&', 'm/3', 'm/none'].map((Key) => ({ Key })) },
      }),
    );
    expect(answer.Deleted?.map(({ Key }) => Key)).toEqual(['m/1', 'm/2 ü<&', 'm/none']);
    expect(answer.Errors?.map(({ Key, Code }) => [Key, Code])).toEqual([['m/3', 'AccessDenied']]);
    expect((await s3.send(new ListObjectsCommand({ Bucket, Prefix: 'm/' }))).Contents?.map(({ Key }) => Key)).toEqual([
      'm/3',
    ]);
  });
});

describe('an upload in parts', () => {
  const part = randomBytes(5 * 1024 * 1024);
  const start = async (Key: string, more: object = {}) =>
    (await world.s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }))).UploadId ?? '';
  const send = async (Key: string, UploadId: string, PartNumber: number, Body: Buffer | string, more: object = {}) => {
    const { ETag, ChecksumSHA256 } = await world.s3.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ...more }),
    );
    return { PartNumber, ETag, ...(ChecksumSHA256 && { ChecksumSHA256 }) };
  };
  const complete = (Key: string, UploadId: string, Parts: object[]) =>
    world.s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));

  test('becomes an object of the parts that are wanted, once', async () => {
    const Key = 'parts/é';
    const more = { ChecksumAlgorithm: 'SHA256' };
    const id = await start(Key, { ...more, Metadata: { a: 'b' }, ContentType: 'image/png' });
    const before = await send(Key, id, 1, 'thrown away', more);
    const first = await send(Key, id, 1, part, more);
    await send(Key, id, 2, 'not wanted', more);
    const last = await send(Key, id, 7, 'the end', more);
    const listed = await world.s3.send(new ListPartsCommand({ Bucket, Key, UploadId: id, MaxParts: 2 }));
    expect([
      listed.Parts?.map(({ PartNumber }) => PartNumber),
      listed.IsTruncated,
      listed.NextPartNumberMarker,
    ]).toEqual([[1, 2], true, '2']);
    expect(await codeOf(complete(Key, id, [last, first]))).toBe('400 InvalidPartOrder');
    expect(await codeOf(complete(Key, id, [before, last]))).toBe('400 InvalidPart');
    expect(await codeOf(complete(Key, id, [first, { PartNumber: 9, ETag: '"x"' }]))).toBe('400 InvalidPart');
    const made = await complete(Key, id, [first, last]);
    expect(made.ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
    expect(made.ChecksumSHA256).toMatch(/=-2$/);
    expect((await complete(Key, id, [first, last])).ETag).toBe(made.ETag);
    const got = await world.s3.send(new GetObjectCommand({ Bucket, Key }));
    expect(got).toMatchObject({ Metadata: { a: 'b' }, ContentType: 'image/png', ContentLength: part.length + 7 });
    expect(
      Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(Buffer.concat([part, Buffer.from('the end')])),
    ).toBe(true);
    const across = Buffer.concat([part.subarray(-2), Buffer.from('the')]);
    const range = await world.s3.send(
      new GetObjectCommand({ Bucket, Key, Range: `bytes=${part.length - 2}-${part.length + 2}` }),
    );
    expect(Buffer.from((await range.Body?.transformToByteArray()) ?? []).equals(across)).toBe(true);
  });

  test('of another size than its maker expects leaves the object that is there', async () => {
    const { s3 } = world;
    await s3.send(new PutObjectCommand({ Bucket, Key: 'sized', Body: 'before' }));
    const id = await start('sized');
    const Parts = [await send('sized', id, 1, 'abc')];
    const make = (MpuObjectSize: number) =>
      codeOf(
        s3.send(
          new CompleteMultipartUploadCommand({
            Bucket,
            Key: 'sized',
            UploadId: id,
            MultipartUpload: { Parts },
            MpuObjectSize,
          }),
        ),
      );
    expect(await make(4)).toBe('400 InvalidRequest');
    expect(await read('sized')).toBe('before');
    expect(await make(3)).toBe('none');
    expect(await read('sized')).toBe('abc');
  });

  test('takes parts of other objects', async () => {
    const { s3 } = world;
    await s3.send(new PutObjectCommand({ Bucket, Key: 'source', Body: part }));
    const id = await start('copied');
    const copied = await s3.send(
      new UploadPartCopyCommand({ Bucket, Key: 'copied', UploadId: id, PartNumber: 1, CopySource: 'shelf/source' }),
    );
    const some = await s3.send(
      new UploadPartCopyCommand({
        Bucket,
        Key: 'copied',
        UploadId: id,
        PartNumber: 2,
        CopySource: 'shelf/source',
        CopySourceRange: 'bytes=0-9',
      }),
    );
    await complete('copied', id, [
      { PartNumber: 1, ETag: copied.CopyPartResult?.ETag },
      { PartNumber: 2, ETag: some.CopyPartResult?.ETag },
    ]);
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'copied' }))).ContentLength).toBe(part.length + 10);
  });

  test('is listed while it is open, and gone when it is aborted', async () => {
    const { s3 } = world;
    const id = await start('open');
    const small = await send('open', id, 1, 'a');
    const open = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
    expect(open.Uploads?.map(({ Key, UploadId }) => [Key, UploadId])).toEqual([['open', id]]);
    expect(await codeOf(complete('open', id, [small, await send('open', id, 2, 'b')]))).toBe('400 EntityTooSmall');
    expect(await codeOf(complete('another key', id, [small]))).toBe('404 NoSuchUpload');
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'open', UploadId: id }));
    expect(await codeOf(send('open', id, 3, 'c'))).toBe('404 NoSuchUpload');
    expect((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads).toBeUndefined();
  });
});

test('what is replaced, removed, aborted or refused leaves nothing behind', async () => {
  await using own = await openObjects();
  const { s3, options, clock } = own;
  const signal = new AbortController().signal;
  await s3.send(new CreateBucketCommand({ Bucket: 'bin' }));
  const put = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket: 'bin', Key, Body }));
  await put('a', '1');
  await put('a', '2');
  await put('b', '3');
  await s3.send(new DeleteObjectCommand({ Bucket: 'bin', Key: 'b' }));
  await codeOf(s3.send(new PutObjectCommand({ Bucket: 'bin', Key: 'a', Body: '4', IfNoneMatch: '*' })));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'bin', Key: 'c' }));
  const { ETag } = await s3.send(
    new UploadPartCommand({ Bucket: 'bin', Key: 'c', UploadId, PartNumber: 1, Body: 'part' }),
  );
  await s3.send(
    new CompleteMultipartUploadCommand({
      Bucket: 'bin',
      Key: 'c',
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
    }),
  );
  const { UploadId: lost } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'bin', Key: 'd' }));
  await s3.send(new UploadPartCommand({ Bucket: 'bin', Key: 'd', UploadId: lost, PartNumber: 1, Body: 'lost' }));
  await s3.send(new DeleteObjectCommand({ Bucket: 'bin', Key: 'c' }));
  // Those who began to read have an hour.
  await reclaim(options, signal);
  expect(await own.stored()).toHaveLength(5);
  clock.ahead += 3_600_000;
  await reclaim(options, signal);
  expect(await own.stored()).toHaveLength(2);
  clock.ahead += 7 * 24 * 3_600_000;
  expect(await reclaim(options, signal)).toMatchObject({ uploads: 1 });
  clock.ahead += 3_600_000;
  await reclaim(options, signal);
  expect(await own.stored()).toHaveLength(1);
  await s3.send(new DeleteObjectCommand({ Bucket: 'bin', Key: 'a' })).catch(() => undefined);
  const { records: rows } = await own.records.list('objects/bin');
  expect(rows.map(({ key }) => key.split('/')[0])).toEqual(['bucket', 'garbage']);
});

test('an object whose bytes are lost is an error without what is said of the object', async () => {
  await using own = await openObjects();
  const { s3, blobs } = own;
  await s3.send(new CreateBucketCommand({ Bucket: 'lost' }));
  await s3.send(new PutObjectCommand({ Bucket: 'lost', Key: 'a', Body: 'text', ContentEncoding: 'gzip' }));
  for await (const blob of blobs.list()) await blobs.remove(blob);
  expect(await codeOf(s3.send(new GetObjectCommand({ Bucket: 'lost', Key: 'a' })))).toBe('500 InternalError');
  expect(own.faults).toHaveLength(1);
});
