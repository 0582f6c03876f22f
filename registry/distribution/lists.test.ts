import { DescribeRepositoriesCommand, ListImagesCommand } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch, passwordOf } from '../testing/docker-client.ts';
import { imageOf, openPlayground, type Playground, push, putManifest } from '../testing/playground.ts';
import { account, type ServedRegistry } from '../testing/serve-registry.ts';

let playground: Playground;
let registry: ServedRegistry;
let admin: Fetch;
let guest: Fetch;
beforeAll(async () => {
  playground = await openPlayground();
  ({ registry, admin, guest } = playground);
});
afterAll(() => playground[Symbol.asyncDispose]());

describe('lists', () => {
  test('the catalog asks for a token of its own, and shows by it what it shows by Basic', async () => {
    const token = async (scope: string): Promise<string> => {
      const login = { headers: { authorization: `Basic ${btoa(`AWS:${await passwordOf(registry)}`)}` } };
      const answer = await fetch(`${registry.url}/token?scope=${scope}`, login);
      return ((await answer.json()) as { token: string }).token;
    };
    const list = async (bearer: string): Promise<Response> =>
      fetch(`${registry.url}/v2/_catalog?n=1000`, { headers: { authorization: `Bearer ${bearer}` } });
    const other = await list(await token('repository:open/paged:pull'));
    expect([other.status, other.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('scope="registry:catalog:*",error="insufficient_scope"'),
    ]);
    const byBasic = await (await admin('GET', '/v2/_catalog?n=1000')).json();
    expect(await (await list(await token('registry:catalog:*'))).json()).toEqual(byBasic);
  });

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

  test('the index that clients without the referrers API keep under a tag is an image like any other', async () => {
    const config = await push(admin, 'open/fallback', '{"fallback":1}');
    const subject = imageOf(config, 14);
    await putManifest(admin, 'open/fallback', 'v1', subject);
    const descriptor = { mediaType: mediaTypes.ociManifest, digest: sha256(subject), size: subject.length };
    const signature = imageOf(config, 14, { subject: descriptor, artifactType: 'application/x.signature' });
    await putManifest(admin, 'open/fallback', sha256(signature), signature);
    const tag = sha256(subject).replace(':', '-');
    expect((await admin('GET', `/v2/open/fallback/manifests/${tag}`)).status).toBe(404);
    const listed = { ...descriptor, digest: sha256(signature), size: signature.length };
    const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [listed] });
    expect((await putManifest(admin, 'open/fallback', tag, index, mediaTypes.ociIndex)).status).toBe(201);
    expect(await (await admin('GET', `/v2/open/fallback/manifests/${tag}`)).text()).toBe(index);
    // The API knows the signature itself: once, and not the index.
    const referrers = await admin('GET', `/v2/open/fallback/referrers/${sha256(subject)}`);
    expect(await referrers.json()).toMatchObject({ manifests: [{ digest: sha256(signature) }] });
    expect((await admin('DELETE', `/v2/open/fallback/manifests/${tag}`)).status).toBe(202);
  });

  test("C4: a place in a list that was made up, is another account's, or is a megabyte long is refused", async () => {
    const ecr = ecrClient(registry);
    for (let count = 0; count < 3; count++) await push(admin, `open/page-${count}`, 'x');
    const { nextToken = '' } = await ecr.send(new DescribeRepositoriesCommand({ maxResults: 1 }));
    const foreign = await registry.images.signing.sign('999999999999', 'page of repositories', ['open/page-0']);
    const other = await registry.images.signing.sign(account, 'layer download', ['open/page-0']);
    for (const forged of [
      `${nextToken}A`,
      nextToken.slice(0, -3),
      foreign,
      other,
      'x'.repeat(1_000_000),
      "' OR 1=1 --",
    ]) {
      await expect(
        ecr.send(new DescribeRepositoriesCommand({ maxResults: 1, nextToken: forged })),
      ).rejects.toMatchObject({ name: 'InvalidParameterException' });
      await expect(
        ecr.send(new ListImagesCommand({ repositoryName: 'open/page-0', maxResults: 1, nextToken })),
      ).rejects.toMatchObject({ name: 'InvalidParameterException' });
    }
    ecr.destroy();
    for (const path of ['/v2/_catalog', '/v2/open/page-0/tags/list']) {
      expect((await admin('GET', `${path}?last=${'x'.repeat(301)}`)).status).toBe(400);
      expect((await admin('GET', `${path}?last=a%0d%0aSet-Cookie:x`)).status).toBe(400);
      expect((await admin('GET', `${path}?last=a%7cb`)).status).toBe(400);
    }
  });

  test.each([
    "' OR 1=1 --",
    '*',
    '%',
    '[a-z]*',
    'redis.call("FLUSHALL")',
    '../',
    '\\x00',
    '$ne',
    '{"$gt":""}',
    '__proto__',
  ])('C5: %s is text and nothing else, as a place, a filter or a member', async (text) => {
    await push(admin, 'open/injected', 'x');
    const before = await (await admin('GET', '/v2/_catalog?n=1000')).text();
    const encoded = encodeURIComponent(text);
    for (const path of [
      `/v2/_catalog?last=${encoded}`,
      `/v2/_catalog?n=${encoded}`,
      `/v2/_catalog?filter=${encoded}&sort=policy&${encoded}=1`,
      `/v2/open/injected/tags/list?last=${encoded}`,
      `/v2/open/injected/referrers/${sha256('x')}?artifactType=${encoded}`,
    ])
      expect([200, 400]).toContain((await admin('GET', path)).status);
    const ecr = ecrClient(registry);
    for (const tagStatus of [text, undefined])
      expect(
        await ecr
          .send(new ListImagesCommand({ repositoryName: 'open/injected', filter: { tagStatus } as never }))
          .then(({ imageIds }) => `${imageIds?.length} images`)
          .catch((error: Error) => error.name),
      ).toBe(tagStatus === undefined ? '0 images' : 'InvalidParameterException');
    await expect(ecr.send(new DescribeRepositoriesCommand({ repositoryNames: [text] }))).rejects.toMatchObject({
      name: expect.stringMatching(/^(InvalidParameter|RepositoryNotFound|Validation)Exception$/),
    });
    ecr.destroy();
    expect(await (await admin('GET', '/v2/_catalog?n=1000')).text()).toBe(before);
  });
});
