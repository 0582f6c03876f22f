import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { run, until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { missingHosts, startHosts, type TestHosts } from '../testbed/hosts.ts';
import { shellBlocks } from '../testbed/readme.ts';
import { freePort, ServerProcess } from '../testbed/server-process.ts';

/** Hosts that join by the address that is handed out, each with an engine and a network of its own. */
const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const folder = mkdtempSync(join(tmpdir(), 'slipway-machines-'));
const docker = new DockerCli();
const count = 3;
const local = `slipway-machines-${randomUUID()}`;
let made: TestHosts;
let server: ServerProcess;
let aws: AwsCli;
let address: string;

beforeAll(async () => {
  if (missing) return;
  made = await startHosts(count);
  const port = await freePort();
  address = `${made.gateway}:${port}`;
  server = new ServerProcess(port, join(folder, 'data'), {
    SLIPWAY_HOST: '0.0.0.0',
    SLIPWAY_ALLOW_PLAIN_HTTP: 'true',
    SLIPWAY_ENDPOINTS: `${address},127.0.0.1:${port}`,
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '1',
    SLIPWAY_HEALTHY_AFTER_SECONDS: '1',
  });
  await server.start();
  aws = new AwsCli(server.aws());
}, 180_000);
afterAll(async () => {
  await server?.stop();
  await made?.[Symbol.asyncDispose]();
  for (const tag of ['one', 'two']) await docker.run(['rmi', '--force', `${local}:${tag}`]);
  docker.dispose();
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

/** Pushes a page from the first host, under the address that is handed out. @returns its digest */
async function push(page: string): Promise<string> {
  const [host] = made.hosts;
  if (host === undefined) throw new Error('there is no host');
  await makeImage(docker, webImage(`${local}:${page}`, page));
  const archive = join(folder, `${page}.tar`);
  await docker.check(['save', '--output', archive, `${local}:${page}`]);
  await host.docker('load', '--input', archive);
  const password = (await aws.run(['ecr', 'get-login-password'])).stdout.trim();
  await host.docker('login', '--username', 'AWS', '--password', password, address);
  await host.docker('tag', `${local}:${page}`, `${address}/web:prod`);
  return /digest: (sha256:\w+)/.exec(await host.docker('push', `${address}/web:prod`))?.[1] ?? '';
}

/** What runs where: digests of the running tasks by host. */
async function running(): Promise<{ hosts: number; digests: string[] }> {
  const { taskArns } = await aws.json<{ taskArns: string[] }>(['ecs', 'list-tasks', '--desired-status', 'RUNNING']);
  if (taskArns.length === 0) return { hosts: 0, digests: [] };
  const { tasks } = await aws.json<{
    tasks: { lastStatus: string; containerInstanceArn: string; containers: { imageDigest?: string }[] }[];
  }>(['ecs', 'describe-tasks', '--tasks', ...taskArns]);
  const up = tasks.filter(({ lastStatus }) => lastStatus === 'RUNNING');
  return {
    hosts: new Set(up.map(({ containerInstanceArn }) => containerInstanceArn)).size,
    digests: up.map(({ containers }) => containers[0]?.imageDigest ?? ''),
  };
}

test.skipIf(missing)(
  'hosts join with the policy that is named, pull by the address that is handed out, and a push rolls them all',
  async () => {
    expect(server.aws()['AWS_ENDPOINT_URL']).toBe(`http://${address}`);
    const [make = '', joining = ''] = shellBlocks('tools/machines.md', 'Another host joins');
    const { stdout, stderr } = await run('sh', ['-ec', make], { env: { ...server.aws(), AWS_PAGER: '' } });
    const key = /"AccessKey": \{[^}]*\}/.exec(stdout)?.[0] ?? stderr;
    const { AccessKey } = JSON.parse(`{${key}}`) as { AccessKey: { AccessKeyId: string; SecretAccessKey: string } };
    for (const host of made.hosts) {
      const state = join(folder, host.name);
      mkdirSync(state);
      const env = {
        PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
        AWS_ENDPOINT_URL: `http://${address}`,
        AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId,
        AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey,
        DOCKER_HOST: host.dockerHost,
        // Hosts of their own would each have the default.
        ECS_DATADIR: join(state, 'agent'),
      };
      host.start('sh', ['-euc', `cd ${state}\n${joining}`], env, `${state}.log`);
    }
    await until('all hosts', 60_000, async () => {
      const { containerInstanceArns } = await aws.json<{ containerInstanceArns: string[] }>([
        'ecs',
        'list-container-instances',
        '--filter',
        'agentConnected==true',
      ]);
      return containerInstanceArns.length === count;
    }).catch((cause: unknown) => {
      const logs = made.hosts.map(({ name }) => readFileSync(join(folder, `${name}.log`), 'utf8').slice(-2000));
      throw new Error(logs.join('\n'), { cause });
    });

    await aws.json(['ecr', 'create-repository', '--repository-name', 'web']);
    const first = await push('one');
    const container = {
      name: 'web',
      image: `${address}/web:prod`,
      memory: 64,
      portMappings: [{ containerPort: 8080 }],
    };
    const definitions = ['--container-definitions', JSON.stringify([container])];
    await aws.json(['ecs', 'register-task-definition', '--family', 'web', ...definitions]);
    await aws.json([
      'ecs',
      'create-service',
      '--service-name',
      'web',
      '--task-definition',
      'web',
      '--desired-count',
      String(count),
      '--placement-constraints',
      'type=distinctInstance',
      '--deployment-configuration',
      'maximumPercent=100,minimumHealthyPercent=50',
    ]);
    await until('a task on each host', 90_000, async () => {
      const { hosts, digests } = await running();
      return hosts === count && digests.every((digest) => digest === first);
    });
    const follow = await run(slipway, ['follow', 'default/web', '--output', 'json'], {
      env: { SLIPWAY_DATA: server.data },
    });
    expect(JSON.parse(follow.stdout), follow.stderr).toMatchObject({ elsewhere: [] });

    const second = await push('two');
    expect(second).not.toBe(first);
    await until('the second page on each host', 120_000, async () => {
      const { hosts, digests } = await running();
      return hosts === count && digests.every((digest) => digest === second);
    });
  },
  300_000,
);
