import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client, ownStorage } from '../../testbed/clients/client.ts';
import { blobsOf, makeSampleImage, type SampleImage } from '../../testbed/clients/oci-layout.ts';
import { installedClient, newerClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, count, startClientRegistry } from '../../testbed/clients/registry.ts';
import { check } from '../../testbed/command.ts';

/** skopeo, podman and buildah share one library, github.com/containers/image: Debian 12's and the newer one. */
const generations = [
  { age: 'installed', find: async (name: string) => installedClient(name) },
  { age: 'newer', find: newerClient },
];
const programs = await Promise.all(
  generations.map(async ({ age, find }) => ({
    age,
    skopeo: await find('skopeo'),
    podman: await find('podman'),
    buildah: await find('buildah'),
  })),
);

let registry: ClientRegistry;
let image: SampleImage;

beforeAll(async () => {
  registry = await startClientRegistry();
  image = makeSampleImage(join(registry.folder, 'sample'));
});
afterAll(async () => registry[Symbol.asyncDispose]());

describe.each(programs)('$age', ({ age, skopeo: skopeoProgram, podman: podmanProgram, buildah: buildahProgram }) => {
  const home = (): string => join(registry.folder, age);
  const plain = '--tls-verify=false';
  const login = (client: Client) =>
    client.do('login', plain, '--username', 'AWS', '--password', registry.password, registry.host);
  /** Files that a client reads must lie in its folder: the newer ones see nothing else. */
  const give = (client: Client, name: string, bytes: Buffer): string => {
    const path = join(client.folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  test.skipIf(skopeoProgram.missing)(
    'skopeo copies an image of two architectures in, to another repository by mount, and out again byte for byte',
    async () => {
      const skopeo = new Client(skopeoProgram, home(), ['--insecure-policy']);
      const layout = join(skopeo.folder, 'in');
      await check('cp', ['-r', image.folder, layout]);
      const at = (name: string): string => `docker://${registry.host}/${age}/${name}`;
      const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
      await login(skopeo);
      await skopeo.do('copy', '--all', ...insecure, `oci:${layout}:latest`, at('one:v1'));
      await registry.requests();
      await skopeo.do('copy', '--all', ...insecure, at('one:v1'), at('two:v1'));
      const copied = await registry.requests();
      // Layers are mounted; the two configurations this library always sends.
      expect(count(copied, 'POST mount', 201)).toBe(3);
      expect(count(copied, 'POST upload', 202)).toBe(2);
      const inspected = JSON.parse(await skopeo.do('inspect', plain, at('two:v1'))) as Record<string, unknown>;
      expect(inspected).toMatchObject({ Digest: image.digest, RepoTags: ['v1'] });
      const out = join(skopeo.folder, 'out');
      await skopeo.do('copy', '--all', ...insecure, at('two:v1'), `oci:${out}:latest`);
      expect(blobsOf(out)).toEqual(blobsOf(image.folder));
      // As docker's own manifest, which has other media types and digests, and back.
      await skopeo.do('copy', '--format', 'v2s2', ...insecure, at('one:v1'), at('docker:v2'));
      expect(await skopeo.do('inspect', '--raw', plain, at('docker:v2'))).toContain(
        'application/vnd.docker.distribution.manifest.v2+json',
      );
      expect(JSON.parse(await skopeo.do('list-tags', plain, at('two')))).toMatchObject({ Tags: ['v1'] });
      await skopeo.do('delete', plain, at('two:v1'));
      expect((await skopeo.try(['inspect', plain, at('two:v1')])).stderr).toMatch(/manifest unknown|not found/i);
      await skopeo.do('logout', registry.host);
      expect((await skopeo.try(['inspect', plain, at('one:v1')])).stderr).toMatch(
        /unauthorized|authentication required/i,
      );
    },
    600_000,
  );

  test.skipIf(podmanProgram.missing)(
    'podman pushes, lists and searches, assembles an image of two architectures, pulls by digest what it pushed',
    async () => {
      const podman = new Client(podmanProgram, home(), ownStorage(join(home(), 'podman')));
      const name = `${registry.host}/${age}/podman`;
      const content = randomBytes(200_000);
      give(podman, 'content', content);
      give(podman, 'Containerfile', Buffer.from('FROM scratch\nCOPY content /content\nCMD ["/content"]\n'));
      await login(podman);
      await podman.do('build', '--isolation', 'chroot', '--tag', `${name}:one`, '.');
      await podman.do('push', plain, '--digestfile', 'digest', `${name}:one`);
      const digest = readFileSync(join(podman.folder, 'digest'), 'utf8').trim();
      await registry.requests();
      await podman.do('push', plain, `${name}:one`, `${name}:two`);
      expect(count(await registry.requests(), 'POST upload', 202)).toBe(0);
      await podman.do(
        'build',
        '--isolation',
        'chroot',
        '--arch',
        'arm64',
        '--tag',
        `${registry.host}/${age}/other:one`,
        '.',
      );
      await podman.do('push', plain, `${registry.host}/${age}/other:one`);
      await podman.do('manifest', 'create', 'list');
      await podman.do('manifest', 'add', plain, 'list', `docker://${name}:one`);
      await podman.do('manifest', 'add', plain, 'list', `docker://${registry.host}/${age}/other:one`);
      await podman.do('manifest', 'push', '--all', plain, 'list', `docker://${name}:list`);
      const found = await podman.do('search', plain, '--list-tags', '--format', '{{.Tag}}', name);
      expect(found.split(/\s+/)).toEqual(expect.arrayContaining(['list', 'one', 'two']));
      await podman.do('manifest', 'rm', 'list');
      await podman.do('rmi', '--all', '--force');
      await podman.do('pull', plain, `${name}@${digest}`);
      expect(await podman.do('images', '--digests', '--format', '{{.Digest}}')).toContain(digest);
      await podman.do('pull', plain, `${name}:list`);
      await podman.do('save', '--output', 'saved.tar', `${name}:list`);
      await check('tar', ['-xf', 'saved.tar'], { cwd: podman.folder });
      expect(await filesOfLayers(podman.folder, 'content')).toContainEqual(content);
    },
    600_000,
  );

  test.skipIf(buildahProgram.missing)(
    'buildah commits an image, pushes it and an index with zstd layers, and pulls it again',
    async () => {
      const buildah = new Client(buildahProgram, home(), ownStorage(join(home(), 'buildah')));
      const name = `${registry.host}/${age}/buildah`;
      const content = randomBytes(200_000);
      const path = give(buildah, 'content', content);
      await login(buildah);
      const container = await buildah.do('from', 'scratch');
      await buildah.do('copy', container, path, '/content');
      await buildah.do('commit', '--manifest', 'list', container, `${name}:one`);
      const format = age === 'newer' ? 'zstd:chunked' : 'zstd';
      await buildah.do('push', plain, '--compression-format', format, `${name}:one`);
      await buildah.do('manifest', 'push', '--all', plain, 'list', `docker://${name}:list`);
      await buildah.do('rm', '--all');
      await buildah.do('rmi', '--all', '--force');
      await buildah.do('pull', plain, `${name}:list`);
      const pulled = await buildah.do('from', '--pull-never', `${name}:list`);
      expect(readFileSync(join(await buildah.do('mount', pulled), 'content'))).toEqual(content);
      const { Manifest } = JSON.parse(await buildah.do('inspect', `${name}:list`)) as { Manifest: string };
      expect(Manifest).toContain('tar+zstd');
      expect(Manifest.includes('zstd-chunked')).toBe(format === 'zstd:chunked');
    },
    600_000,
  );
});

const { podman: newerPodman } = programs.find(({ age }) => age === 'newer') as (typeof programs)[number];
test.skipIf(newerPodman.missing)('podman fetches of a zstd:chunked layer only what it has not got', async () => {
  const podman = new Client(newerPodman, join(registry.folder, 'chunked'));
  const options = 'pull_options = { enable_partial_images = "true" }';
  const places = ['root', 'run'].map((name) => join(podman.folder, name));
  const settings = `[storage]\ndriver = "overlay"\ngraphroot = "${places[0]}"\nrunroot = "${places[1]}"\n[storage.options]\n${options}\n`;
  writeFileSync(join(podman.folder, 'storage.conf'), settings);
  const env = { CONTAINERS_STORAGE_CONF: join(podman.folder, 'storage.conf') };
  const name = `${registry.host}/chunked/podman`;
  const must = async (...args: string[]): Promise<void> =>
    expect(await podman.try(args, { env })).toMatchObject({ code: 0 });
  await must('login', '--tls-verify=false', '-u', 'AWS', '-p', registry.password, registry.host);
  const files = Array.from({ length: 40 }, () => randomBytes(50_000));
  const versions = ['one', 'two'];
  for (const version of versions) {
    mkdirSync(join(podman.folder, version));
    files.forEach((bytes, index) => writeFileSync(join(podman.folder, version, `file-${index}`), bytes));
    await check('tar', ['-cf', `${version}.tar`, '-C', version, '.'], { cwd: podman.folder });
    await must('import', `${version}.tar`, `${name}:${version}`);
    await must('push', '--tls-verify=false', '--compression-format', 'zstd:chunked', `${name}:${version}`);
    for (const index of [7, 21, 33]) files[index] = randomBytes(50_000);
  }
  await must('rmi', '--all', '--force');
  await must('pull', '--tls-verify=false', `${name}:one`);
  const before = await sentBytes();
  await registry.requests();
  await must('pull', '--tls-verify=false', `${name}:two`);
  // Three files of 50,000 bytes and the lists of what there is, of 2,000,000.
  expect((await sentBytes()) - before).toBeLessThan(250_000);
  expect(count(await registry.requests(), 'GET blob', 206)).toBe(2);
  await must('save', '--output', 'saved.tar', `${name}:two`);
  await check('tar', ['-xf', 'saved.tar'], { cwd: podman.folder });
  expect(await filesOfLayers(podman.folder, 'file-7')).toEqual([readFileSync(join(podman.folder, 'two', 'file-7'))]);
  expect(await filesOfLayers(podman.folder, 'file-8')).toEqual([readFileSync(join(podman.folder, 'two', 'file-8'))]);
});

async function sentBytes(): Promise<number> {
  const text = await (await fetch(`http://${registry.host}/metrics`)).text();
  return Number(/^slipway_registry_sent_bytes_total (\d+)/m.exec(text)?.[1]);
}

/** The file of this name in every layer of an unpacked `podman save`. */
async function filesOfLayers(folder: string, name: string): Promise<Buffer[]> {
  const [entry] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as [{ Layers: string[] }];
  return Promise.all(
    entry.Layers.map(async (layer, index) => {
      const into = join(folder, `layer-${index}`);
      await check('sh', ['-c', 'mkdir -p "$0" && tar -xf "$1" -C "$0"', into, layer], { cwd: folder });
      return readFileSync(join(into, name));
    }),
  );
}
