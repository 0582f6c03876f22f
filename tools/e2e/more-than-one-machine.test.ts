import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run, until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { missingHosts, startHosts, type TestHosts } from '../testbed/hosts.ts';
import { joinHosts, pushFrom, type ServerForHosts, startServerFor } from '../testbed/machines.ts';

/** Hosts that join by the address that is handed out, each with an engine and a network of its own. */
const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const folder = mkdtempSync(join(tmpdir(), 'slipway-machines-'));
const docker = new DockerCli();
const count = 3;
const local = `slipway-machines-${randomUUID()}`;
let made: TestHosts;
let joined: ServerForHosts;
let server: ServerForHosts['server'];
let aws: ServerForHosts['aws'];
let address: string;

beforeAll(async () => {
  if (missing) return;
  made = await startHosts(count);
  joined = await startServerFor(made, join(folder, 'data'));
  ({ server, aws, address } = joined);
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
  const image = `${local}:${page}`;
  await makeImage(docker, webImage(image, page));
  return pushFrom(host, joined, docker, { image, archive: join(folder, `${page}.tar`), as: 'web:prod' });
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
    await joinHosts(made, joined, folder);

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
