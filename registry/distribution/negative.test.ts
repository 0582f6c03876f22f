import { CreateRepositoryCommand, PutImageCommand, SetRepositoryPolicyCommand } from '@aws-sdk/client-ecr';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch, loggedIn, passwordOf } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { newUser } from '../testing/users.ts';

let registry: ServedRegistry;
let admin: Fetch;
/** May do everything in `open/…`, and nothing elsewhere. */
let guest: Fetch;

beforeAll(async () => {
  registry = await serveRegistry({ limits: { blobBytes: 1_000_000, openUploads: 50 } });
  admin = await loggedIn(registry);
  guest = await loggedIn(
    registry,
    await newUser(registry, 'guest', [
      { Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
      { Effect: 'Allow', Action: 'ecr:*', Resource: 'arn:aws:ecr:*:*:repository/open/*' },
    ]),
  );
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  if (registry.failures.length > 0)
    throw new Error('the registry failed on its own account', { cause: registry.failures });
});

const codeOf = async (response: Response): Promise<string> => {
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  return `${response.status} ${errors[0]?.code}`;
};
const push = async (client: Fetch, repository: string, text: string): Promise<string> => {
  const digest = sha256(text);
  const response = await client('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: text });
  expect(response.status).toBe(201);
  return digest;
};
const begin = async (client: Fetch, repository: string): Promise<string> => {
  const response = await client('POST', `/v2/${repository}/blobs/uploads/`);
  expect(response.status).toBe(202);
  return response.headers.get('location') as string;
};
const patch = (client: Fetch, location: string, body: string, range?: string) =>
  client('PATCH', location, {
    body,
    headers: { 'content-type': 'application/octet-stream', ...(range === undefined ? {} : { 'content-range': range }) },
  });
const imageOf = (digest: string, size: number, extra: object = {}) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size },
    layers: [],
    ...extra,
  });
const putManifest = (
  client: Fetch,
  repository: string,
  reference: string,
  body: string,
  type: string = mediaTypes.ociManifest,
) => client('PUT', `/v2/${repository}/manifests/${reference}`, { body, headers: { 'content-type': type } });

