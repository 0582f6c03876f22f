import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findS3Server, implementations } from '@slipway/storage/blobs/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { check, run, until, type CommandResult } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { makeLocalImage } from '../testbed/local-images.ts';
import { freePort } from '../testbed/server-process.ts';

/**
 * The compose file as users run it: two servers behind one address, on Redis and an S3 store. The images it names are made
 * here from packages, so that nothing is pulled.
 */
const root = join(import.meta.dirname, '..', '..');
const compose = [['docker', 'compose'], ['docker-compose']].find(
  ([command = '', ...args]) => spawnSync(command, [...args, 'version']).status === 0,
);
const missing = (await missingDocker()) ?? findMissing();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

function findMissing(): string | undefined {
  if (compose === undefined) return 'neither "docker compose" nor docker-compose is there';
  if (findS3Server(implementations.minio) === undefined) return 'no minio';
  return ['/usr/bin/redis-server', '/usr/sbin/haproxy'].find((path) => !existsSync(path));
}

describe.skipIf(missing !== undefined)(`docker-compose.yml${missing === undefined ? '' : ` (${missing})`}`, () => {
  const docker = new DockerCli();
  const project = `slipway-compose-${process.pid}`;
  // Always this checkout's own: an image of the usual name may be of another day.
  const ours = `slipway:test-${process.pid}`;
  const images = ['redis:8.6.3', 'haproxy:2.8.20', 'minio/minio:RELEASE.2025-04-22T22-12-26Z', ours];
  const folder = mkdtempSync(join(tmpdir(), 'slipway-compose-'));
  const secrets = join(folder, 'env');
  let port: number;
  let made: string[] = [];

  const up = (...args: string[]): Promise<CommandResult> => {
    const [command = '', ...first] = compose ?? [];
    return run(
      command,
      [...first, '--env-file', secrets, '-p', project, '-f', join(root, 'docker-compose.yml'), ...args],
      {
        env: { SLIPWAY_PUBLISHED_PORT: String(port), SLIPWAY_IMAGE: ours },
        timeout: 180_000,
      },
    );
  };

  beforeAll(async () => {
    port = await freePort();
    const present = (await docker.check(['images', '--format', '{{.Repository}}:{{.Tag}}'])).split('\n');
    made = images.filter((image) => !present.includes(image));
    const make: Record<string, () => Promise<void>> = {
      'redis:8.6.3': () =>
        makeLocalImage(docker, {
          reference: 'redis:8.6.3',
          programs: ['/usr/bin/redis-server', '/usr/bin/redis-cli'],
          changes: ['WORKDIR /data', 'CMD ["redis-server"]', 'ENV PATH=/usr/local/bin:/bin'],
        }),
      'haproxy:2.8.20': () =>
        makeLocalImage(docker, {
          reference: 'haproxy:2.8.20',
          programs: ['/usr/sbin/haproxy'],
          changes: [
            'CMD ["haproxy","-W","-db","-f","/usr/local/etc/haproxy/haproxy.cfg"]',
            'ENV PATH=/usr/local/bin:/bin',
          ],
        }),
      'minio/minio:RELEASE.2025-04-22T22-12-26Z': () =>
        makeLocalImage(docker, {
          reference: 'minio/minio:RELEASE.2025-04-22T22-12-26Z',
          programs: [findS3Server(implementations.minio) ?? ''],
          changes: ['ENTRYPOINT ["/usr/local/bin/minio"]', 'ENV PATH=/usr/local/bin:/bin'],
        }),
      [ours]: () =>
        makeLocalImage(docker, {
          reference: ours,
          programs: [process.execPath],
          copies: Object.fromEntries(
            [
              'package.json',
              'package-lock.json',
              'node_modules',
              'storage',
              'auth',
              'registry',
              'scheduler',
              'tools',
            ].map((name) => [join(root, name), join('slipway', name)]),
          ),
          changes: [
            'WORKDIR /slipway',
            'ENV PATH=/usr/local/bin:/slipway/tools/bin:/bin',
            'CMD ["/slipway/tools/bin/slipway","serve"]',
            'ENV NODE_COMPILE_CACHE=/tmp/slipway-node',
            'USER 1000:1000',
          ],
          owned: { folders: ['data', 'secrets'], id: 1000 },
        }),
    };
    await check('sh', [join(root, 'tools', 'compose', 'init'), '', secrets]);
    for (const image of made) await make[image]?.();
    const started = await up('up', '-d', '--no-build');
    if (started.code !== 0) throw new Error(started.stderr);
  }, 300_000);

  afterAll(async () => {
    await up('down', '-v', '--timeout', '5');
    if (made.length > 0) await docker.run(['rmi', '-f', ...made]);
    docker.dispose();
    rmSync(folder, { recursive: true, force: true });
  }, 120_000);

  const aws = async (): Promise<AwsCli> => {
    const printed = await until('the administrator', 60_000, async () => {
      const result = await up('exec', '-T', 'slipway-1', 'slipway', 'env', '--output', 'json');
      return result.code === 0 && result.stdout;
    });
    return new AwsCli(JSON.parse(printed) as Record<string, string>);
  };

  test('nothing is served as root, and no process has a password that somebody else could know', async () => {
    const user = await up('exec', '-T', 'slipway-1', 'id', '-u');
    expect(user.stdout.trim()).toBe('1000');
    expect(readFileSync(secrets, 'utf8')).toMatch(/^REDIS_PASSWORD=[0-9a-f]{48}$/m);
  });

  test('both servers come up behind one address', async () => {
    await until('the proxy to answer', 90_000, async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok).catch(
      async (error: unknown) => {
        throw new Error((await up('logs', '--tail', '40')).stdout, { cause: error });
      },
    );
    expect(await (await aws()).json(['sts', 'get-caller-identity'])).toMatchObject({ Account: '000000000000' });
  }, 120_000);

  test('an image pushed through the address pulls intact, whichever server answers', async () => {
    const cli = await aws();
    const image = `127.0.0.1:${port}/web:prod`;
    await cli.json(['ecr', 'create-repository', '--repository-name', 'web']);
    const password = (await cli.run(['ecr', 'get-login-password'])).stdout.trim();
    await docker.check(['login', '-u', 'AWS', '--password-stdin', `127.0.0.1:${port}`], password);
    await makeImage(docker, webImage(image, 'compose'));
    const digest = /digest: (sha256:\w+)/.exec(await docker.check(['push', image]))?.[1];
    for (let time = 0; time < 3; time++) {
      await docker.check(['rmi', image]);
      expect(await docker.check(['pull', image])).toContain(digest);
    }
    await docker.check(['rmi', image]);
  }, 120_000);

  test('one server killed, the other answers with everything', async () => {
    const cli = await aws();
    expect((await up('kill', 'slipway-1')).code).toBe(0);
    const { repositories } = await until('the other server', 60_000, () =>
      cli.json<{ repositories: { repositoryName: string }[] }>(['ecr', 'describe-repositories']),
    );
    expect(repositories.map(({ repositoryName }) => repositoryName)).toEqual(['web']);
    const { clusterArns } = await cli.json<{ clusterArns: string[] }>(['ecs', 'list-clusters']);
    expect(clusterArns).toHaveLength(1);
  }, 120_000);
});

