import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ECSClient } from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { AwsCli } from './aws-cli.ts';
import { ecsClient } from './aws-clients.ts';
import { run, until } from './command.ts';
import { DockerCli, makeImage, type TestImage } from './docker.ts';
import { startHosts, type TestHost, type TestHosts } from './hosts.ts';
import { shellBlocks } from './readme.ts';
import { ServerProcess } from './server-process.ts';

/** A server on this machine that hosts reach by another address than its own loopback; it runs no tasks itself. */
export interface ServerForHosts {
  readonly server: ServerProcess;
  readonly aws: AwsCli;
  /** `address:port` that is handed out. */
  readonly address: string;
}

/** Starts a server for hosts of a test. @param data its data folder. @param more settings */
export async function startServerFor(
  made: TestHosts,
  data: string,
  more: Readonly<Record<string, string>> = {},
): Promise<ServerForHosts> {
  const port = await freePort();
  const address = `${made.gateway}:${port}`;
  const server = new ServerProcess(port, data, {
    SLIPWAY_HOST: '0.0.0.0',
    SLIPWAY_ALLOW_PLAIN_HTTP: 'true',
    SLIPWAY_ENDPOINTS: `${address},127.0.0.1:${port}`,
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '1',
    SLIPWAY_HEALTHY_AFTER_SECONDS: '1',
    ...more,
  });
  await server.start();
  return { server, aws: new AwsCli(server.aws()), address };
}

/** What the agents of {@link joinHosts} printed last, for the message of a test that failed. */
export const agentLogs = (made: TestHosts, folder: string): string =>
  made.hosts.map(({ name }) => readFileSync(join(folder, `${name}.log`), 'utf8').slice(-3000)).join('\n');

/**
 * Joins all hosts by the commands of the page that says how, word by word. Resolves when all agents are connected.
 * @param folder gets a folder and a log for each host
 * @param own variables of single hosts' agents
 * @param options what the command of every agent ends with
 */
export async function joinHosts(
  made: TestHosts,
  { server, aws, address }: Pick<ServerForHosts, 'aws' | 'address'> & { readonly server: Pick<ServerProcess, 'aws'> },
  folder: string,
  own: (host: TestHost) => Readonly<Record<string, string>> = () => ({}),
  options: readonly string[] = [],
): Promise<void> {
  const [make = '', joining = ''] = shellBlocks('tools/machines.md', 'Another host joins');
  const key = await userOf(server, make);
  for (const host of made.hosts) {
    const state = join(folder, host.name);
    mkdirSync(state);
    const env = {
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      AWS_ENDPOINT_URL: `http://${address}`,
      ...key,
      DOCKER_HOST: host.dockerHost,
      // Hosts of their own would each have the default.
      ECS_DATADIR: join(state, 'agent'),
      ...own(host),
    };
    const script = `cd ${state}\n${joining.trimEnd()} "$@"`;
    host.start('sh', ['-euc', script, 'sh', ...options], env, `${state}.log`);
  }
  await until('all hosts', 180_000, async () => {
    const { containerInstanceArns } = await aws.json<{ containerInstanceArns: string[] }>([
      'ecs',
      'list-container-instances',
      '--filter',
      'agentConnected==true',
    ]);
    return containerInstanceArns.length === made.hosts.length;
  }).catch((cause: unknown) => {
    throw new Error(`the hosts did not join:\n${agentLogs(made, folder)}`, { cause });
  });
}

/** Makes a user by the commands of a page. @returns the variables of the key that the last of them has made */
export async function userOf(
  server: Pick<ServerProcess, 'aws'>,
  commands: string,
): Promise<Readonly<Record<string, string>>> {
  const { stdout, stderr } = await run('sh', ['-ec', commands], { env: { ...server.aws(), AWS_PAGER: '' } });
  const key = /"AccessKey": \{[^}]*\}/.exec(stdout)?.[0] ?? stderr;
  const { AccessKey } = JSON.parse(`{${key}}`) as { AccessKey: { AccessKeyId: string; SecretAccessKey: string } };
  return { AWS_ACCESS_KEY_ID: AccessKey.AccessKeyId, AWS_SECRET_ACCESS_KEY: AccessKey.SecretAccessKey };
}

/** The process of a host's agent: its program is in its own words, not only in those of the shell that started it. @throws Error without one */
export function agentOf(host: TestHost): number {
  const pids = execFileSync('ip', ['netns', 'pids', host.name]).toString().split('\n').map(Number);
  const found = pids.find((pid) => pid > 1 && wordsOf(pid, 'cmdline').includes('slipway-agent.mjs'));
  if (found === undefined) throw new Error(`no agent on ${host.name}`);
  return found;
}