describe('mounts and what a repository may serve', () => {
  test('M1: a blob of a repository the caller may not read does not exist for it', async () => {
    const secret = await push(admin, 'secret/app', 'secret layer');
    await push(guest, 'open/app', 'something');
    for (const method of ['GET', 'HEAD']) {
      expect((await guest(method, `/v2/open/app/blobs/${secret}`)).status).toBe(404);
      expect((await guest(method, `/v2/secret/app/blobs/${secret}`)).status).toBe(403);
    }
  });

  test('M2: mounting from a repository the caller may not pull starts an upload', async () => {
    const secret = await push(admin, 'secret/app', 'secret to mount');
    const response = await guest('POST', `/v2/open/app/blobs/uploads/?mount=${secret}&from=secret/app`);
    expect([response.status, response.headers.get('location')]).toEqual([
      202,
      expect.stringContaining('/v2/open/app/blobs/uploads/'),
    ]);
    expect((await guest('HEAD', `/v2/open/app/blobs/${secret}`)).status).toBe(404);
  });

  test('M3: mounting without a source works where the caller may pull the blob from somewhere, and only there', async () => {
    const secret = await push(admin, 'secret/app', 'secret without from');
    const shared = await push(guest, 'open/source', 'shared layer');
    expect((await guest('POST', `/v2/open/app/blobs/uploads/?mount=${secret}`)).status).toBe(202);
    expect((await guest('POST', `/v2/open/app/blobs/uploads/?mount=${shared}`)).status).toBe(201);
    expect((await guest('HEAD', `/v2/open/app/blobs/${shared}`)).headers.get('content-length')).toBe('12');
  });

  test('M4: a manifest is no way to read a blob that was never pushed here', async () => {
    const secret = await push(admin, 'secret/app', 'secret behind a manifest');
    expect(await codeOf(await putManifest(guest, 'open/app', 'steal', imageOf(secret, 24)))).toBe(
      '400 MANIFEST_BLOB_UNKNOWN',
    );
  });

  test('M5: referrers of a foreign digest are an empty list', async () => {
    const response = await guest('GET', `/v2/open/nowhere/referrers/${sha256('foreign')}`);
    expect([response.status, response.headers.get('content-type'), await response.json()]).toEqual([
      200,
      mediaTypes.ociIndex,
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] },
    ]);
  });

  test('M6: a blob deleted in one repository stays gone there while another has it', async () => {
    const digest = await push(admin, 'open/one', 'held twice');
    await push(admin, 'open/two', 'held twice');
    expect((await admin('GET', `/v2/open/one/blobs/${digest}`)).status).toBe(200);
    expect((await admin('DELETE', `/v2/open/one/blobs/${digest}`)).status).toBe(202);
    expect((await admin('HEAD', `/v2/open/two/blobs/${digest}`)).status).toBe(200);
    expect((await admin('GET', `/v2/open/one/blobs/${digest}`)).status).toBe(404);
    expect(await (await admin('GET', `/v2/open/two/blobs/${digest}`)).text()).toBe('held twice');
  });

  test('M7: bytes that exist elsewhere are still required and hashed in full', async () => {
    const digest = await push(admin, 'secret/app', 'exists already');
    const response = await guest('POST', `/v2/open/app/blobs/uploads/?digest=${digest}`, { body: 'not those bytes' });
    expect(await codeOf(response)).toBe('400 DIGEST_INVALID');
    expect((await guest('HEAD', `/v2/open/app/blobs/${digest}`)).status).toBe(404);
  });
});

