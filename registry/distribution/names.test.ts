import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import type { Fetch } from '../testing/docker-client.ts';
import {
  codeOf,
  imageOf,
  openPlayground,
  type Playground,
  push,
  putManifest,
  rawStatus,
} from '../testing/playground.ts';
import { type ServedRegistry } from '../testing/serve-registry.ts';

let playground: Playground;
let registry: ServedRegistry;
let admin: Fetch;
beforeAll(async () => {
  playground = await openPlayground();
  ({ registry, admin } = playground);
});
afterAll(() => playground[Symbol.asyncDispose]());

describe('names, paths and digests', () => {
  test.each(['UPPER/case', '-a/b', 'a-/b', 'a..b/c', 'a//b', 'x'.repeat(257), 'ünï/code', 'a', '_x/y', 'a/\u0430b'])(
    'N1: the name %s is refused',
    async (name) => {
      const response = await admin('GET', `/v2/${encodeURI(name)}/tags/list`);
      expect(await codeOf(response)).toBe('400 NAME_INVALID');
    },
  );

  test.each([
    ['x'.repeat(129), '400 MANIFEST_INVALID'],
    ['-a', '400 MANIFEST_INVALID'],
    ['.a', '400 MANIFEST_INVALID'],
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
        expect([400, 404]).toContain(await rawStatus(registry, path));
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
    expect([400, 401, 404]).toContain(await rawStatus(registry, path));
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
