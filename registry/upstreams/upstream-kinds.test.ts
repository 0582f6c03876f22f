import { CreatePullThroughCacheRuleCommand, type ECRClient } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Digest } from '@slipway/storage/blobs';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch, loggedIn, passwordOf } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { newUser } from '../testing/users.ts';
import { type Script, type ScriptedRegistry, startScriptedRegistry } from './testing/scripted-registry.ts';

let upstream: ScriptedRegistry;
let cache: ServedRegistry;
let ecr: ECRClient;
let pull: Fetch;
const failures: string[] = [];
const name = 'hub/app';

beforeAll(async () => {
  upstream = await startScriptedRegistry();
  cache = await serveRegistry({
    upstreams: {
      hosts: { 'upstream.test': upstream.url, 'gone.test': 'http://127.0.0.1:9' },
      freshFor: 0,
      mostParts: 50,
    },
    meter: {
      received: () => undefined,
      sent: () => undefined,
      looked: () => undefined,
      upstreamFailed: (host, cause) => void failures.push(`${host} ${cause}`),
    },
  });
  ecr = ecrClient(cache);
  for (const [ecrRepositoryPrefix, upstreamRegistryUrl] of [
    ['hub', 'upstream.test'],
    ['away', 'gone.test'],
  ] as const)
    await ecr.send(new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix, upstreamRegistryUrl }));
  pull = await loggedIn(cache);
});
afterAll(async () => {
  ecr.destroy();
  await upstream[Symbol.asyncDispose]();
  await cache[Symbol.asyncDispose]();
});
beforeEach(() => {
  upstream.asked.splice(0);
  failures.splice(0);
});

const manifest = (reference: string): Promise<Response> => pull('GET', `/v2/${name}/manifests/${reference}`);
const isHere = async (digest: Digest): Promise<boolean> =>
  (await cache.images.manifests.look(account, name, { kind: 'digest', digest })).manifest !== undefined;
const platform = (architecture: string) => ({ platform: { os: 'linux', architecture } });

describe('an index of which upstream lacks a platform', () => {
  test('is kept under its tag with what there is, and completed by who pulls the rest', async () => {
    const amd = upstream.image('amd');
    const arm = upstream.image('arm');
    upstream.manifest(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [
          { ...amd, ...platform('amd64') },
          { ...arm, ...platform('arm64') },
        ],
      },
      { tag: 'sparse' },
    );
    const later = upstream.scripts.get(`manifests/${arm.digest}`) as Script;
    upstream.scripts.delete(`manifests/${arm.digest}`);

    const answer = await manifest('sparse');
    const digest = answer.headers.get('docker-content-digest') as Digest;
    await cache.upstreams.settled();
    expect([await isHere(digest), await isHere(amd.digest), await isHere(arm.digest)]).toEqual([true, true, false]);
    expect((await cache.images.resolve(account, name, 'sparse'))?.digest).toBe(digest);
    expect((await manifest(arm.digest)).status).toBe(404);

    upstream.scripts.set(`manifests/${arm.digest}`, later);
    expect((await manifest(arm.digest)).status).toBe(200);
    await cache.upstreams.settled();
    expect(await isHere(arm.digest)).toBe(true);
    // From now on the index holds it, as it does those that came with it.
    await expect(cache.images.manifests.remove(account, name, arm.digest, 'me')).rejects.toMatchObject({
      code: 'ManifestInUse',
    });
    await cache.images.manifests.remove(account, name, digest, 'me');
    await cache.images.manifests.remove(account, name, arm.digest, 'me');
    await cache.images.manifests.remove(account, name, amd.digest, 'me');
  });

  test('is completed when its tag is looked at again', async () => {
    const one = upstream.image('one');
    const two = upstream.image('two');
    upstream.manifest({ schemaVersion: 2, mediaType: mediaTypes.dockerList, manifests: [one, two] }, { tag: 'grows' });
    const later = upstream.scripts.get(`manifests/${two.digest}`) as Script;
    upstream.scripts.delete(`manifests/${two.digest}`);
    await manifest('grows');
    await cache.upstreams.settled();
    expect([await isHere(one.digest), await isHere(two.digest)]).toEqual([true, false]);
    upstream.scripts.set(`manifests/${two.digest}`, later);
    await manifest('grows');
    await cache.upstreams.settled();
    expect(await isHere(two.digest)).toBe(true);
  });

  test('a push of such an index is refused all the same', async () => {
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [{ mediaType: mediaTypes.ociManifest, digest: sha256('nowhere'), size: 7 }],
    });
    const put = await pull('PUT', `/v2/${name}/manifests/pushed`, {
      body,
      headers: { 'content-type': mediaTypes.ociIndex },
    });
    expect(put.status).toBe(400);
  });

  test('an upstream that lists indexes in indexes without end is given up on', async () => {
    let below = upstream.image('bottom');
    for (let depth = 0; depth < 50; depth++)
      below = upstream.manifest({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, depth, manifests: [below] });
    expect((await manifest(below.digest)).status).toBe(200);
    await cache.upstreams.settled();
    expect(await isHere(below.digest)).toBe(false);
    expect(failures).toContain('upstream.test corrupt');
  });
});