describe('names, paths and digests', () => {
  test.each(['UPPER/case', '-a/b', 'a-/b', 'a..b/c', 'a//b', 'x'.repeat(257), 'ünï/code', 'a', '_x/y'])(
    'N1: the name %s is refused',
    async (name) => {
      const response = await admin('GET', `/v2/${encodeURI(name)}/tags/list`);
      expect(await codeOf(response)).toBe('400 NAME_INVALID');
    },
  );

  test.each([
    ['x'.repeat(129), '400 TAG_INVALID'],
    ['-a', '400 TAG_INVALID'],
    ['.a', '400 TAG_INVALID'],
    ['a:b', '400 DIGEST_INVALID'],
  ])('N2: the tag %s is refused', async (tag, expected) => {
    expect(await codeOf(await putManifest(admin, 'open/app', tag, '{}'))).toBe(expected);
  });

  test.each([
    `sha256:${'0'.repeat(63)}`,
    `sha256:${'0'.repeat(65)}`,
    `sha256:${'A'.repeat(64)}`,
    `sha1:${'0'.repeat(40)}`,
    `md5:${'0'.repeat(32)}`,
    'sha256:a:b',
  ])('N3: the digest %s is refused', async (digest) => {
    expect(await codeOf(await admin('GET', `/v2/open/app/blobs/${digest}`))).toBe('400 DIGEST_INVALID');
  });

  test.each(['..%2f..%2fetc', '%2e%2e', 'a%00b', 'a%252fb', 'a%5cb'])(
    'N4: %s in a path leads nowhere',
    async (part) => {
      for (const path of [
        `/v2/${part}/x/tags/list`,
        `/v2/open/app/manifests/${part}`,
        `/v2/open/app/blobs/${part}`,
        `/v2/open/app/blobs/uploads/${part}`,
      ]) {
        expect([400, 404]).toContain(await rawStatus(path));
      }
    },
  );

  test.each([
    '//v2/open/app/tags/list',
    '/v2//open/app/tags/list',
    '/v2/open%2fapp/tags/list',
    '/v2/./open/app/tags/list',
    '/v2/open/app;x/tags/list',
  ])('N5: %s is no way round', async (path) => {
    expect([400, 401, 404]).toContain(await rawStatus(path));
  });

  test('N6: a manifest under a digest that is not its own is refused, and nothing is visible', async () => {
    const digest = await push(admin, 'open/app', '{"n":6}');
    const wrong = sha256('other');
    expect(await codeOf(await putManifest(admin, 'open/app', wrong, imageOf(digest, 7)))).toBe('400 DIGEST_INVALID');
    expect((await admin('GET', `/v2/open/app/manifests/${wrong}`)).status).toBe(404);
  });

  test('N11: a body that claims to be another type is refused', async () => {
    const digest = await push(admin, 'open/app', '{"n":11}');
    expect(await codeOf(await putManifest(admin, 'open/app', 'x', imageOf(digest, 8), mediaTypes.ociIndex))).toBe(
      '400 MANIFEST_INVALID',
    );
    expect(await codeOf(await putManifest(admin, 'open/app', 'x', imageOf(digest, 8, { manifests: [] })))).toBe(
      '400 MANIFEST_INVALID',
    );
  });

  test('N12, C6: tags and repositories that are prefixes of each other are all listed, in order, page by page', async () => {
    for (const repository of ['order/a', 'order/a-b', 'order/a.b', 'order/a/b']) await push(admin, repository, 'x');
    const digest = await push(admin, 'order/a', '{"n":12}');
    const tags = ['a', 'a-b', 'a.b', 'a_b', 'A', 'ab', 'v1', 'v1.0', 'v10'];
    for (const tag of tags) expect((await putManifest(admin, 'order/a', tag, imageOf(digest, 8))).status).toBe(201);
    const listed: string[] = [];
    let path: string | undefined = '/v2/order/a/tags/list?n=2';
    while (path !== undefined) {
      const response: Response = await admin('GET', path);
      listed.push(...((await response.json()) as { tags: string[] }).tags);
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(listed).toEqual(tags.toSorted((a, b) => (a < b ? -1 : 1)));
    const after = await admin('GET', '/v2/order/a/tags/list?last=a-z');
    expect(((await after.json()) as { tags: string[] }).tags).toEqual(['a.b', 'a_b', 'ab', 'v1', 'v1.0', 'v10']);
    const catalog = (await (await admin('GET', '/v2/_catalog?n=1000')).json()) as { repositories: string[] };
    expect(catalog.repositories.filter((name) => name.startsWith('order/'))).toEqual([
      'order/a',
      'order/a-b',
      'order/a.b',
      'order/a/b',
    ]);
  });
});

describe('sizes', () => {
  test('B1: a manifest of 4 MiB and one byte is refused with 413, also when it is sent in chunks', async () => {
    const body = ' '.repeat(4 * 1024 * 1024 + 1);
    expect(await codeOf(await putManifest(admin, 'open/app', 'big', body))).toBe('413 SIZE_INVALID');
    const stream = new ReadableStream({
      start: (controller) => (controller.enqueue(Buffer.from(body)), controller.close()),
    });
    const chunked = await admin('PUT', '/v2/open/app/manifests/big', {
      body: stream,
      duplex: 'half',
      headers: { 'content-type': mediaTypes.ociManifest },
    });
    expect(chunked.status).toBe(413);
  });

  test('B2: more than 100 tags in one request are refused', async () => {
    const digest = await push(admin, 'open/app', '{"b":2}');
    const body = imageOf(digest, 7);
    const query = Array.from({ length: 101 }, (_, number) => `tag=t${number}`).join('&');
    expect(
      (
        await admin('PUT', `/v2/open/app/manifests/${sha256(body)}?${query}`, {
          body,
          headers: { 'content-type': mediaTypes.ociManifest },
        })
      ).status,
    ).toBe(414);
  });

  test('B3: thirty levels of indexes that each list the two below are taken level by level', async () => {
    const digest = await push(admin, 'open/deep', '{"b":3}');
    let below = [imageOf(digest, 7, { annotations: { n: '1' } }), imageOf(digest, 7, { annotations: { n: '2' } })];
    for (const body of below) expect((await putManifest(admin, 'open/deep', sha256(body), body)).status).toBe(201);
    let mediaType: string = mediaTypes.ociManifest;
    for (let level = 0; level < 30; level++) {
      const manifests = below.map((body) => ({ mediaType, digest: sha256(body), size: body.length }));
      below = ['a', 'b'].map((name) =>
        JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, annotations: { name } }),
      );
      mediaType = mediaTypes.ociIndex;
      for (const body of below) {
        const started = performance.now();
        expect((await putManifest(admin, 'open/deep', sha256(body), body, mediaTypes.ociIndex)).status).toBe(201);
        expect(performance.now() - started).toBeLessThan(2000);
      }
    }
  });

  test('B5: a blob over the limit is refused at the byte, and its upload is gone', async () => {
    const location = await begin(admin, 'open/app');
    expect((await patch(admin, location, 'x'.repeat(600_000))).status).toBe(202);
    expect(await codeOf(await patch(admin, location, 'x'.repeat(600_000)))).toBe('413 SIZE_INVALID');
    expect((await admin('GET', location)).status).toBe(404);
  });

  test('B8: referrers come in pages that link to each other', async () => {
    const digest = await push(admin, 'open/refs', '{"b":8}');
    const subject = { mediaType: mediaTypes.ociManifest, digest: sha256('subject'), size: 7 };
    for (let number = 0; number < 7; number++) {
      const artifactType = number % 2 === 0 ? 'application/x.even' : 'application/x.odd';
      const body = imageOf(digest, 7, { subject, artifactType, annotations: { number: String(number) } });
      const response = await putManifest(admin, 'open/refs', sha256(body), body);
      expect(response.headers.get('oci-subject')).toBe(subject.digest);
    }
    const found: { digest: string }[] = [];
    let path: string | undefined = `/v2/open/refs/referrers/${subject.digest}?n=2&artifactType=application/x.even`;
    while (path !== undefined) {
      const response: Response = await admin('GET', path);
      expect(response.headers.get('oci-filters-applied')).toBe('artifactType');
      found.push(...((await response.json()) as { manifests: { digest: string }[] }).manifests);
      path = /^<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(new Set(found.map((entry) => entry.digest)).size).toBe(4);
  });

  test('B10: one caller cannot open uploads without end', async () => {
    let status = 202;
    for (let count = 0; count < 60 && status === 202; count++)
      ({ status } = await guest('POST', '/v2/open/many/blobs/uploads/'));
    expect(status).toBe(429);
    expect((await admin('POST', '/v2/open/many/blobs/uploads/')).status).toBe(202);
  });
});

