import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { passwordOf } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';

const run = promisify(execFile);

const works = (command: string, ...args: string[]): Promise<boolean> =>
  run(command, args, { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
const required = process.env['CI'] !== undefined;
const hasDocker = (await works('docker', 'info')) || required;
const hasSkopeo = (await works('skopeo', '--version')) || required;

let registry: ServedRegistry;
let password: string;
let folder: string;

beforeAll(async () => {
  registry = await serveRegistry();
  password = await passwordOf(registry);
  folder = await mkdtemp(join(tmpdir(), 'slipway-clients-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await registry[Symbol.asyncDispose]();
  if (registry.failures.length > 0)
    throw new Error('the registry failed on its own account', { cause: registry.failures });
});

describe.skipIf(!hasDocker)('the docker command line', () => {
  test('logs in, pushes, removes its copy, pulls it again and finds the same image; a second push moves nothing', async () => {
    const docker = async (...args: string[]): Promise<string> =>
      (await run('docker', ['--config', folder, ...args], { timeout: 120_000 })).stdout.trim();
    const image = `${registry.host}/registry-clients/web:prod`;
    // An image of one file, made here: nothing can be pulled from elsewhere.
    await writeFile(join(folder, 'content'), randomBytes(300_000));
    await run('tar', ['-cf', join(folder, 'layer.tar'), '-C', folder, 'content']);
    try {
      await docker('import', join(folder, 'layer.tar'), image);
      await expect(run('docker', ['--config', folder, 'push', image])).rejects.toMatchObject({
        stderr: expect.stringMatching(/no basic auth|unauthorized|authentication required/i),
      });
      const login = run('docker', [
        '--config',
        folder,
        'login',
        '--username',
        'AWS',
        '--password-stdin',
        registry.host,
      ]);
      login.child.stdin?.end(password);
      expect((await login).stdout).toContain('Login Succeeded');
      const pushed = await docker('push', image);
      const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1];
      expect((await registry.images.resolve(account, 'registry-clients/web', 'prod'))?.digest).toBe(digest);
      expect(await docker('push', image)).toContain('Layer already exists');
      const id = await docker('image', 'inspect', '--format', '{{.Id}}', image);
      await docker('image', 'rm', '--force', image);
      expect(await docker('pull', image)).toContain(digest);
      expect(await docker('image', 'inspect', '--format', '{{.Id}}', image)).toBe(id);
    } finally {
      await run('docker', ['image', 'rm', '--force', image]).catch(() => {});
    }
  }, 180_000);
});

describe.skipIf(!hasSkopeo)('skopeo', () => {
  test('copies an OCI image in, across repositories by mount, and out again; inspects and deletes', async () => {
    const { images } = registry;
    const credentials = [
      '--src-creds',
      `AWS:${password}`,
      '--dest-creds',
      `AWS:${password}`,
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
    ];
    const skopeo = async (...args: string[]): Promise<string> =>
      (await run('skopeo', ['--insecure-policy', ...args], { timeout: 60_000 })).stdout;
    const layout = await ociLayout(join(folder, 'layout'));
    await skopeo('copy', ...credentials, `oci:${layout}:latest`, `docker://${registry.host}/registry-clients/one:v1`);
    await skopeo(
      'copy',
      ...credentials,
      `docker://${registry.host}/registry-clients/one:v1`,
      `docker://${registry.host}/registry-clients/two:v1`,
    );
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) => images.resolve(account, `registry-clients/${name}`, 'v1')),
    );
    expect(one?.digest).toBe(two?.digest);
    const inspected = JSON.parse(
      await skopeo(
        'inspect',
        '--creds',
        `AWS:${password}`,
        '--tls-verify=false',
        `docker://${registry.host}/registry-clients/two:v1`,
      ),
    ) as { Digest: string; RepoTags: string[] };
    expect(inspected).toMatchObject({ Digest: one?.digest, RepoTags: ['v1'] });
    await skopeo(
      'copy',
      ...credentials,
      `docker://${registry.host}/registry-clients/two:v1`,
      `oci:${join(folder, 'out')}:latest`,
    );
    await skopeo(
      'delete',
      '--creds',
      `AWS:${password}`,
      '--tls-verify=false',
      `docker://${registry.host}/registry-clients/two:v1`,
    );
    expect(await images.resolve(account, 'registry-clients/two', 'v1')).toBeUndefined();
  }, 120_000);
});

/** A small OCI image layout on disk. */
async function ociLayout(path: string): Promise<string> {
  await mkdir(join(path, 'blobs', 'sha256'), { recursive: true });
  const write = async (bytes: Buffer, mediaType: string) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(path, 'blobs', 'sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const tar = Buffer.alloc(1024);
  const layer = await write(gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip');
  const diff = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  const configBytes = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [diff] } }),
  );
  const config = await write(configBytes, 'application/vnd.oci.image.config.v1+json');
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await write(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] })),
    mediaType,
  );
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const entry = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  return path;
}