describe('an upstream whose HEAD is of no use', () => {
  test.each<[string, Script]>([
    ['answers 405', (_, response) => void response.writeHead(405).end()],
    ['says no digest', (_, response) => void response.writeHead(200, { 'content-type': mediaTypes.ociManifest }).end()],
    [
      'says no real digest',
      (_, response) => void response.writeHead(200, { 'docker-content-digest': 'sha256:1' }).end(),
    ],
  ])('that %s is asked by GET, and followed when its tag moves', async (title, head) => {
    const tag = title.replaceAll(' ', '-');
    const serve = (seed: string): Digest => {
      const { digest } = upstream.image(seed, tag);
      const get = upstream.scripts.get(`manifests/${tag}`) as Script;
      upstream.scripts.set(`manifests/${tag}`, (request, response) =>
        request.method === 'HEAD' ? head(request, response) : get(request, response),
      );
      return digest;
    };
    const first = serve(`first ${title}`);
    expect((await manifest(tag)).headers.get('docker-content-digest')).toBe(first);
    await cache.upstreams.settled();
    const second = serve(`second ${title}`);
    expect((await manifest(tag)).headers.get('docker-content-digest')).toBe(second);
    await cache.upstreams.settled();
    expect((await cache.images.resolve(account, name, tag))?.digest).toBe(second);
  });
});

test.each([
  ['text/plain', {}, mediaTypes.ociManifest],
  ['application/octet-stream', { mediaType: mediaTypes.dockerManifest }, mediaTypes.dockerManifest],
  [mediaTypes.ociIndex, {}, mediaTypes.ociManifest],
  [mediaTypes.ociIndex, { mediaType: mediaTypes.ociManifest }, mediaTypes.ociManifest],
  [mediaTypes.dockerManifest, {}, mediaTypes.dockerManifest],
])('a manifest that upstream sends as %s with %o is served as what it is', async (type, members, expected) => {
  const config = Buffer.from(JSON.stringify({ type, members }));
  const digest = upstream.blob(config);
  const described = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length };
  const sent = upstream.manifest({ schemaVersion: 2, ...members, config: described, layers: [] }, { type });
  const first = await manifest(sent.digest);
  expect([first.status, first.headers.get('content-type')]).toEqual([200, expected]);
  await cache.upstreams.settled();
  expect((await manifest(sent.digest)).headers.get('content-type')).toBe(expected);
  expect(await isHere(sent.digest)).toBe(true);
});

describe('a failed pull', () => {
  const puller = async (): Promise<Fetch> =>
    loggedIn(
      cache,
      await newUser(cache, `puller-${Math.random().toString(36).slice(2)}`, [
        {
          Effect: 'Allow',
          Action: [
            'ecr:GetAuthorizationToken',
            'ecr:BatchGetImage',
            'ecr:BatchImportUpstreamImage',
            'ecr:CreateRepository',
          ],
          Resource: '*',
        },
      ]),
    );

  test('leaves a line and a count with the cause, and tells it to those who may know', async () => {
    const answer = await pull('GET', '/v2/away/app/manifests/v1');
    expect(answer.status).toBe(503);
    expect(await answer.text()).toMatch(
      /cannot be reached, or does not answer as it should: gone\.test|127\.0\.0\.1:9/,
    );
    expect(failures).toEqual(['gone.test unavailable']);
    expect(await cache.told()).toMatch(
      /"upstream":"gone\.test","repository":"away\/app","reference":"v1".*ECONNREFUSED/,
    );
    const stranger = await (await puller())('GET', '/v2/away/app/manifests/v1');
    expect(stranger.status).toBe(503);
    expect(await stranger.text()).not.toMatch(/ECONNREFUSED|127\.0\.0\.1|gone\.test/);
  });

  test('what is not there, and an import that fails, are noted as well', async () => {
    expect((await manifest('never')).status).toBe(404);
    expect(failures).toEqual(['upstream.test not-found']);
    const config = Buffer.from('{}');
    const broken = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256('x'), size: config.length };
    upstream.scripts.set(`blobs/${sha256('x')}`, (_, response) => void response.end(config));
    upstream.manifest({ schemaVersion: 2, config: broken, layers: [] }, { tag: 'broken' });
    expect((await manifest('broken')).status).toBe(200);
    await cache.upstreams.settled();
    expect(failures.slice(1)).toEqual(['upstream.test unusable']);
    expect(await cache.told()).toMatch(/"reference":"broken".*hash/);
  });
});

