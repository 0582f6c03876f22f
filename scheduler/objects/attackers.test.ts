import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectsCommand,
  DeletePublicAccessBlockCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Documents } from './scene.ts';
import { chunked, signed } from './testing/chunked.ts';
import { account, keys, openObjects } from './testing/open-objects.ts';
import { readXml } from './xml.ts';

let world: Awaited<ReturnType<typeof openObjects>>;
beforeAll(async () => {
  world = await openObjects();
  await world.s3.send(new CreateBucketCommand({ Bucket: 'shelf' }));
});
afterAll(() => world[Symbol.asyncDispose]());

const Bucket = 'shelf';
const nameOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    ({ name, Code }) => Code ?? name,
  );

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Buffer;
  readonly payload?: string;
  readonly headers?: Record<string, string>;
}

/** What is answered to a request as it is written; the code of an error. */
async function send({ body, ...asked }: Sent): Promise<{ readonly status: number; readonly code: string }> {
  const answer = await fetch(world.url + asked.path, {
    method: asked.method,
    headers: signed(world.url, keys.admin, asked),
    ...(body === undefined ? {} : { body }),
  });
  return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(await answer.text())?.[1] ?? '' };
}

describe('strangers', () => {
  test('get nothing, whatever a policy says of everybody', async () => {
    const { s3, url } = world;
    await s3.send(new PutObjectCommand({ Bucket, Key: 'open', Body: 'x' }));
    await s3.send(new DeletePublicAccessBlockCommand({ Bucket }));
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::shelf/*' }],
    });
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy);
    for (const path of ['/shelf/open', '/shelf', '/shelf?policy', '/nowhere/x']) {
      const answer = await fetch(url + path);
      expect([path, answer.status, /<Code>(\w+)/.exec(await answer.text())?.[1]]).toEqual([path, 403, 'AccessDenied']);
    }
    // Somebody of another account may what the policy and their own say.
    expect(await nameOf(world.clientOf('other').send(new GetObjectCommand({ Bucket, Key: 'open' })))).toBe('none');
    expect(await nameOf(world.clientOf('other').send(new ListObjectsV2Command({ Bucket })))).toBe('AccessDenied');
    expect(await nameOf(world.clientOf('nobody').send(new PutObjectCommand({ Bucket, Key: 'a', Body: '' })))).toBe(
      'AccessDenied',
    );
    // And not while the bucket is kept from the public.
    const kept = {
      BlockPublicAcls: false,
      IgnorePublicAcls: false,
      BlockPublicPolicy: true,
      RestrictPublicBuckets: true,
    };
    await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: kept }));
    expect((await s3.send(new GetPublicAccessBlockCommand({ Bucket }))).PublicAccessBlockConfiguration).toEqual(kept);
    expect(await nameOf(world.clientOf('other').send(new GetObjectCommand({ Bucket, Key: 'open' })))).toBe(
      'AccessDenied',
    );
    expect(await nameOf(s3.send(new PutBucketPolicyCommand({ Bucket, Policy })))).toBe('AccessDenied');
    expect(
      await nameOf(s3.send(new PutBucketPolicyCommand({ Bucket, Policy: Policy.replace('shelf/', 'other/') }))),
    ).toBe('MalformedPolicy');
  });

  test('learn not whether a key is there', async () => {
    world.refused.add('s3:ListBucket arn:aws:s3:::shelf');
    expect(await nameOf(world.s3.send(new GetObjectCommand({ Bucket, Key: 'not there' })))).toBe('AccessDenied');
    world.refused.clear();
    expect(await nameOf(world.s3.send(new GetObjectCommand({ Bucket, Key: 'not there' })))).toBe('NoSuchKey');
  });

  test('with a wrong key or a wrong signature are told in the words of S3', async () => {
    const wrong = { accessKeyId: 'AKIAADMIN', secretAccessKey: 'wrong' };
    expect(
      await nameOf(world.clientOf('admin', { credentials: wrong }).send(new ListObjectsV2Command({ Bucket }))),
    ).toBe('SignatureDoesNotMatch');
    const unknown = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'wrong' };
    expect(
      await nameOf(world.clientOf('admin', { credentials: unknown }).send(new ListObjectsV2Command({ Bucket }))),
    ).toBe('InvalidAccessKeyId');
    await expect
      .poll(() => world.audited.map(({ detail }) => detail), { timeout: 60_000 })
      .toEqual(
        expect.arrayContaining([
          'the signature differs (access key AKIAADMIN)',
          expect.stringContaining('(access key AKIAUNKNOWN)'),
        ]),
      );
  });
});

describe('the policy of a bucket', () => {
  const actions = (client: S3Client, Policy: string) => [
    () => client.send(new PutBucketPolicyCommand({ Bucket: 'own', Policy })),
    () => client.send(new GetBucketPolicyCommand({ Bucket: 'own' })),
    () => client.send(new DeleteBucketPolicyCommand({ Bucket: 'own' })),
  ];
  const named = async (client: S3Client, Policy: string): Promise<readonly string[]> => {
    const names: string[] = [];
    for (const action of actions(client, Policy)) names.push(await nameOf(action()));
    return names;
  };
  const policy = (statement: object): string =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Resource: 'arn:aws:s3:::own', ...statement }] });

  test('is the matter of its account, whatever it gives to others, and never shuts out the root user of that', async () => {
    const { s3 } = world;
    await s3.send(new CreateBucketCommand({ Bucket: 'own' }));
    const toOther = policy({ Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::111111111111:root' }, Action: 's3:*' });
    await s3.send(new PutBucketPolicyCommand({ Bucket: 'own', Policy: toOther }));
    const other = world.clientOf('other');
    await s3.send(new PutObjectCommand({ Bucket: 'own', Key: 'k', Body: 'x' }));
    const owners = [
      (await other.send(new ListObjectsV2Command({ Bucket: 'own', FetchOwner: true }))).Contents,
      (await other.send(new ListObjectsCommand({ Bucket: 'own' }))).Contents,
      (await other.send(new ListObjectVersionsCommand({ Bucket: 'own' }))).Versions,
    ].map((listed) => listed?.[0]?.Owner?.DisplayName);
    // Whoever asks.
    expect(owners).toEqual([account, account, account]);
    expect(await named(other, toOther)).toEqual(Array.from({ length: 3 }, () => 'MethodNotAllowed'));
    const toNobody = policy({ Effect: 'Deny', Principal: '*', Action: 's3:*' });
    await s3.send(new PutBucketPolicyCommand({ Bucket: 'own', Policy: toNobody }));
    expect(await named(s3, toNobody)).toEqual(Array.from({ length: 3 }, () => 'AccessDenied'));
    expect(await named(world.clientOf('root'), toNobody)).toEqual(['none', 'none', 'none']);
    expect(await nameOf(s3.send(new GetBucketPolicyCommand({ Bucket: 'own' })))).toBe('NoSuchBucketPolicy');
  });
});

test('a copy is refused when one of the buckets is not of whom its caller expects', async () => {
  await world.s3.send(new PutObjectCommand({ Bucket, Key: 'from', Body: 'x' }));
  const copy = (owner: string, ofSource: string) =>
    nameOf(
      world.s3.send(
        new CopyObjectCommand({
          Bucket,
          Key: 'to',
          CopySource: 'shelf/from',
          ExpectedBucketOwner: owner,
          ExpectedSourceBucketOwner: ofSource,
        }),
      ),
    );
  expect(await copy(account, account)).toBe('none');
  expect(await copy(account, '111111111111')).toBe('AccessDenied');
  expect(await copy('111111111111', account)).toBe('AccessDenied');
});

test('who sends a body and may not reads so, and not that the connection is gone', async () => {
  const put = new PutObjectCommand({ Bucket, Key: 'large', Body: Buffer.alloc(8 * 1024 * 1024) });
  expect(await nameOf(world.clientOf('nobody').send(put))).toBe('AccessDenied');
});

test('lists are asked for with their prefix', async () => {
  const some = { Bucket, Prefix: 'team/', Delimiter: '/', MaxKeys: 7 };
  const context = { 's3:prefix': 'team/', 's3:delimiter': '/', 's3:max-keys': '7' };
  await world.s3.send(new ListObjectsV2Command(some));
  expect(world.asked.at(-1)).toMatchObject({ action: 's3:ListBucket', context });
  await world.s3.send(new ListObjectVersionsCommand(some));
  expect(world.asked.at(-1)).toMatchObject({ action: 's3:ListBucketVersions', context });
});

test('tags take the right to tag: those of a new bucket, and those that a copy brings along', async () => {
  const { s3, refused } = world;
  const create = (Name: string, Key: string) =>
    nameOf(
      s3.send(new CreateBucketCommand({ Bucket: Name, CreateBucketConfiguration: { Tags: [{ Key, Value: 'a' }] } })),
    );
  refused.add('s3:TagResource arn:aws:s3:::not-tagged');
  refused.add('s3:PutObjectTagging arn:aws:s3:::shelf/without');
  expect(await create('not-tagged', 'team')).toBe('AccessDenied');
  expect(await create('aws-tagged', 'aws:team')).toBe('InvalidTag');
  expect(await create('tagged', 'team')).toBe('none');
  expect((await s3.send(new GetBucketTaggingCommand({ Bucket: 'tagged' }))).TagSet).toEqual([
    { Key: 'team', Value: 'a' },
  ]);
  await s3.send(new PutObjectCommand({ Bucket, Key: 'with', Body: 'x', Tagging: 'team=a' }));
  const copy = (Key: string, more: object = {}) =>
    nameOf(s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: 'shelf/with', ...more })));
  expect(await copy('without')).toBe('NotImplemented');
  expect(await copy('without', { TaggingDirective: 'REPLACE' })).toBe('none');
  expect(await copy('with too')).toBe('none');
  refused.clear();
});

test('the audit line of DeleteObjects says which keys were removed and which were refused, up to a number', async () => {
  await using own = await openObjects();
  await own.s3.send(new CreateBucketCommand({ Bucket: 'many' }));
  own.refused.add('s3:DeleteObject arn:aws:s3:::many/kept');
  const keys = ['kept', ...Array.from({ length: 30 }, (_, index) => `k${index}`)];
  const Delete = { Objects: keys.map((Key) => ({ Key })) };
  await own.s3.send(new DeleteObjectsCommand({ Bucket: 'many', Delete }));
  await expect
    .poll(() => own.audited.find(({ operation }) => operation.includes('DeleteObjects'))?.decisions, {
      timeout: 60_000,
    })
    .toEqual([
      expect.objectContaining({
        action: 's3:DeleteObject',
        resources: ['arn:aws:s3:::many/kept'],
        allowed: false,
      }),
      expect.objectContaining({
        action: 's3:DeleteObject',
        resources: Array.from({ length: 20 }, (_, index) => `arn:aws:s3:::many/k${index}`),
        resourcesLeftOut: 10,
        allowed: true,
      }),
    ]);
});

test('a bucket is read once for a request, however often it is asked who may what, and for strangers never', async () => {
  await using own = await openObjects();
  const { s3, records, url } = own;
  for (const name of ['few', 'some']) await s3.send(new CreateBucketCommand({ Bucket: name }));
  for (const Key of ['a', 'b']) await s3.send(new PutObjectCommand({ Bucket: 'few', Key, Body: 'x' }));
  const reads: string[] = [];
  const get = records.get.bind(records);
  records.get = ((partition: string, key: string) => {
    if (partition.startsWith('objects/')) reads.push(`${partition} ${key}`);
    return get(partition, key);
  }) as typeof records.get;
  const readsOf = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
    reads.length = 0;
    await work().catch(() => undefined);
    return [...reads];
  };
  const bucket = 'objects/few bucket';
  const object = (key: string): string => `objects/few object/${key}`;
  expect(await readsOf(() => s3.send(new GetObjectCommand({ Bucket: 'few', Key: 'a' })))).toEqual([
    bucket,
    object('a'),
  ]);
  expect(await readsOf(() => s3.send(new GetObjectCommand({ Bucket: 'few', Key: 'none' })))).toEqual([
    bucket,
    object('none'),
  ]);
  const Delete = { Objects: ['a', 'b'].map((Key) => ({ Key })) };
  // Each commit depends on the bucket's being there.
  expect(await readsOf(() => s3.send(new DeleteObjectsCommand({ Bucket: 'few', Delete })))).toEqual([
    bucket,
    ...['a', 'b'].flatMap((key) => [bucket, object(key)]),
  ]);
  expect(await readsOf(() => s3.send(new ListBucketsCommand({ Prefix: 'so' })))).toEqual(['objects/some bucket']);
  expect(await readsOf(() => fetch(`${url}/few/a`))).toEqual([]);
});

test('what a page puts here cannot act in a browser', async () => {
  await world.s3.send(new PutObjectCommand({ Bucket, Key: 'page', Body: '<script>', ContentType: 'text/html' }));
  const answer = await fetch(`${world.url}/shelf/page`, {
    headers: signed(world.url, keys.admin, { method: 'GET', path: '/shelf/page' }),
  });
  expect([answer.headers.get('content-security-policy'), answer.headers.get('x-content-type-options')]).toEqual([
    'sandbox',
    'nosniff',
  ]);
});

test('what nothing acts on is refused, with what to do instead', async () => {
  const VersioningConfiguration = { Status: 'Enabled' as const };
  expect(await nameOf(world.s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration })))).toBe(
    'NotImplemented',
  );
  const put = (more: object) => nameOf(world.s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', ...more })));
  expect(await put({ ServerSideEncryption: 'AES256' })).toBe('NotImplemented');
  expect(await put({ StorageClass: 'GLACIER' })).toBe('NotImplemented');
  expect(await put({ ACL: 'public-read' })).toBe('AccessControlListNotSupported');
  expect(await put({ ACL: 'private' })).toBe('none');
  expect(await send({ method: 'GET', path: '/shelf?inventory' })).toEqual({ status: 501, code: 'NotImplemented' });
});

describe('documents', () => {
  const list = (keysOf: number): string => `<Delete>${'<Object><Key>k</Key></Object>'.repeat(keysOf)}</Delete>`;
  test.each([
    [
      'entities',
      '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>',
      'MalformedXML',
    ],
    ['unknown entities', '<Delete><Object><Key>&b;</Key></Object></Delete>', 'MalformedXML'],
    ['more keys than there may be', list(1001), 'MalformedXML'],
    ['no keys', list(0), 'MalformedXML'],
    ['millions of keys', list(300_000), 'MaxMessageLengthExceeded'],
    ['a depth without end', '<Delete>'.repeat(100_000), 'MalformedXML'],
    ['what ends too early', '<Delete><Object>', 'MalformedXML'],
    ['two roots', `${list(1)}${list(1)}`, 'MalformedXML'],
    ['no XML', '{"a":1}', 'MalformedXML'],
    ['bytes that are no UTF-8', Buffer.from([0x3c, 0xff, 0xfe]), 'MalformedXML'],
  ])('with %s are refused', async (_what, body, code) => {
    expect(await send({ method: 'POST', path: '/shelf?delete', body })).toEqual({ status: 400, code });
  });

  test('may hold elements without content, however they are written', async () => {
    const body = '<Delete><Quiet/><Object><Key>k</Key></Object></Delete>';
    expect(await send({ method: 'POST', path: '/shelf?delete', body })).toEqual({ status: 200, code: '' });
    expect(readXml('<a><b/><c /><d x="/">1</d></a>').children).toMatchObject([
      { name: 'b', text: '' },
      { name: 'c', text: '' },
      { name: 'd', text: '1' },
    ]);
  });

  test('that come byte by byte are held as their bytes, and not as so many pieces', async () => {
    const text = list(500);
    const piece = Buffer.alloc(1);
    // Whoever keeps the pieces reads the last of them again and again.
    const bytes = {
      async *[Symbol.asyncIterator]() {
        for (const byte of Buffer.from(text)) {
          piece[0] = byte;
          yield piece;
        }
      },
    };
    const body = { length: undefined, sha256: undefined, bytes, trailers: new Map<string, string>() };
    expect(await new Documents().read({ body }, 1024 * 1024)).toBe(text);
    expect(await nameOf(new Documents().read({ body }, 1024))).toBe('AwsError');
  });
});

describe('bodies in chunks', () => {
  const chunks = [Buffer.alloc(70_000, 'a'), Buffer.alloc(9000, 'b')];
  const whole = Buffer.concat(chunks);
  const headers = { 'X-Amz-Decoded-Content-Length': String(whole.length) };
  const payload = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
  const put = async (
    change: (body: Buffer) => Buffer,
    more: Record<string, string> = {},
    trailers?: Record<string, string>,
  ) => {
    const asked = {
      method: 'PUT',
      path: '/shelf/chunks',
      payload: trailers === undefined ? payload : `${payload}-TRAILER`,
      headers: { ...headers, ...more },
    };
    const head = signed(world.url, keys.admin, asked);
    const body = change(
      chunked(keys.admin, { headers: head, chunks, ...(trailers === undefined ? {} : { trailers }) }),
    );
    const answer = await fetch(world.url + asked.path, { method: 'PUT', headers: head, body: new Uint8Array(body) });
    return [answer.status, /<Code>(\w+)/.exec(await answer.text())?.[1] ?? ''];
  };
  const crc = { 'x-amz-checksum-sha256': createHash('sha256').update(whole).digest('base64') };
  const named = { 'X-Amz-Trailer': 'x-amz-checksum-sha256' };

  test('are put together, with what follows them', async () => {
    expect(await put((body) => body)).toEqual([200, '']);
    expect(await put((body) => body, named, crc)).toEqual([200, '']);
    expect(await (await world.s3.send(new GetObjectCommand({ Bucket, Key: 'chunks' }))).Body?.transformToString()).toBe(
      whole.toString(),
    );
  });

  const replaced = (from: string | RegExp, to: string) => (body: Buffer) =>
    Buffer.from(body.toString('latin1').replace(from, to), 'latin1');
  test.each([
    ['a byte changed', replaced('bbbb', 'bbbc'), 403, 'SignatureDoesNotMatch'],
    ['another signature', replaced(/signature=[0-9a-f]{4}/, 'signature=0000'), 403, 'SignatureDoesNotMatch'],
    ['no signature', replaced(/;chunk-signature=[0-9a-f]{64}/, ''), 403, 'SignatureDoesNotMatch'],
    ['the last chunk gone', (body: Buffer) => body.subarray(0, body.lastIndexOf('\r\n0;')), 400, 'InvalidRequest'],
    ['another size', replaced(/^[0-9a-f]+;/, 'ffffffff;'), 400, 'InvalidRequest'],
    ['a size that is none', replaced(/^[0-9a-f]+;/, '0x11170;'), 400, 'InvalidRequest'],
    ['a line without end', replaced(/^/, 'a'.repeat(100_000)), 400, 'InvalidRequest'],
    ['more behind it', (body: Buffer) => Buffer.concat([body, Buffer.from('x')]), 400, 'InvalidRequest'],
  ])('with %s are kept nowhere', async (_what, change, status, code) => {
    const before = await world.stored();
    expect(await put(change)).toEqual([status, code]);
    expect(await world.stored()).toEqual(before);
  });

  test('with wrong trailers, or without those that were announced, are kept nowhere', async () => {
    expect(await put((body) => body, named, { 'x-amz-checksum-sha256': 'AAAA' })).toEqual([400, 'BadDigest']);
    expect(await put(replaced(/x-amz-trailer-signature:..../, 'x-amz-trailer-signature:0000'), named, crc)).toEqual([
      403,
      'SignatureDoesNotMatch',
    ]);
    expect(await put((body) => body, named)).toEqual([400, 'MalformedTrailerError']);
  });

  test('of a kind that is not known are refused before they are read', async () => {
    expect(
      await send({ method: 'PUT', path: '/shelf/x', payload: 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD', body: 'x' }),
    ).toEqual({ status: 403, code: 'SignatureDoesNotMatch' });
  });
});

test('a whole body that differs from its signed hash is kept nowhere', async () => {
  const payload = createHash('sha256').update('right').digest('hex');
  expect(await send({ method: 'PUT', path: '/shelf/x', payload, body: 'right' })).toEqual({ status: 200, code: '' });
  expect(await send({ method: 'PUT', path: '/shelf/x', payload, body: 'wrong' })).toEqual({
    status: 400,
    code: 'XAmzContentSHA256Mismatch',
  });
});

test('a body without a length, or with one beyond five gigabytes, is refused before it is read', async () => {
  const head = { method: 'PUT', path: '/shelf/long' };
  const code = (more: Record<string, string>) =>
    new Promise<string>((resolve, reject) => {
      const sent = request(
        world.url + head.path,
        { method: 'PUT', headers: { ...signed(world.url, keys.admin, head), ...more } },
        (answer) => {
          let text = '';
          answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
          answer.on('end', () => {
            sent.destroy();
            resolve(/<Code>(\w+)/.exec(text)?.[1] ?? '');
          });
        },
      );
      sent.on('error', reject);
      sent.write('x');
    });
  expect(await code({ 'Content-Length': String(5 * 1024 ** 3 + 1) })).toBe('EntityTooLarge');
  expect(await code({ 'Transfer-Encoding': 'chunked' })).toBe('MissingContentLength');
});

test('keys of other sizes and forms are refused', async () => {
  expect(await send({ method: 'PUT', path: `/shelf/${'k'.repeat(1025)}`, body: 'x' })).toEqual({
    status: 400,
    code: 'KeyTooLongError',
  });
  expect(await send({ method: 'PUT', path: `/shelf/a%00b`, body: 'x' })).toEqual({ status: 400, code: 'InvalidURI' });
});

test('nothing of all that was a fault of the server', () => {
  expect(world.faults).toEqual([]);
});