/** Kills a host's agent at once, as a crash does, and starts it as it was. */
export async function crashAgent(host: TestHost, folder: string): Promise<void> {
  const pid = agentOf(host);
  const env = Object.fromEntries(wordsOf(pid, 'environ').map((word) => word.split(/=(.*)/s).slice(0, 2)));
  const [program = '', ...words] = wordsOf(pid, 'cmdline');
  process.kill(pid, 'SIGKILL');
  await until('the end of the agent', 180_000, async () => wordsOf(pid, 'cmdline').length === 0, 10);
  const state = join(folder, host.name);
  host.start('sh', ['-euc', `cd ${state}\nexec "$@"`, 'sh', program, ...words], env, `${state}.log`);
}

/** What the kernel tells of a process word by word; nothing of one that is gone. */
function wordsOf(pid: number, what: 'cmdline' | 'environ'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/**
 * Brings an image of this machine's engine to a host and pushes it from there, under the address that is handed out.
 * @param archive where it is saved on the way
 * @returns its digest
 */
export async function pushFrom(
  host: TestHost,
  { aws, address }: Pick<ServerForHosts, 'aws' | 'address'>,
  docker: DockerCli,
  { image, archive, as }: { readonly image: string; readonly archive: string; readonly as: string },
): Promise<string> {
  await docker.check(['save', '--output', archive, image]);
  await host.docker('load', '--input', archive);
  const password = (await aws.run(['ecr', 'get-login-password'])).stdout.trim();
  await host.docker('login', '--username', 'AWS', '--password', password, address);
  await host.docker('tag', image, `${address}/${as}`);
  return /digest: (sha256:\w+)/.exec(await host.docker('push', `${address}/${as}`))?.[1] ?? '';
}

/** Hosts that have joined a server whose registry has an image for their tasks. */
export interface Machines extends AsyncDisposable {
  /** Of the server, the agents and their logs. */
  readonly folder: string;
  readonly made: TestHosts;
  /** The first of them. */
  readonly host: TestHost;
  readonly joined: ServerForHosts;
  readonly ecs: ECSClient;
  /** The image as hosts pull it. */
  readonly image: string;
  /** Of the account's own VPC. */
  readonly subnets: string[];
}

/**
 * Starts hosts and a server, joins them ({@link joinHosts}) and pushes an image. What was begun is ended when a part of it fails.
 *
 * @param image what is pushed, under the name that this machine's engine is to hold it by
 * @param hosts how many
 */
export async function openMachines(
  image: (reference: string) => TestImage,
  {
    hosts = 1,
    own,
    options,
  }: {
    readonly hosts?: number;
    readonly own?: (host: TestHost) => Readonly<Record<string, string>>;
    readonly options?: readonly string[];
  } = {},
): Promise<Machines> {
  await using ends = new AsyncDisposableStack();
  const folder = ends.adopt(mkdtempSync(join(tmpdir(), 'slipway-machines-')), async (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const docker = ends.adopt(new DockerCli(), async (cli) => cli.dispose());
  const local = `slipway-machines-${randomUUID()}:1`;
  ends.defer(async () => void (await docker.run(['rmi', '--force', local])));
  const made = ends.use(await startHosts(hosts));
  const joined = await startServerFor(made, join(folder, 'data'));
  ends.defer(async () => void (await joined.server.stop()));
  const ecs = ends.adopt(ecsClient(joined.server), async (client) => client.destroy());
  await makeImage(docker, image(local));
  await joinHosts(made, joined, folder, own, options);
  await joined.aws.json(['ecr', 'create-repository', '--repository-name', 'app']);
  const [host] = made.hosts;
  if (host === undefined) throw new Error('there is no host');
  await pushFrom(host, joined, docker, { image: local, archive: join(folder, 'app.tar'), as: 'app:1' });
  const { Subnets } = await joined.aws.json<{ Subnets: { SubnetId: string }[] }>(['ec2', 'describe-subnets']);
  const all = ends.move();
  return {
    folder,
    made,
    host,
    joined,
    ecs,
    image: `${joined.address}/app:1`,
    subnets: Subnets.map(({ SubnetId }) => SubnetId),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Makes roles that tasks may have, or their agents for them, each with its managed policy. */
export async function makeTaskRoles(aws: AwsCli, roles: Readonly<Record<string, string | undefined>>): Promise<void> {
  const trust = { Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' };
  const document = JSON.stringify({ Version: '2012-10-17', Statement: [trust] });
  for (const [role, policy] of Object.entries(roles)) {
    await aws.json(['iam', 'create-role', '--role-name', role, '--assume-role-policy-document', document]);
    if (policy === undefined) continue;
    const arn = `arn:aws:iam::aws:policy/${policy}`;
    await aws.json(['iam', 'attach-role-policy', '--role-name', role, '--policy-arn', arn]);
  }
}