describe('ranges and encodings', () => {
  test('H4: one range is served, several are the whole, those that do not fit are 416', async () => {
    const digest = await push(admin, 'open/app', '0123456789');
    const get = async (range: string) => {
      const response = await admin('GET', `/v2/open/app/blobs/${digest}`, { headers: { range } });
      return [
        response.status,
        response.headers.get('content-range'),
        response.status === 416 ? '' : await response.text(),
      ];
    };
    expect(await get('bytes=2-4')).toEqual([206, 'bytes 2-4/10', '234']);
    expect(await get('bytes=7-')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await get('bytes=-3')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await get('bytes=8-100')).toEqual([206, 'bytes 8-9/10', '89']);
    expect(await get('bytes=5-0')).toEqual([416, 'bytes */10', '']);
    expect(await get('bytes=10-12')).toEqual([416, 'bytes */10', '']);
    expect(await get('bytes=-0')).toEqual([416, 'bytes */10', '']);
    expect(await get(`bytes=${Array.from({ length: 1000 }, () => '0-1').join(',')}`)).toEqual([
      200,
      null,
      '0123456789',
    ]);
  });

  test('H7: encoded bodies are refused; blobs are never encoded, whatever the client accepts', async () => {
    const response = await admin('POST', `/v2/open/app/blobs/uploads/?digest=${sha256('x')}`, {
      body: 'x',
      headers: { 'content-encoding': 'gzip' },
    });
    expect(response.status).toBe(415);
    const digest = await push(admin, 'open/app', 'plain bytes');
    const plain = await admin('GET', `/v2/open/app/blobs/${digest}`, {
      headers: { 'accept-encoding': 'zstd;q=1.0, gzip' },
    });
    expect([plain.headers.get('content-encoding'), plain.headers.get('accept-ranges')]).toEqual([null, 'bytes']);
  });
});