describe('tools/compose/init', () => {
  const init = (...args: readonly string[]): Promise<CommandResult> =>
    run('sh', [join(root, 'tools', 'compose', 'init'), ...args]);

  test('makes passwords once, for this user alone; an address opens the port and is handed out first', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-init-'));
    const file = join(folder, 'env');
    const valuesOf = (): Record<string, string> =>
      Object.fromEntries(
        readFileSync(file, 'utf8')
          .trim()
          .split('\n')
          .map((line) => line.split('=') as [string, string]),
      );
    writeFileSync(file, 'SLIPWAY_PUBLISHED_PORT=7600\n');
    expect((await init('', file)).code).toBe(0);
    const made = valuesOf();
    expect(made).toMatchObject({
      SLIPWAY_PUBLISHED_PORT: '7600',
      REDIS_PASSWORD: expect.stringMatching(/^[0-9a-f]{48}$/),
    });
    expect(new Set(Object.values(made)).size).toBe(4);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await init('192.168.7.5', file)).code).toBe(0);
    expect((await init('registry.lan', file)).code).toBe(0);
    expect(valuesOf()).toEqual({ ...made, SLIPWAY_ADDRESS: 'registry.lan', SLIPWAY_BIND: '0.0.0.0' });
    expect((await init('http://registry.lan:7500', file)).code).toBe(2);
    expect(valuesOf()['SLIPWAY_ADDRESS']).toBe('registry.lan');
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([
    ['redis', [8, 6, 3], 'CVE-2026-23479'],
    ['haproxy', [2, 8, 20], 'CVE-2026-33555'],
  ])('%s is one whole version, from which %j on %s is mended', (image, least) => {
    const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
    const pin = new RegExp(`image: ${image}:(\\d+)\\.(\\d+)\\.(\\d+)\\n`).exec(text)?.slice(1).map(Number) ?? [];
    const place = pin.findIndex((part, index) => part !== least[index]);
    expect(pin).toHaveLength(3);
    expect(place === -1 || (pin[place] ?? 0) > (least[place] ?? 0)).toBe(true);
  });

  test.skipIf(compose === undefined)('without it docker compose says what to do', async () => {
    const [command = '', ...first] = compose ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'slipway-init-'));
    writeFileSync(join(folder, 'env'), '');
    const args = [...first, '--env-file', join(folder, 'env'), '-f', join(root, 'docker-compose.yml'), 'config'];
    const refused = await run(command, args, { env: { REDIS_PASSWORD: undefined } });
    rmSync(folder, { recursive: true, force: true });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('run sh tools/compose/init first');
  });
});
