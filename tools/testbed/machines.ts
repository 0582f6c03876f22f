import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AwsCli } from './aws-cli.ts';
import { run, until } from './command.ts';
import type { DockerCli } from './docker.ts';
import type { TestHost, TestHosts } from './hosts.ts';
import { shellBlocks } from './readme.ts';
import { freePort, ServerProcess } from './server-process.ts';

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
  await until('all hosts', 60_000, async () => {
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
  await until('the end of the agent', 60_000, async () => wordsOf(pid, 'cmdline').length === 0, 10);
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