describe('uploads', () => {
  test('U1: an upload of another caller, or under another repository, does not exist', async () => {
    const location = await begin(admin, 'open/app');
    for (const [method, path] of [
      ['GET', location],
      ['PATCH', location],
      ['PUT', `${location}?digest=${sha256('x')}`],
      ['DELETE', location],
    ] as const) {
      expect((await guest(method, path, method === 'PATCH' || method === 'PUT' ? { body: 'x' } : {})).status).toBe(404);
    }
    expect((await admin('GET', location.replace('open/app', 'open/other'))).status).toBe(404);
    expect((await admin('GET', location)).status).toBe(204);
  });

  test('U2: upload ids carry 128 random bits in the form of a UUID', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await begin(admin, 'open/ids')).split('/').at(-1) as string),
    );
    expect(new Set(ids).size).toBe(20);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    expect(new Set(ids.map((id) => id[14])).size).toBeGreaterThan(3);
  });

  test('U4: parts out of order get 416 and where the upload is; it goes on from there', async () => {
    const location = await begin(admin, 'open/app');
    expect((await patch(admin, location, '01234', '0-4')).headers.get('range')).toBe('0-4');
    for (const range of ['3-7', '6-10', '0-4', '5-8', 'nonsense']) {
      const refused = await patch(admin, location, '56789', range);
      expect([refused.status, refused.headers.get('range'), refused.headers.get('location')]).toEqual([
        416,
        '0-4',
        location,
      ]);
    }
    expect((await patch(admin, location, '56789', '5-9')).status).toBe(202);
    const wrongEnd = await admin('PUT', `${location}?digest=${sha256('0123456789abc')}`, {
      body: 'abc',
      headers: { 'content-range': '20-22' },
    });
    expect(wrongEnd.status).toBe(416);
    expect(
      (
        await admin('PUT', `${location}?digest=${sha256('0123456789abc')}`, {
          body: 'abc',
          headers: { 'content-range': '10-12' },
        })
      ).status,
    ).toBe(201);
  });

  test('U4: of two parts sent for the same place at once, one counts', async () => {
    for (const prefix of ['', 'first ']) {
      const location = await begin(admin, 'open/race');
      if (prefix !== '') await patch(admin, location, prefix);
      const bodies = ['a'.repeat(200_000), 'b'.repeat(200_000)];
      const answers = await Promise.all(
        bodies.map((body) => patch(admin, location, body, `${prefix.length}-${prefix.length + 199_999}`)),
      );
      expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([202, 416]);
      const won = bodies[answers.findIndex((answer) => answer.status === 202)] as string;
      expect((await admin('PUT', `${location}?digest=${sha256(prefix + won)}`)).status).toBe(201);
    }
  });

  test('U5: an upload ends once', async () => {
    const location = await begin(admin, 'open/app');
    await patch(admin, location, 'once');
    expect((await admin('PUT', `${location}?digest=${sha256('once')}`)).status).toBe(201);
    expect(await codeOf(await admin('PUT', `${location}?digest=${sha256('once')}`))).toBe('404 BLOB_UPLOAD_UNKNOWN');
    expect((await patch(admin, location, 'more')).status).toBe(404);
    const cancelled = await begin(admin, 'open/app');
    expect((await admin('DELETE', cancelled)).status).toBe(204);
    expect((await admin('PUT', `${cancelled}?digest=${sha256('')}`)).status).toBe(404);
  });

  test('U6: no digest, two digests, a wrong one: refused, and the right one still ends the upload', async () => {
    const location = await begin(admin, 'open/app');
    await patch(admin, location, 'content');
    for (const query of [
      '',
      `digest=${sha256('content')}&digest=${sha256('content')}`,
      `digest=${sha256('other')}`,
      'digest=sha256:xyz',
    ]) {
      expect(await codeOf(await admin('PUT', `${location}?${query}`))).toBe('400 DIGEST_INVALID');
    }
    expect((await admin('PUT', `${location}?digest=${sha256('content')}`)).status).toBe(201);
  });

  test('U7: after a cut the status says what is there, and the upload goes on', async () => {
    const location = await begin(admin, 'open/app');
    await patch(admin, location, '01234');
    await cutOff(location, 'PATCH', '56789', 1000);
    const status = async () => (await admin('GET', location)).headers.get('range');
    await expect.poll(status, { timeout: 10_000 }).toBe('0-9');
    expect((await patch(admin, location, 'end', '10-12')).status).toBe(202);
    expect((await admin('PUT', `${location}?digest=${sha256('0123456789end')}`)).status).toBe(201);
  });

  test('U9: a right taken away between POST and PUT is missing at the PUT', async () => {
    const location = await begin(guest, 'open/revoked');
    await patch(guest, location, 'x');
    const ecr = ecrClient(registry);
    const policyText = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:CompleteLayerUpload' }],
    });
    await ecr.send(new SetRepositoryPolicyCommand({ repositoryName: 'open/revoked', policyText }));
    ecr.destroy();
    expect(await codeOf(await guest('PUT', `${location}?digest=${sha256('x')}`))).toBe('403 DENIED');
  });
});

