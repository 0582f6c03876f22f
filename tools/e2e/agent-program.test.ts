import { createHash, randomUUID } from 'node:crypto';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { check, type CommandResult, run, until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker } from '../testbed/docker.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** The agent on a host that has Node, curl and a Docker engine, and nothing of this checkout. */
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const policy = 'arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role';
const name = 'slipway-agent.mjs';
const folder = mkdtempSync(join(tmpdir(), 'slipway-agent-program-'));
/** What another host has: nothing. */
const host = join(folder, 'host');
const image = `slipway-agent-program-${randomUUID()}:test`;
const docker = new DockerCli();
let server: ServerProcess;
let aws: AwsCli;
let agent: ChildProcess | undefined;
let log = '';

interface Key {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
}

async function userWith(user: string, ...policies: string[]): Promise<Key> {
  await aws.json(['iam', 'create-user', '--user-name', user]);
  for (const arn of policies) await aws.json(['iam', 'attach-user-policy', '--user-name', user, '--policy-arn', arn]);
  return (await aws.json<{ AccessKey: Key }>(['iam', 'create-access-key', '--user-name', user])).AccessKey;
}

/** Fetches the program into a file as tools/machines.md says; without a key, as a stranger. */
const download = (key: Key | undefined, file: string): Promise<CommandResult> =>
  run('curl', [
    '--silent',
    '--show-error',
    '--output',
    file,
    '--write-out',
    '%{http_code} %header{etag}',
    ...(key === undefined
      ? []
      : ['--aws-sigv4', 'aws:amz:us-east-1:ecs', '--user', `${key.AccessKeyId}:${key.SecretAccessKey}`]),
    `${server.endpoint}/agent/${name}`,
  ]);

beforeAll(async () => {
  mkdirSync(host);
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  aws = new AwsCli(server.aws());
});
afterAll(async () => {
  agent?.kill();
  await server?.stop();
  // Where no engine answers, the other tests have run all the same.
  if (missing === undefined) await docker.remove(image);
  docker.dispose();
  rmSync(folder, { recursive: true, force: true });
});

test('the program is given to whoever may join a host, and to nobody else', async () => {
  const file = join(folder, 'downloaded');
  expect((await download(undefined, file)).stdout).toMatch(/^401 /);
  expect((await download(await userWith('nobody'), file)).stdout).toMatch(/^403 /);
  expect(readFileSync(file, 'utf8')).toMatch(/user\/nobody is not authorized to perform: ecs:DiscoverPollEndpoint/);
  const hosts = await userWith('hosts', policy);
  const { stdout, stderr } = await download(hosts, join(host, name));
  expect(stdout, stderr).toMatch(/^200 /);
  const bytes = readFileSync(join(host, name));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  expect(stdout).toContain(digest);
  // The same that the command writes.
  const written = join(folder, name);
  expect(await check(slipway, ['agent', 'bundle', '--out', written])).toContain(digest);
  expect(readFileSync(written).equals(bytes)).toBe(true);
  expect(bytes.length).toBeLessThan(10_000_000);

  // With Node alone, from a folder with nothing else in it.
  const env = {
    PATH: process.env['PATH'],
    DOCKER_HOST: process.env['DOCKER_HOST'],
    AWS_ACCESS_KEY_ID: hosts.AccessKeyId,
    AWS_SECRET_ACCESS_KEY: hosts.SecretAccessKey,
    ECS_INSTANCE_ATTRIBUTES: '{"stack":"blue","disk":"ssd"}',
  };
  const said = ['--endpoint', server.endpoint, '--data', 'state', '--zone', 'rack-7', '--attribute', 'stack=green'];
  agent = spawn(process.execPath, [name, ...said], { cwd: host, env });
  for (const stream of [agent.stdout, agent.stderr])
    stream?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
  await until('the host', 180_000, async () => {
    if (agent?.exitCode !== null) throw new Error(log);
    const joined = await aws.json<{ containerInstanceArns: string[] }>([
      'ecs',
      'list-container-instances',
      '--filter',
      'agentConnected==true',
    ]);
    return joined.containerInstanceArns.length === 1;
  });
  expect(readdirSync(host).toSorted()).toEqual([name, 'state']);
  for (const [attribute, value] of [
    ['ecs.availability-zone', 'rack-7'],
    ['stack', 'green'],
    ['disk', 'ssd'],
  ] as const) {
    const listed = ['--target-type', 'container-instance', '--attribute-name', attribute];
    const { attributes } = await aws.json<{ attributes: { value: string }[] }>(['ecs', 'list-attributes', ...listed]);
    expect(attributes.map((found) => found.value)).toEqual([value]);
  }
});

test.skipIf(missing)('it runs a task on a real engine', async () => {
  await makeImage(docker, { reference: image, command: ['/bin/sh', '-c', 'exit 7'] });
  const containers = JSON.stringify([{ name: 'once', image, memory: 32 }]);
  await aws.json(['ecs', 'register-task-definition', '--family', 'once', '--container-definitions', containers]);
  const { tasks } = await aws.json<{ tasks: { taskArn: string }[] }>(['ecs', 'run-task', '--task-definition', 'once']);
  const [{ taskArn } = { taskArn: '' }] = tasks;
  const ended = await until('the task', 180_000, async () => {
    const [task] = (
      await aws.json<{ tasks: { lastStatus: string; containers: { exitCode?: number }[] }[] }>([
        'ecs',
        'describe-tasks',
        '--tasks',
        taskArn,
      ])
    ).tasks;
    return task?.lastStatus === 'STOPPED' && task;
  });
  expect(
    ended.containers.map(({ exitCode }) => exitCode),
    log,
  ).toEqual([7]);
});
