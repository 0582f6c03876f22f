import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { AwsCli } from './aws-cli.ts';
import { type Balanced, makeBalancer, makeTargetImage } from './balanced-service.ts';
import { check, type CommandResult, run } from './command.ts';
import { DockerCli, missingDocker } from './docker.ts';
import { missingHosts, startHosts, type TestHost, type TestHosts } from './hosts.ts';
import { joinHosts, pushFrom, type ServerForHosts, startServerFor, userOf } from './machines.ts';
import { shellBlocks } from './readme.ts';
import { ServerProcess } from './server-process.ts';

/** What this machine lacks for load balancers on several hosts; undefined where it has everything. */
export async function missingForBalancedHosts(): Promise<string | undefined> {
  return missingHosts() ?? (await missingDocker()) ?? (existsSync('/usr/sbin/haproxy') ? undefined : 'no HAProxy');
}

const root = join(import.meta.dirname, '..', '..');
const [makeUser = '', start = '', leave = ''] = shellBlocks('tools/machines.md', 'Load balancers on several hosts');
/** The address of the load balancer: documentation has it (RFC 5737), no network does. */
export const virtual = '198.51.100.7';

interface Shown {
  readonly engines: readonly { readonly id: string; readonly kind: string; readonly state: string }[];
}

/**
 * Three Docker hosts that have joined a server, and a load balancer: its address is carried by HAProxy on the first host and by the embedded
 * engine on the second one, by the commands of the page that says how.
 */