describe('lists', () => {
  test('C1: the catalog shows what the caller may see, and nothing to strangers', async () => {
    await push(admin, 'secret/hidden', 'x');
    await push(guest, 'open/visible', 'x');
    const { repositories } = (await (await guest('GET', '/v2/_catalog?n=1000')).json()) as { repositories: string[] };
    expect(repositories).toContain('open/visible');
    expect(repositories.filter((name) => !name.startsWith('open/'))).toEqual([]);
    expect((await fetch(`${registry.url}/v2/_catalog`)).status).toBe(401);
  });

  test.each([
    ['0', 200],
    ['-1', 400],
    ['abc', 400],
    ['1e9', 400],
    [String(2 ** 31), 200],
    [String(2 ** 53), 200],
    ['9'.repeat(30), 400],
  ])('C2: n=%s', async (n, status) => {
    await push(admin, 'open/paged', 'x');
    for (const path of ['/v2/_catalog', '/v2/open/paged/tags/list']) {
      const response = await admin('GET', `${path}?n=${n}`);
      expect([response.status, response.headers.get('link')]).toEqual([status, null]);
    }
  });
});

test('with the account setting BLOB_MOUNTING off, a mount starts an upload', async () => {
  const digest = await push(admin, 'open/mount-source', 'mountable');
  const mount = async () =>
    (await admin('POST', `/v2/open/mount-target/blobs/uploads/?mount=${digest}&from=open/mount-source`)).status;
  const set = (value: string) =>
    registry.images.repositories.updateRegistry(account, (settings) => ({
      ...settings,
      settings: { ...settings.settings, BLOB_MOUNTING: value },
    }));
  await set('DISABLED');
  expect(await mount()).toBe(202);
  await set('ENABLED');
  expect(await mount()).toBe(201);
});

