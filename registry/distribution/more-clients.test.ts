import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loggedIn, passwordOf } from '../testing/docker-client.ts';
import { type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';

/** Clients of other makers, where they are installed: from Debian (buildah, podman) or by `go install` (the rest). */
const execute = promisify(execFile);
const nightly = process.env['SLIPWAY_TEST_SIZE'] !== undefined && process.env['CI'] !== undefined;
const places = [...(process.env['PATH'] ?? '').split(delimiter), join(homedir(), 'go', 'bin')];
const find = (name: string): string | undefined =>
  places.map((place) => join(place, name)).find((path) => existsSync(path));

/** Under CI at nightly size a client that is not there fails its test; otherwise the test is skipped. */
const absent = (name: string): boolean => find(name) === undefined && !nightly;

let registry: ServedRegistry;
let password: string;
let folder: string;
let content: Buffer;

beforeAll(async () => {
  registry = await serveRegistry();
  password = await passwordOf(registry);
  folder = await mkdtemp(join(tmpdir(), 'slipway-more-clients-'));
  content = randomBytes(200_000);
  await writeFile(join(folder, 'content'), content);
  await execute('tar', ['-cf', join(folder, 'layer.tar'), '-C', folder, 'content']);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await registry[Symbol.asyncDispose]();
  if (registry.failures.length > 0) throw new Error('the registry failed', { cause: registry.failures });
});

/** A client with a home of its own, so that logins stay out of the user's. */
function client(name: string): (...args: string[]) => Promise<string> {
  const home = join(folder, name);
  return async (...args) => {
    await mkdir(home, { recursive: true });
    const { stdout } = await execute(find(name) ?? name, args, {
      cwd: home,
      timeout: 120_000,
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        DOCKER_CONFIG: home,
        XDG_RUNTIME_DIR: home,
        REGISTRY_AUTH_FILE: join(home, 'auth.json'),
        COSIGN_PASSWORD: 'none',
      },
    });
    return stdout.trim();
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test.skipIf(absent('crane'))(
  'crane appends, lists, copies, validates, pulls and deletes',
  async () => {
    const crane = client('crane');
    const image = `${registry.host}/clients/crane`;
    await crane('auth', 'login', registry.host, '-u', 'AWS', '-p', password);
    await crane('append', '-f', join(folder, 'layer.tar'), '-t', `${image}:one`);
    const digest = await crane('digest', `${image}:one`);
    await crane('validate', '--remote', `${image}:one`);
    await crane('copy', `${image}:one`, `${image}-copy:two`);
    expect(await crane('digest', `${image}-copy:two`)).toBe(digest);
    expect(await crane('ls', image)).toBe('one');
    expect((await crane('catalog', registry.host)).split('\n')).toContain('clients/crane');
    await crane('export', `${image}-copy:two`, 'flat.tar');
    await execute('tar', ['-xf', 'flat.tar'], { cwd: join(folder, 'crane') });
    expect(sha256(await readFile(join(folder, 'crane', 'content')))).toBe(sha256(content));
    await crane('delete', `${image}@${digest}`);
    await expect(crane('digest', `${image}:one`)).rejects.toThrow(/404|MANIFEST_UNKNOWN/i);
  },
  120_000,
);

test.skipIf(absent('regctl'))(
  'regctl attaches an artifact, finds it by its subject, copies with referrers, deletes a tag',
  async () => {
    const regctl = client('regctl');
    const image = `${registry.host}/clients/regctl`;
    await regctl('registry', 'set', registry.host, '--tls', 'disabled', '--skip-check');
    await regctl('registry', 'login', registry.host, '-u', 'AWS', '-p', password);
    const type = 'application/vnd.example.thing';
    await regctl('artifact', 'put', '--artifact-type', type, '-f', join(folder, 'content'), `${image}:thing`);
    const note = join(folder, 'layer.tar');
    await regctl(
      'artifact',
      'put',
      '--artifact-type',
      'application/vnd.example.note',
      '--subject',
      `${image}:thing`,
      '-f',
      note,
    );
    expect(await regctl('artifact', 'list', `${image}:thing`)).toContain('application/vnd.example.note');
    await regctl('image', 'copy', '--referrers', `${image}:thing`, `${image}-copy:thing`);
    expect(await regctl('artifact', 'list', `${image}-copy:thing`)).toContain('application/vnd.example.note');
    expect(await regctl('tag', 'ls', image)).toBe('thing');
    await regctl('tag', 'delete', `${image}:thing`);
    expect(await regctl('tag', 'ls', image)).toBe('');
  },
  120_000,
);

test.skipIf(absent('helm'))(
  'helm pushes a chart and pulls the same bytes',
  async () => {
    const helm = client('helm');
    await helm('registry', 'login', registry.host, '-u', 'AWS', '-p', password, '--plain-http');
    await helm('create', 'chart');
    await helm('package', 'chart', '--version', '1.2.3');
    await helm('push', 'chart-1.2.3.tgz', `oci://${registry.host}/clients`, '--plain-http');
    const pushed = await readFile(join(folder, 'helm', 'chart-1.2.3.tgz'));
    await mkdir(join(folder, 'helm', 'out'));
    await helm('pull', `oci://${registry.host}/clients/chart`, '--version', '1.2.3', '--plain-http', '-d', 'out');
    expect(sha256(await readFile(join(folder, 'helm', 'out', 'chart-1.2.3.tgz')))).toBe(sha256(pushed));
  },
  120_000,
);

test.skipIf(absent('cosign') || absent('crane'))(
  'cosign signs an image and verifies it; another key does not',
  async () => {
    const [cosign, crane] = [client('cosign'), client('crane')];
    const image = `${registry.host}/clients/cosign`;
    await crane('auth', 'login', registry.host, '-u', 'AWS', '-p', password);
    await crane('append', '-f', join(folder, 'layer.tar'), '-t', `${image}:one`);
    const digest = await crane('digest', `${image}:one`);
    await mkdir(join(folder, 'cosign'), { recursive: true });
    await cp(join(folder, 'crane', 'config.json'), join(folder, 'cosign', 'config.json'));
    await cosign('generate-key-pair');
    await cosign('sign', '--key', 'cosign.key', '--tlog-upload=false', '--yes', `${image}@${digest}`);
    const verify = ['verify', '--insecure-ignore-tlog=true', '--key'];
    expect(await cosign(...verify, 'cosign.pub', `${image}@${digest}`)).toContain(digest);
    await cosign('generate-key-pair', '--output-key-prefix', 'other');
    await expect(cosign(...verify, 'other.pub', `${image}@${digest}`)).rejects.toThrow(/signature/i);
  },
  120_000,
);

test.skipIf(absent('buildah'))(
  'buildah commits an OCI image, pushes it with zstd layers, and pulls it again',
  async () => {
    const buildah = client('buildah');
    const home = join(folder, 'buildah');
    const own = ['--storage-driver', 'vfs', '--root', join(home, 'root'), '--runroot', join(home, 'run')];
    const image = `${registry.host}/clients/buildah:one`;
    await buildah(...own, 'login', '--tls-verify=false', '-u', 'AWS', '-p', password, registry.host);
    const container = await buildah(...own, 'from', 'scratch');
    await buildah(...own, 'copy', container, join(folder, 'content'), '/content');
    await buildah(...own, 'commit', container, image);
    await buildah(...own, 'push', '--tls-verify=false', '--compression-format', 'zstd', image);
    const request = await loggedIn(registry);
    const manifest = await request('GET', '/v2/clients/buildah/manifests/one');
    expect(await manifest.text()).toContain('tar+zstd');
    await buildah(...own, 'rmi', '--all', '--force');
    await buildah(...own, 'pull', '--tls-verify=false', image);
    expect(await buildah(...own, 'images', '--format', '{{.Name}}')).toBe(image.replace(':one', ''));
  },
  120_000,
);

test.skipIf(absent('podman'))(
  'podman imports, pushes, pushes again, pulls by digest',
  async () => {
    const podman = client('podman');
    const home = join(folder, 'podman');
    const own = ['--storage-driver', 'vfs', '--root', join(home, 'root'), '--runroot', join(home, 'run')];
    const image = `${registry.host}/clients/podman`;
    await podman(...own, 'login', '--tls-verify=false', '-u', 'AWS', '-p', password, registry.host);
    await podman(...own, 'import', join(folder, 'layer.tar'), `${image}:one`);
    await podman(...own, 'push', '--tls-verify=false', '--digestfile', 'digest', `${image}:one`);
    await podman(...own, 'push', '--tls-verify=false', `${image}:one`, `${image}:two`);
    const digest = (await readFile(join(home, 'digest'), 'utf8')).trim();
    await podman(...own, 'rmi', '--all', '--force');
    await podman(...own, 'pull', '--tls-verify=false', `${image}@${digest}`);
    expect(await podman(...own, 'images', '--digests', '--format', '{{.Digest}}')).toContain(digest);
  },
  120_000,
);