export class BalancedHosts implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'slipway-lb-hosts-'));
  readonly #docker = new DockerCli();
  readonly #local = `slipway-lb-hosts-${randomUUID()}:1`;
  readonly #keys = new Map<string, Readonly<Record<string, string>>>();
  #made: TestHosts | undefined;
  #joined: ServerForHosts | undefined;
  #server: ServerProcess | undefined;
  #balanced: Balanced | undefined;

  static async open(): Promise<BalancedHosts> {
    await using stage = new AsyncDisposableStack();
    const opened = stage.use(new BalancedHosts());
    await opened.#open();
    stage.move();
    return opened;
  }

  async #open(): Promise<void> {
    const made = (this.#made = await startHosts(3));
    const joined = (this.#joined = await startServerFor(made, join(this.folder, 'data'), {
      SLIPWAY_LB_ENGINE: 'off',
      SLIPWAY_LB_ADDRESSES: virtual,
    }));
    this.#server = joined.server;
    for (const host of [this.one, this.two]) await host.run('ip', ['addr', 'add', `${virtual}/32`, 'dev', 'lo']);
    await this.lead(this.one);
    await joinHosts(made, joined, this.folder, () => ({ ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION: '1s' }));
    for (const own of ['edge-1', 'edge-2'])
      this.#keys.set(own, await userOf(joined.server, makeUser.replaceAll('edge-1', own)));
    for (const host of [this.one, this.two]) this.carry(host);
    await makeTargetImage(this.#docker, this.#local);
    await this.aws('ecr', 'create-repository', '--repository-name', 'target');
    const archive = join(this.folder, 'target.tar');
    await pushFrom(this.one, joined, this.#docker, { image: this.#local, archive, as: 'target:1' });
    // Loads that run on the hosts that carry the address come from that address itself.
    this.#balanced = await makeBalancer(joined.aws, { port: 8_080, from: '0.0.0.0/0' });
  }

  get one(): TestHost {
    return this.#host(0);
  }

  get two(): TestHost {
    return this.#host(1);
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error('there is no server yet');
    return this.#server;
  }

  get balanced(): Balanced {
    if (this.#balanced === undefined) throw new Error('the load balancer is not made yet');
    return this.#balanced;
  }

  /** The image of targets, as hosts pull it. */
  get image(): string {
    return `${this.#machines.address}/target:1`;
  }

  get #machines(): ServerForHosts {
    if (this.#joined === undefined) throw new Error('there is no server yet');
    return this.#joined;
  }

  #host(place: number): TestHost {
    const host = this.#made?.hosts[place];
    if (host === undefined) throw new Error('there are no hosts yet');
    return host;
  }

  get cli(): AwsCli {
    return this.#machines.aws;
  }

  aws<T>(...args: readonly (string | readonly string[])[]): Promise<T> {
    return this.#machines.aws.json<T>(args.flat());
  }

  logs(): string {
    const ofHosts = [this.one, this.two].map((host) => readFileSync(this.#logOf(host), 'utf8').slice(-3_000));
    return [this.server.log.slice(-4_000), ...ofHosts].join('\n---\n');
  }

  /** Starts what drives the engine of a host. */
  carry(host: TestHost): void {
    const { script, env } = this.#typed(host, start);
    host.start('sh', ['-euc', script, 'sh', ...this.#options(host)], env, this.#logOf(host));
  }

  /** What is said to a host that is to carry the address by the key of another one. */
  carryBy(host: TestHost, key: TestHost): Promise<CommandResult> {
    const { script } = this.#typed(host, start);
    const { env } = this.#typed(key, start);
    return key.run('sh', ['-euc', script, 'sh', ...this.#options(key)], { env });
  }

  /** Has a host carry nothing any more. */
  leave(host: TestHost): Promise<CommandResult> {
    const { script, env } = this.#typed(host, leave);
    return host.run('sh', ['-euc', script, 'sh', ...this.#options(host)], { env });
  }

  /** Leads the address to a host, as a router does. */
  lead(host: TestHost): Promise<string> {
    return check('ip', ['route', 'replace', `${virtual}/32`, 'via', host.address]);
  }

  /** The engines that carry the address, each with its kind and how far it is. */
  async engines(): Promise<string[]> {
    const main = join(root, 'tools', 'cli', 'main.ts');
    const words = [main, 'lb', 'show', 'web', '--output', 'json'];
    const { stdout } = await run(process.execPath, words, { env: this.server.aws() });
    const { engines } = JSON.parse(stdout) as Shown;
    return engines.map(({ id, kind, state }) => `${id} ${kind} ${state}`).toSorted();
  }

  /** Ends the server, and starts it, or one with another environment, with all that it knew. @param signal how it ends */
  async restart(signal: NodeJS.Signals, more: Readonly<Record<string, string>> = {}): Promise<void> {
    const { port, data, environment } = this.server;
    await this.server.stop(signal);
    if (Object.keys(more).length > 0) this.#server = new ServerProcess(port, data, { ...environment, ...more });
    await this.server.start();
  }

  /** Processes of a host whose words hold all of these. */
  async pids(host: TestHost, ...words: readonly string[]): Promise<number[]> {
    const all = await check('ip', ['netns', 'pids', host.name]);
    return all
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 1 && words.every((word) => commandOf(pid).includes(word)));
  }

  /** Kills processes of a host. @throws Error when there are none */
  async kill(host: TestHost, ...words: readonly string[]): Promise<void> {
    const found = await this.pids(host, ...words);
    if (found.length === 0) throw new Error(`no process of ${host.name} has ${words.join(' ')}`);
    for (const pid of found)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended with another one of them.
      }
  }

  #logOf(host: TestHost): string {
    return join(this.folder, `${host.name}-balancer.log`);
  }

  /** The command of the page for a host, as it is typed there. */
  #typed(host: TestHost, command: string): { script: string; env: Record<string, string> } {
    const own = host === this.one ? 'edge-1' : 'edge-2';
    return {
      script: `cd ${root}\n${command.trim().replaceAll('edge-1', own)} "$@"`,
      env: {
        PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
        AWS_ENDPOINT_URL: `http://${this.#machines.address}`,
        ...this.#keys.get(own),
      },
    };
  }

  /** What a host runs beside the page's words: its engine, and a folder of its own. */
  #options(host: TestHost): string[] {
    const engine = host === this.one ? 'haproxy' : 'embedded';
    return [`--engine=${engine}`, `--data=${join(this.folder, `${host.name}-balancer`)}`];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop();
    await this.#made?.[Symbol.asyncDispose]();
    await run('ip', ['route', 'del', `${virtual}/32`]);
    await this.#docker.run(['rmi', '--force', this.#local]);
    this.#docker.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
};
