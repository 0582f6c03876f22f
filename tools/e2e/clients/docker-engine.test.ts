import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../testbed/clients/client.ts';
import { type Daemon, startDaemon } from '../../testbed/clients/daemon.ts';
import { blobsOf } from '../../testbed/clients/oci-layout.ts';
import { builtClient, inNewerTree, newerClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, count, startClientRegistry } from '../../testbed/clients/registry.ts';
import { check } from '../../testbed/command.ts';

/** The newest docker engine, whose images lie in containerd's store and whose builder is BuildKit; with a newer command line and buildx. */
const engine = await inNewerTree(await builtClient('dockerd'));
const commandLine = await newerClient('docker');
const missing = engine.missing ?? commandLine.missing;

const bridge = `slipway-${process.pid}`;
let registry: ClientRegistry;
let daemon: Daemon;
let docker: Client;

beforeAll(async () => {
  if (missing) return;
  registry = await startClientRegistry();
  const server = new Client(engine, registry.folder);
  const state = (name: string): string => join(server.folder, name);
  // Both see the daemon's folder, in which its socket lies.
  const cli = (socket: string): Client =>
    new Client({ ...commandLine, name: 'dockerd' }, registry.folder, ['--host', `unix://${socket}`]);
  // Without a bridge of its own the engine would make docker0, which another one here uses, or remove it.
  await check('ip', ['link', 'add', bridge, 'type', 'bridge']);
  await check('ip', ['addr', 'add', '198.51.100.1/24', 'dev', bridge]);
  daemon = await startDaemon(
    server,
    (socket) =>
      [
        ['--data-root', state('data'), '--exec-root', state('exec'), '--pidfile', state('pid')],
        ['--host', `unix://${socket}`, '--bridge', bridge],
        ['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--userland-proxy=false'],
      ].flat(),
    (socket) => cli(socket).do('version'),
  );
  docker = cli(daemon.socket);
  writeFileSync(join(docker.folder, 'content'), randomBytes(200_000));
  writeFileSync(join(docker.folder, 'Dockerfile'), 'FROM scratch\nCOPY content /content\nCMD ["/content"]\n');
});
afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  if (!missing) await check('ip', ['link', 'del', bridge]);
  await registry?.[Symbol.asyncDispose]();
});

test.skipIf(missing)('refuses a wrong password and takes the right one', async () => {
  const login = ['login', '--username', 'AWS', '--password-stdin', registry.host];
  expect((await docker.try(login, { input: 'wrong' })).code).not.toBe(0);
  expect((await docker.try(login, { input: registry.password })).stdout).toContain('Login Succeeded');
});

const build = (...args: string[]) => docker.try(['buildx', 'build', '--progress', 'plain', ...args, '.']);
const raw = async (reference: string): Promise<{ manifests: { mediaType: string; platform?: object }[] }> =>
  JSON.parse(await docker.do('buildx', 'imagetools', 'inspect', '--raw', reference));

test.skipIf(missing)(
  'builds for two architectures with attestations, pushes, pushes elsewhere by mount, pulls byte for byte',
  async () => {
    const [one, two] = [`${registry.host}/docker/one:v1`, `${registry.host}/docker/two:v1`];
    const platforms = ['--platform', 'linux/amd64,linux/arm64'];
    const built = await build(...platforms, '--provenance', 'mode=max', '--tag', one, '--push');
    expect(built.code, built.stderr).toBe(0);
    const { manifests } = await raw(one);
    expect(manifests.map(({ platform }) => platform)).toEqual([
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
      { architecture: 'unknown', os: 'unknown' },
      { architecture: 'unknown', os: 'unknown' },
    ]);
    expect(await docker.do('buildx', 'imagetools', 'inspect', one, '--format', '{{json .Provenance}}')).toContain(
      'buildType',
    );
    await docker.do('tag', one, two);
    await registry.requests();
    await docker.do('push', two);
    const pushed = await registry.requests();
    // The layer; what the builder pushed besides, the engine does not know to be there.
    expect(count(pushed, 'POST mount', 201)).toBe(1);
    await docker.do('save', '--output', 'before.tar', two);
    await docker.do('image', 'rm', '--force', one, two);
    await docker.do('buildx', 'prune', '--all', '--force');
    await docker.do('pull', '--platform', 'linux/arm64', two);
    await docker.do('pull', two);
    await docker.do('save', '--output', 'after.tar', two);
    await check('sh', ['-c', 'for x in before after; do mkdir $x && tar -xf $x.tar -C $x; done'], {
      cwd: docker.folder,
    });
    const [before, after] = ['before', 'after'].map((name) => blobsOf(join(docker.folder, name)));
    expect(before).toEqual(expect.arrayContaining(after ?? []));
    expect(after?.length).toBeGreaterThanOrEqual(6);
    await docker.do('buildx', 'imagetools', 'create', '--tag', `${registry.host}/docker/three:v1`, one);
    expect(await raw(`${registry.host}/docker/three:v1`)).toEqual(await raw(one));
  },
);

test.skipIf(missing).each([
  { form: 'an image', options: 'image-manifest=true' },
  { form: 'an index of layers', options: 'image-manifest=false' },
])('keeps the cache of a build as $form, and builds from it when its own is gone', async ({ form, options }) => {
  const name = `${registry.host}/docker/${form.replaceAll(' ', '-')}`;
  const cache = `type=registry,ref=${name}:cache`;
  // A cache of their own for each: what lies elsewhere already is not exported again.
  writeFileSync(join(docker.folder, 'content'), randomBytes(200_000));
  const written = await build('--cache-to', `${cache},mode=max,${options}`, '--tag', `${name}:one`, '--push');
  expect(written.code, written.stderr).toBe(0);
  expect(JSON.stringify(await raw(`${name}:cache`))).toContain('application/vnd.buildkit.cacheconfig.v0');
  await docker.do('image', 'rm', '--force', `${name}:one`);
  await docker.do('buildx', 'prune', '--all', '--force');
  const read = await build('--cache-from', cache, '--tag', `${name}:two`, '--push');
  expect(read.code, read.stderr).toBe(0);
  // The step fetches its layer instead of being done.
  expect(read.stderr).toMatch(/COPY content \/content\n#\d+ sha256:[0-9a-f]{64} [\d.]+kB/);
});

test.skipIf(missing).each(['zstd', 'estargz'])('pushes layers compressed as %s and pulls them', async (compression) => {
  const name = `${registry.host}/docker/${compression}:v1`;
  const output = `type=image,name=${name},push=true,oci-mediatypes=true,compression=${compression},force-compression=true`;
  const built = await build('--output', output);
  expect(built.code, built.stderr).toBe(0);
  await docker.try(['image', 'rm', '--force', name]);
  await docker.do('buildx', 'prune', '--all', '--force');
  await docker.do('pull', name);
  await docker.do('save', '--output', `${compression}.tar`, name);
  const listed = await check('tar', ['-xOf', `${compression}.tar`, 'index.json'], { cwd: docker.folder });
  expect(listed).toContain('manifests');
});