describe('create on push', () => {
  test('who may not create repositories is told so', async () => {
    expect(await codeOf(await guest('POST', '/v2/secret/new/blobs/uploads/'))).toBe('403 DENIED');
    const pusher = await loggedIn(
      registry,
      await newUser(registry, 'pusher', [
        {
          Effect: 'Allow',
          Action: [
            'ecr:GetAuthorizationToken',
            'ecr:InitiateLayerUpload',
            'ecr:UploadLayerPart',
            'ecr:CompleteLayerUpload',
            'ecr:PutImage',
          ],
          Resource: '*',
        },
      ]),
    );
    const refused = await pusher('POST', '/v2/pusher/new/blobs/uploads/');
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('ecr:CreateRepository')]);
  });

  test('with the setting off, a push into a repository that is not there is refused', async () => {
    await registry.images.repositories.updateRegistry(account, (settings) => ({
      ...settings,
      createOnPush: false,
    }));
    expect(await codeOf(await admin('POST', '/v2/open/never-made/blobs/uploads/'))).toBe('404 NAME_UNKNOWN');
    await registry.images.repositories.updateRegistry(account, (settings) => ({
      ...settings,
      createOnPush: true,
    }));
  });
});

test("an image pushed by docker's API is the image the ECR API shows, and an immutable tag is refused in the words docker prints", async () => {
  const ecr = ecrClient(registry);
  await ecr.send(new CreateRepositoryCommand({ repositoryName: 'open/fixed', imageTagMutability: 'IMMUTABLE' }));
  const digest = await push(admin, 'open/fixed', '{"fixed":1}');
  expect((await putManifest(admin, 'open/fixed', 'v1', imageOf(digest, 11))).status).toBe(201);
  await expect(
    ecr.send(new PutImageCommand({ repositoryName: 'open/fixed', imageTag: 'v1', imageManifest: imageOf(digest, 11) })),
  ).rejects.toMatchObject({ name: 'ImageAlreadyExistsException' });
  expect((await putManifest(admin, 'open/fixed', 'v1', imageOf(digest, 11))).status).toBe(201);
  const refused = await putManifest(admin, 'open/fixed', 'v1', imageOf(digest, 11, { annotations: { other: 'yes' } }));
  expect([refused.status, await refused.text()]).toEqual([
    400,
    expect.stringContaining('cannot be overwritten because the tag is immutable'),
  ]);
  ecr.destroy();
});

/** The status of a request whose path no client library touched. */
async function rawStatus(path: string): Promise<number> {
  const { hostname, port } = new URL(registry.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${registry.host}\r\nConnection: close\r\n\r\n`);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  const status = Number(answer.slice(9, 12));
  // Strangers are asked to log in before they learn anything about a path; then ask as somebody.
  if (status !== 401) return status;
  const again = connect(Number(port), hostname);
  const authorization = (await authorizationHeader()) ?? '';
  again.write(
    `GET ${path} HTTP/1.1\r\nHost: ${registry.host}\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
  );
  answer = '';
  for await (const chunk of again) answer += String(chunk);
  return Number(answer.slice(9, 12));
}

/** Sends the start of a body and breaks the connection. */
async function cutOff(path: string, method: string, start: string, announced: number): Promise<void> {
  const { hostname, port } = new URL(registry.url);
  const socket = connect(Number(port), hostname);
  const authorization = await authorizationHeader();
  socket.write(
    `${method} ${path} HTTP/1.1\r\nHost: ${registry.host}\r\nAuthorization: ${authorization}\r\nContent-Length: ${announced}\r\n\r\n${start}`,
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  socket.destroy();
}

let cachedAuthorization: string | undefined;
async function authorizationHeader(): Promise<string> {
  cachedAuthorization ??= `Basic ${Buffer.from(`AWS:${await passwordOf(registry)}`).toString('base64')}`;
  return cachedAuthorization;
}
