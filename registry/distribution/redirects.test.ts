import { GetDownloadUrlForLayerCommand } from '@aws-sdk/client-ecr';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as open } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRepositoryName } from '../images/index.ts';
import { ecrClient, type Fetch, loggedIn, passwordOf } from '../testing/docker-client.ts';
import { type Engines, missingEngine, startEngines } from '../testing/engines.ts';
import { breakOff } from '../testing/playground.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { newUser } from '../testing/users.ts';
import { createRedirects, redirectsTag } from './index.ts';

const execute = promisify(execFile);
const missing = missingEngine('Redis and S3');
const works = (command: string, ...args: string[]): Promise<boolean> =>
  execute(command, args, { timeout: 180_000 }).then(
    () => true,
    () => process.env['CI'] !== undefined,
  );
const [hasDocker, hasSkopeo] = [await works('docker', 'info'), await works('skopeo', '--version')];

describe.skipIf(missing !== undefined)('pulls of blobs on a real S3 store', () => {
  let engines: Engines;
  let registry: ServedRegistry;
  let request: Fetch;
  let folder: string;
  const layer = randomBytes(120_000);
  const digest = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  const path = (repository: string): string => `/v2/${repository}/blobs/${digest}`;

  beforeAll(async () => {
    engines = await startEngines('Redis and S3');
    registry = await serveRegistry({
      ...engines,
      redirects: createRedirects({ byDefault: true, exceptAgents: ['*behind-a-wall*'] }),
    });
    request = await loggedIn(registry);
    folder = await mkdtemp(join(tmpdir(), 'slipway-redirects-'));
    const { repositories } = registry.images;
    const make = (name: string, tags: Record<string, string> = {}) =>
      repositories.create(account, { name: parseRepositoryName(name), tags }, 'test');
    await Promise.all([make('team/web'), make('team/other'), make('team/direct', { [redirectsTag]: 'off' })]);
    for (const name of ['team/web', 'team/direct']) {
      const start = await request('POST', `/v2/${name}/blobs/uploads/`);
      const end = await request('PUT', `${start.headers.get('location') ?? ''}?digest=${digest}`, { body: layer });
      if (end.status !== 201) throw new Error(`the layer was not pushed: ${end.status}`);
    }
  }, 600_000);
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await registry[Symbol.asyncDispose]();
    await engines[Symbol.asyncDispose]();
    if (registry.failures.length > 0) throw new Error('the registry failed', { cause: registry.failures });
  });

  test('R1: a GET is answered 307 with a URL that gives these bytes for at most five minutes, and only to a GET', async () => {
    const answer = await request('GET', path('team/web'));
    expect(answer.status).toBe(307);
    expect(answer.headers.get('docker-content-digest')).toBe(digest);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const url = answer.headers.get('location') ?? '';
    expect(Number(new URL(url).searchParams.get('X-Amz-Expires'))).toBeLessThanOrEqual(300);
    const direct = await fetch(url);
    expect(Buffer.from(await direct.arrayBuffer()).equals(layer)).toBe(true);
    expect((await fetch(url, { method: 'PUT', body: 'other' })).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
    const elsewhere = new URL(url);
    elsewhere.pathname += 'x';
    expect((await fetch(elsewhere)).status).toBe(403);
  });

  test('R1: who may pull from one repository gets no URL for a blob that only another repository has', async () => {
    expect((await request('GET', path('team/other'))).status).toBe(404);
    const key = await newUser(registry, 'narrow', [
      { Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
      { Effect: 'Allow', Action: 'ecr:*', Resource: `arn:aws:ecr:us-east-1:${account}:repository/team/other` },
    ]);
    const narrow = await loggedIn(registry, key);
    for (const name of ['team/web', 'team/other']) {
      const answer = await narrow('GET', path(name));
      expect([403, 404]).toContain(answer.status);
      expect(answer.headers.get('location')).toBeNull();
    }
  });

  test('HEAD, and a range that cannot be, are answered from here', async () => {
    const head = await request('HEAD', path('team/web'));
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(layer.length)]);
    const range = await request('GET', path('team/web'), { headers: { range: `bytes=${layer.length}-` } });
    expect([range.status, range.headers.get('content-range')]).toEqual([416, `bytes */${layer.length}`]);
    expect(
      (
        await request(
          'GET',
          path('team/web').replace(/.$/, (hex) => (hex === '0' ? '1' : '0')),
        )
      ).status,
    ).toBe(404);
  });

  test('a range is served by the store behind the redirect', async () => {
    const answer = await request('GET', path('team/web'), { headers: { range: 'bytes=100-199' } });
    expect(answer.status).toBe(307);
    const part = await fetch(answer.headers.get('location') ?? '', { headers: { range: 'bytes=100-199' } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(layer.subarray(100, 200))).toBe(true);
  });

  test.each([
    ['a repository whose tag says off', 'team/direct', {}],
    ['a client whose User-Agent is excepted', 'team/web', { 'user-agent': 'tool/1.0 (behind-a-wall)' }],
    ['a client that asks for it', 'team/web', { 'slipway-redirects': 'off' }],
  ])('%s is served from here', async (_who, repository, headers) => {
    const answer = await request('GET', path(repository), { headers });
    expect(answer.status).toBe(200);
    expect(Buffer.from(await answer.arrayBuffer()).equals(layer)).toBe(true);
  });

  test('a client that breaks the connection in the middle of what is served from here leaves no error behind', async () => {
    const large = randomBytes(8_000_000);
    const named = `sha256:${createHash('sha256').update(large).digest('hex')}`;
    expect((await request('POST', `/v2/team/direct/blobs/uploads/?digest=${named}`, { body: large })).status).toBe(201);
    await Promise.all(Array.from({ length: 20 }, () => breakOff(registry, `/v2/team/direct/blobs/${named}`)));
    const breaks = async () => (await registry.told()).match(/"operation":"GET blob".*"status":200/g)?.length;
    await expect.poll(breaks).toBeGreaterThanOrEqual(20);
    expect(registry.failures).toEqual([]);
  });

  test("a client's own wish counts before the repository's tag", async () => {
    expect((await request('GET', path('team/direct'), { headers: { 'slipway-redirects': 'on' } })).status).toBe(307);
  });

  test('R2, R4: no credential in the URL, and a hostile Host header moves nothing', async () => {
    const authorization = `Basic ${Buffer.from(`AWS:${await passwordOf(registry)}`).toString('base64')}`;
    const answers = await Promise.all(
      ['evil.example', 'evil.example:443'].map(
        (host) =>
          new Promise<{ status: number; location: string }>((resolve, reject) => {
            const sent = open(registry.url + path('team/web'), { headers: { host, authorization } }, (response) => {
              response.resume();
              resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '' });
            });
            sent.on('error', reject).end();
          }),
      ),
    );
    for (const { status, location } of answers) {
      expect([307, 400, 403, 421]).toContain(status);
      expect(location).not.toContain('evil');
      expect(location).not.toContain(authorization.slice(6));
    }
    const push = await request('POST', '/v2/team/web/blobs/uploads/');
    expect(push.headers.get('location')).toMatch(/^\/v2\//);
  });

  test('R6: the URLs that let anybody fetch bytes are in no log, audit line or metric', async () => {
    const direct = (await request('GET', path('team/web'))).headers.get('location') ?? '';
    const ecr = ecrClient(registry);
    const { downloadUrl = '' } = await ecr.send(
      new GetDownloadUrlForLayerCommand({ repositoryName: 'team/web', layerDigest: digest }),
    );
    ecr.destroy();
    // A client that says where it comes from tells us the URL again.
    expect((await request('GET', path('team/none'), { headers: { referer: direct } })).status).toBe(404);
    await expect.poll(() => registry.told()).toContain('"operation":"GetDownloadUrlForLayer"');
    const told = await registry.told();
    expect(told).toContain('"operation":"GET blob"');
    for (const url of [direct, downloadUrl]) {
      const { searchParams, pathname } = new URL(url);
      expect(told).not.toContain(searchParams.get('X-Amz-Signature'));
      expect(told).not.toContain(pathname);
    }
  });

  test.skipIf(!hasSkopeo)(
    'skopeo pushes, and pulls through the redirect',
    async () => {
      await writeFile(join(folder, 'content'), layer);
      await execute('tar', ['-cf', join(folder, 'layer.tar'), '-C', folder, 'content']);
      const config = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}');
      const blob = async (bytes: Buffer) => {
        const named = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
        const start = await request('POST', '/v2/team/web/blobs/uploads/');
        await request('PUT', `${start.headers.get('location') ?? ''}?digest=${named}`, { body: bytes });
        return { digest: named, size: bytes.length };
      };
      const tar = await readFile(join(folder, 'layer.tar'));
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await blob(config)) },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...(await blob(tar)) }],
      });
      const put = await request('PUT', '/v2/team/web/manifests/skopeo', {
        headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
        body: manifest,
      });
      expect(put.status).toBe(201);
      const login = `AWS:${await passwordOf(registry)}`;
      const from = `docker://${registry.host}/team/web:skopeo`;
      const to = join(folder, 'copy');
      await execute('skopeo', ['copy', '--src-tls-verify=false', '--src-creds', login, from, `dir:${to}`], {
        timeout: 180_000,
      });
      const name = createHash('sha256').update(tar).digest('hex');
      expect((await readFile(join(to, name))).equals(tar)).toBe(true);
    },
    600_000,
  );

  test.skipIf(!hasDocker)(
    'docker pushes, removes its copy, and pulls through the redirect',
    async () => {
      const image = `${registry.host}/team/web:docker`;
      const docker = async (...args: string[]): Promise<string> =>
        (await execute('docker', ['--config', folder, ...args], { timeout: 120_000 })).stdout.trim();
      await writeFile(join(folder, 'own'), randomBytes(50_000));
      await execute('tar', ['-cf', join(folder, 'own.tar'), '-C', folder, 'own']);
      try {
        await docker('import', join(folder, 'own.tar'), image);
        await docker('login', '-u', 'AWS', '-p', await passwordOf(registry), registry.host);
        await docker('push', image);
        const id = await docker('image', 'inspect', '--format', '{{.Id}}', image);
        await docker('image', 'rm', '--force', image);
        await docker('pull', image);
        expect(await docker('image', 'inspect', '--format', '{{.Id}}', image)).toBe(id);
      } finally {
        await execute('docker', ['image', 'rm', '--force', image]).catch(() => {});
      }
    },
    600_000,
  );
});
