import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../testbed/clients/client.ts';
import { type CuttingProxy, startCuttingProxy } from '../../testbed/clients/cutting-proxy.ts';
import { startDaemon } from '../../testbed/clients/daemon.ts';
import { blobsOf, makeSampleImage, type SampleImage, tarOf } from '../../testbed/clients/oci-layout.ts';
import { builtClient, type ClientProgram, installedClient, newerClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, startClientRegistry } from '../../testbed/clients/registry.ts';
import { check } from '../../testbed/command.ts';
import { missingDocker } from '../../testbed/docker.ts';

/** What clients do when a connection breaks in the middle of a layer: those that go on by themselves must arrive at the same bytes. */
const docker = installedClient('docker');
const missingEngine = docker.missing ?? (await missingDocker());
if (missingEngine !== undefined && process.env['CI'] !== undefined) throw new Error(missingEngine);
const regctl = await builtClient('regctl');
const crane = await builtClient('crane');
const skopeo = await newerClient('skopeo');
const containerd = await newerClient('containerd');
const ctrProgram = await newerClient('ctr');

const after = 2_500_000;
let registry: ClientRegistry;
let image: SampleImage;
beforeAll(async () => {
  registry = await startClientRegistry();
  image = makeSampleImage(join(registry.folder, 'sample'), 5_000_000);
});
afterAll(async () => registry[Symbol.asyncDispose]());

/** A client that pulls and pushes through a proxy of its own. */
async function behindProxy(program: ClientProgram, name: string, before: readonly string[] = []) {
  const proxy = await startCuttingProxy(registry.host, after);
  const client = new Client(program, join(registry.folder, name), before);
  return { proxy, client, reference: `${proxy.host}/cuts/${name}:v1` };
}

async function regctlTo(proxy: CuttingProxy, client: Client): Promise<void> {
  await client.do('registry', 'set', proxy.host, '--tls', 'disabled', '--skip-check');
  await client.do('registry', 'login', proxy.host, '-u', 'AWS', '-p', registry.password);
}

test.skipIf(regctl.missing)('regctl pushes in another form and resumes a pull', async () => {
  const { proxy, client, reference } = await behindProxy(regctl, 'regctl');
  await using _ = proxy;
  await regctlTo(proxy, client);
  await client.do('image', 'copy', `ocidir://${image.folder}:latest`, reference);
  expect(proxy.cutUploads).toBe(1);
  await client.do('image', 'copy', reference, 'ocidir://out:latest');
  expect(blobsOf(join(client.folder, 'out'))).toEqual(blobsOf(image.folder));
  expect(proxy.cutDownloads).toBe(1);
  expect(proxy.resumedAt[0]).toBeGreaterThan(0);
});

test.skipIf(crane.missing)('crane sends the layer again', async () => {
  const { proxy, client, reference } = await behindProxy(crane, 'crane');
  await using _ = proxy;
  await client.do('auth', 'login', proxy.host, '-u', 'AWS', '-p', registry.password);
  await client.do('push', '--index', image.folder, reference);
  expect(proxy.cutUploads).toBe(1);
  const whole = reference.replace(proxy.host, registry.host);
  await client.do('auth', 'login', registry.host, '-u', 'AWS', '-p', registry.password);
  await client.do('validate', '--remote', whole);
});

test.skipIf(skopeo.missing)('skopeo tries a push again when asked to, and resumes a pull', async () => {
  const { proxy, client, reference } = await behindProxy(skopeo, 'skopeo', ['--insecure-policy']);
  await using _ = proxy;
  await check('cp', ['-r', image.folder, join(client.folder, 'in')]);
  await client.do('login', '--tls-verify=false', '-u', 'AWS', '-p', registry.password, proxy.host);
  const again = ['copy', '--all', '--retry-times', '2', '--src-tls-verify=false', '--dest-tls-verify=false'];
  const push = [...again, 'oci:in:latest', `docker://${reference}`];
  const first = await client.try(push);
  // skopeo takes a reset for worth another try, but not a connection that its own HTTP transport has closed because of it.
  const closed = first.code !== 0 && first.stderr.includes('use of closed network connection');
  expect(closed ? await client.try(push) : first).toMatchObject({ code: 0 });
  expect(proxy.cutUploads).toBe(1);
  await client.do('copy', '--all', '--src-tls-verify=false', `docker://${reference}`, 'oci:out:latest');
  expect(blobsOf(join(client.folder, 'out'))).toEqual(blobsOf(image.folder));
  expect(proxy.cutDownloads).toBe(1);
  expect(proxy.resumedAt[0]).toBeGreaterThan(0);
});

test.skipIf(containerd.missing ?? ctrProgram.missing)('containerd resumes a pull', async () => {
  const { proxy, client, reference } = await behindProxy(containerd, 'containerd');
  await using _ = proxy;
  const ctr = (socket: string): Client =>
    new Client({ ...ctrProgram, name: 'containerd' }, join(registry.folder, 'containerd'), ['--address', socket]);
  await using daemon = await startDaemon(
    client,
    (socket) => ['--root', join(client.folder, 'root'), '--state', join(client.folder, 'state'), '--address', socket],
    (socket) => ctr(socket).do('version'),
  );
  await check('sh', ['-c', `tar -cf "$1" -C "$2" .`, 'sh', join(client.folder, 'sample.tar'), image.folder]);
  const own = ctr(daemon.socket);
  const direct = reference.replace(proxy.host, registry.host);
  const login = ['--plain-http', '--user', `AWS:${registry.password}`];
  const base = direct.replace(/:v1$/, '');
  await own.do('images', 'import', '--all-platforms', '--no-unpack', '--base-name', base, 'sample.tar');
  await own.do('images', 'push', ...login, direct, `${base}:latest`);
  await own.do('images', 'rm', '--sync', ...(await own.do('images', 'ls', '-q')).split('\n'));
  await own.do('images', 'pull', '--all-platforms', ...login, reference);
  expect(proxy.cutDownloads).toBe(1);
  expect(proxy.resumedAt[0]).toBeGreaterThan(0);
  await own.do('images', 'export', '--all-platforms', 'out.tar', reference);
  await check('sh', ['-c', 'mkdir out && tar -xf out.tar -C out'], { cwd: own.folder });
  expect(blobsOf(join(own.folder, 'out'))).toEqual(blobsOf(image.folder));
});

test.skipIf(missingEngine)('docker pushes again and resumes a pull', async () => {
  const { proxy, client, reference } = await behindProxy(docker, 'docker');
  await using _ = proxy;
  writeFileSync(join(client.folder, 'layer.tar'), tarOf('content', randomBytes(5_000_000)));
  try {
    await client.try(['login', '--username', 'AWS', '--password-stdin', proxy.host], { input: registry.password });
    await client.do('import', 'layer.tar', reference);
    const id = await client.do('image', 'inspect', '--format', '{{.Id}}', reference);
    await client.do('push', reference);
    expect(proxy.cutUploads).toBe(1);
    await client.do('image', 'rm', '--force', reference);
    await client.do('pull', reference);
    expect(await client.do('image', 'inspect', '--format', '{{.Id}}', reference)).toBe(id);
    expect(proxy.cutDownloads).toBe(1);
    expect(proxy.resumedAt[0]).toBeGreaterThan(0);
  } finally {
    await client.try(['image', 'rm', '--force', reference]);
  }
});
