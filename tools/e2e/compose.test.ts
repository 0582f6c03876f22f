import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findS3Server, implementations } from '@slipway/storage/blobs/testing';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { check, run, until, type CommandResult } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { missingHosts, startHosts, type TestHosts } from '../testbed/hosts.ts';
import { makeLocalImage } from '../testbed/local-images.ts';
import { agentOf, joinHosts, pushFrom } from '../testbed/machines.ts';
import { shellBlocks } from '../testbed/readme.ts';

/**
 * More than one machine as its page says it, word by word: two servers behind one address, on Redis and an S3 store, and other hosts
 * that join them, each with an engine and a network of its own. The images that the compose file names are made here from packages, so
 * that nothing is pulled or built.
 */
const root = join(import.meta.dirname, '..', '..');
const compose = [['docker', 'compose'], ['docker-compose']].find(
  ([command = '', ...args]) => spawnSync(command, [...args, 'version']).status === 0,
);
const missing = missingHosts() ?? (await missingDocker()) ?? findMissing();
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
  const local = `slipway-machines-${process.pid}`;
  const images = ['redis:8.6.3', 'haproxy:2.8.20', 'minio/minio:RELEASE.2025-04-22T22-12-26Z', ours];
  const folder = mkdtempSync(join(tmpdir(), 'slipway-compose-'));
  // A checkout as far as the page's commands read it; they write `.env` into it.
  const checkout = join(folder, 'checkout');
  const secrets = join(checkout, '.env');
  const count = 3;
  let port: number;
  let made: string[] = [];
  let hosts: TestHosts;
  /** `address:port` that is handed out. */
  let address: string;

  /** Of this run: what a killed one has left may still have its own. */
  const network = `172.31.${randomInt(76, 250)}`;

  const environment = (): Record<string, string> => ({
    SLIPWAY_PUBLISHED_PORT: String(port),
    SLIPWAY_NETWORK: network,
    SLIPWAY_IMAGE: ours,
    COMPOSE_PROJECT_NAME: project,
  });
  const up = (...args: string[]): Promise<CommandResult> => {
    const [command = '', ...first] = compose ?? [];
    return run(command, [...first, ...args], { cwd: checkout, env: environment(), timeout: 180_000 });
  };
  /** The page's commands for servers, with this machine's address, in the background, and without a build. */
  const serve = (): Promise<CommandResult> => {
    const [commands = ''] = shellBlocks('tools/machines.md', 'Servers');
    const here = commands.replaceAll('192.168.7.5', hosts.gateway);
    const instead = `docker() { [ "$*" = 'compose up --build' ] && command ${compose?.join(' ')} up -d --no-build; }`;
    return run('sh', ['-euc', `${instead}\n${here}`], { cwd: checkout, env: environment(), timeout: 180_000 });
  };

  beforeAll(async () => {
    port = await freePort();
    for (const name of ['docker-compose.yml', 'tools/compose'])
      cpSync(join(root, name), join(checkout, name), { recursive: true });
    hosts = await startHosts(count);
    address = `${hosts.gateway}:${port}`;
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
    for (const image of made) await make[image]?.();
    const started = await serve();
    if (started.code !== 0) throw new Error(started.stderr);
  }, 600_000);

  afterAll(async () => {
    await hosts?.[Symbol.asyncDispose]();
    await up('down', '-v', '--timeout', '5');
    await docker.run(['rmi', '-f', ...made, `${local}:one`, `${local}:two`]);
    docker.dispose();
    rmSync(folder, { recursive: true, force: true });
  }, 600_000);

  const aws = async (): Promise<AwsCli> => {
    const printed = await until('the administrator', 180_000, async () => {
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
    await until('the proxy to answer', 180_000, async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok).catch(
      async (error: unknown) => {
        throw new Error((await up('logs', '--tail', '40')).stdout, { cause: error });
      },
    );
    expect(await (await aws()).json(['sts', 'get-caller-identity'])).toMatchObject({ Account: '000000000000' });
  }, 600_000);

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
  }, 600_000);

  test('hosts join with the policy that is named, pull by the address that is handed out, and a push rolls them all; one that dies is named with what to do', async () => {
    const printed = await up('exec', '-T', 'slipway-1', 'slipway', 'env', '--output', 'json');
    const env = JSON.parse(printed.stdout) as Record<string, string>;
    const cli = new AwsCli(env);
    expect(env['AWS_ENDPOINT_URL']).toBe(`http://${address}`);
    const joined = { server: { aws: () => env }, aws: cli, address };
    await joinHosts(hosts, joined, folder);

    const [first] = hosts.hosts;
    if (first === undefined) throw new Error('there is no host');
    const push = async (page: string): Promise<string> => {
      const image = `${local}:${page}`;
      await makeImage(docker, webImage(image, page));
      const repository = 'site:prod';
      return pushFrom(first, joined, docker, { image, archive: join(folder, `${page}.tar`), as: repository });
    };
    const running = async (): Promise<{ hosts: number; digests: string[] }> => {
      const { taskArns } = await cli.json<{ taskArns: string[] }>(['ecs', 'list-tasks', '--desired-status', 'RUNNING']);
      if (taskArns.length === 0) return { hosts: 0, digests: [] };
      const { tasks } = await cli.json<{
        tasks: { lastStatus: string; containerInstanceArn: string; containers: { imageDigest?: string }[] }[];
      }>(['ecs', 'describe-tasks', '--tasks', ...taskArns]);
      const there = tasks.filter(({ lastStatus }) => lastStatus === 'RUNNING');
      return {
        hosts: new Set(there.map(({ containerInstanceArn }) => containerInstanceArn)).size,
        digests: there.map(({ containers }) => containers[0]?.imageDigest ?? ''),
      };
    };
    await cli.json(['ecr', 'create-repository', '--repository-name', 'site']);
    const before = await push('one');
    const container = {
      name: 'web',
      image: `${address}/site:prod`,
      memory: 64,
      portMappings: [{ containerPort: 8080 }],
    };
    const definitions = ['--container-definitions', JSON.stringify([container])];
    await cli.json(['ecs', 'register-task-definition', '--family', 'site', ...definitions]);
    await cli.json([
      'ecs',
      'create-service',
      '--service-name',
      'site',
      '--task-definition',
      'site',
      '--desired-count',
      String(count),
      '--placement-constraints',
      'type=distinctInstance',
      '--deployment-configuration',
      'maximumPercent=100,minimumHealthyPercent=50',
    ]);
    await until('a task on each host', 180_000, async () => {
      const { hosts: used, digests } = await running();
      return used === count && digests.every((digest) => digest === before);
    });
    const slipway = (...args: string[]): Promise<CommandResult> =>
      run(join(root, 'tools', 'bin', 'slipway'), args, { env });
    const follow = await slipway('follow', 'default/site', '--output', 'json');
    expect(JSON.parse(follow.stdout), follow.stderr).toMatchObject({ elsewhere: [] });
    const after = await push('two');
    expect(after).not.toBe(before);
    await until('the second page on each host', 180_000, async () => {
      const { hosts: used, digests } = await running();
      return used === count && digests.every((digest) => digest === after);
    });

    const dying = hosts.hosts.at(-1);
    if (dying === undefined) throw new Error('there is no host');
    process.kill(agentOf(dying), 'SIGKILL');
    const advice =
      /host \w+: Its agent is away .* take it out of the cluster: (aws ecs deregister-container-instance .*)/;
    const said = await until('what explain says of the host', 180_000, async () => {
      const { stdout } = await slipway('explain', 'default/site');
      return advice.exec(stdout) ?? undefined;
    });
    // What it asks may be the other server, which learns of it a moment later.
    await until('what doctor says of the host', 180_000, async () =>
      (await up('exec', '-T', 'slipway-1', 'slipway', 'doctor')).stdout.includes(said[1] ?? '-'),
    );
    const obeyed = await run('sh', ['-c', said[1] ?? ''], { env: { ...env, AWS_PAGER: '' } });
    expect(obeyed.code, obeyed.stderr).toBe(0);
    await until(
      'the end of what is said of it',
      180_000,
      async () => !advice.test((await slipway('explain', 'default/site')).stdout),
    );
  }, 600_000);

  test('a server that does not reach the store is asked nothing and keeps no agent, and is asked again when it does', async () => {
    const ready = async (): Promise<string> => {
      const script = "fetch('http://127.0.0.1:7500/readyz').then(({ status }) => process.stdout.write(String(status)))";
      return (await up('exec', '-T', 'slipway-1', 'node', '-e', script)).stdout;
    };
    const printed = await up('exec', '-T', 'slipway-2', 'slipway', 'env', '--output', 'json');
    // What is not answered at once is an error here, and not asked again.
    const cli = new AwsCli({ ...(JSON.parse(printed.stdout) as Record<string, string>), AWS_MAX_ATTEMPTS: '1' });
    const id = (await up('ps', '-q', 'slipway-1')).stdout.trim();
    const pid = await docker.check(['inspect', '--format', '{{.State.Pid}}', id]);
    // What it sends there is lost: nothing refuses, and nothing answers.
    const rule = ['OUTPUT', '-p', 'tcp', '--dport', '6379', '-j', 'DROP'];
    const filter = (what: string): Promise<string> =>
      check('nsenter', [`--net=/proc/${pid}/ns/net`, '--', 'iptables', what, ...rule]);
    await filter('-A');
    try {
      await until('the server to say that it is not ready', 180_000, async () => (await ready()) === '503');
      await until('six calls to be answered, one after the other', 180_000, async () => {
        for (let call = 0; call < 6; call++) await cli.json(['ecr', 'describe-repositories']);
        return true;
      });
      await until('all agents at the other server', 180_000, async () => {
        const arns = await cli.json<{ containerInstanceArns: string[] }>([
          'ecs',
          'list-container-instances',
          '--filter',
          'agentConnected==true',
        ]);
        return arns.containerInstanceArns.length === count - 1;
      });
      expect(await ready()).toBe('503');
    } finally {
      await filter('-D');
    }
    await until('the server to be ready again', 180_000, async () => (await ready()) === '200');
  }, 600_000);

  test('one server killed, the other answers with everything', async () => {
    const cli = await aws();
    expect((await up('kill', 'slipway-1')).code).toBe(0);
    const { repositories } = await until('the other server', 180_000, () =>
      cli.json<{ repositories: { repositoryName: string }[] }>(['ecr', 'describe-repositories']),
    );
    expect(repositories.map(({ repositoryName }) => repositoryName).toSorted()).toEqual(['site', 'web']);
    // The proxy sends it some more until it has noticed.
    const { clusterArns } = await until('the clusters', 180_000, () =>
      cli.json<{ clusterArns: string[] }>(['ecs', 'list-clusters']),
    );
    expect(clusterArns).toHaveLength(1);
  }, 600_000);
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