describe('what was pulled before', () => {
  let digest: Digest;
  const answerWith = (status: number): void =>
    void upstream.scripts.set('manifests/kept', (_, response) => void response.writeHead(status).end());
  beforeAll(async () => {
    ({ digest } = upstream.image('kept', 'kept'));
    await manifest('kept');
    await cache.upstreams.settled();
  });

  test.each([401, 403, 451])('is refused when upstream refuses it (%i)', async (status) => {
    answerWith(status);
    const answer = await manifest('kept');
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('upstream registry of hub/app refuses');
    expect((await pull('HEAD', `/v2/${name}/manifests/kept`)).status).toBe(403);
  });

  test.each([404, 429, 500, 503])('is given when upstream cannot say anything better (%i)', async (status) => {
    answerWith(status);
    const answer = await manifest('kept');
    expect([answer.status, answer.headers.get('docker-content-digest')]).toEqual([200, digest]);
  });
});

describe('referrers', () => {
  const referrers = async (subject: string, query = ''): Promise<{ digest: string; artifactType?: string }[]> => {
    const answer = await pull('GET', `/v2/${name}/referrers/${subject}${query}`);
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { manifests: { digest: string }[] }).manifests;
  };
  const attached = (subject: object, artifactType: string) => {
    const empty = Buffer.from('{}');
    const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: upstream.blob(empty), size: 2 };
    const value = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType, config, layers: [], subject };
    return { ...upstream.manifest(value), artifactType };
  };
  const serveList = (path: string, manifests: readonly object[], headers: Record<string, string> = {}): void =>
    void upstream.scripts.set(path, (_, response) => {
      response.writeHead(200, { 'content-type': mediaTypes.ociIndex, ...headers });
      response.end(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
    });

  test('are those upstream, all pages of them, and can be pulled', async () => {
    const subject = upstream.image('signed');
    const [signature, sbom] = [attached(subject, 'test/signature'), attached(subject, 'test/sbom')];
    serveList(`referrers/${subject.digest}`, [signature], {
      link: `</v2/app/referrers/${subject.digest}?n=1&last=x>; rel="next"`,
    });
    serveList(`referrers/${subject.digest}?n=1&last=x`, [sbom]);
    const all = await referrers(subject.digest);
    expect(all.map(({ digest }) => digest)).toEqual([signature.digest, sbom.digest].sort());
    expect(await referrers(subject.digest, '?artifactType=test/sbom')).toMatchObject([sbom]);
    expect((await manifest(sbom.digest)).status).toBe(200);
    await cache.upstreams.settled();
    expect(await isHere(sbom.digest)).toBe(true);
    // It is here now, and shown once.
    expect(await referrers(subject.digest)).toHaveLength(2);
    const paged = await referrers(subject.digest, '?n=1');
    const rest = await referrers(subject.digest, `?n=1&last=${paged[0]?.digest}`);
    expect([...paged, ...rest].map(({ digest }) => digest)).toEqual(all.map(({ digest }) => digest));
  });

  test('come from the fallback tag of an upstream without the API', async () => {
    const subject = upstream.image('tagged');
    const signature = attached(subject, 'test/signature');
    serveList(`manifests/${subject.digest.replace(':', '-')}`, [signature]);
    expect(await referrers(subject.digest)).toMatchObject([signature]);
  });

  test('are those that are here when upstream fails, and none when it refuses', async () => {
    const [failing, refusing] = [upstream.image('failing'), upstream.image('refusing')];
    upstream.scripts.set(`referrers/${failing.digest}`, (_, response) => void response.writeHead(500).end());
    expect(await referrers(failing.digest)).toEqual([]);
    upstream.scripts.set(`referrers/${refusing.digest}`, (_, response) => void response.writeHead(403).end());
    expect((await pull('GET', `/v2/${name}/referrers/${refusing.digest}`)).status).toBe(403);
    expect(failures).toEqual(['upstream.test unavailable', 'upstream.test denied']);
  });

  test('that are no list are no answer', async () => {
    const subject = upstream.image('odd');
    serveList(`referrers/${subject.digest}`, [{ digest: '../../etc/passwd', size: -1, mediaType: '' }]);
    expect(await referrers(subject.digest)).toEqual([]);
    expect(failures).toEqual(['upstream.test corrupt']);
  });
});

test('a token that docker asks for a pull is enough for the first pull of a repository', async () => {
  upstream.image('token', 'token');
  const login = { headers: { authorization: `Basic ${btoa(`AWS:${await passwordOf(cache)}`)}` } };
  const scope = 'repository:hub/fresh/app:pull';
  const { token } = (await (await fetch(`${cache.url}/token?scope=${scope}`, login)).json()) as { token: string };
  upstream.scripts.set('/v2/fresh/app/manifests/token', upstream.scripts.get('manifests/token') as Script);
  const answer = await fetch(`${cache.url}/v2/hub/fresh/app/manifests/token`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(answer.status).toBe(200);
});
