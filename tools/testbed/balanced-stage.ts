import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { get } from 'node:http';
import { type ECSClient, ListContainerInstancesCommand, ListTasksCommand, type Service } from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { trafficEngines } from '../server/traffic-engines.ts';
import { AwsCli, missingAwsCli } from './aws-cli.ts';
import { ecsClient } from './aws-clients.ts';
import {
  type Balanced,
  describeWeb,
  makeBalancer,
  makeService,
  makeTargetImage,
  targetContainer,
  untilSteady,
} from './balanced-service.ts';
import { type CommandResult, run, until } from './command.ts';
import { DockerCli, missingDocker } from './docker.ts';
import { ownAddresses, ServerProcess } from './server-process.ts';

/** What this machine lacks for a stage; undefined where it has everything. */
export async function missingForStage(): Promise<string | undefined> {
  const noHaproxy = existsSync('/usr/sbin/haproxy') ? undefined : 'no HAProxy';
  return (await missingAwsCli()) ?? (await missingDocker()) ?? noHaproxy;
}

/** Where load goes: names below localhost mean one address, where the listener is found by the name. */
export const address = '127.0.0.1';

/** For a server with a mistake: it counts targets as out of rotation at once, whatever engines say. */
export const unacknowledged = {
  NODE_OPTIONS: `--import=${join(import.meta.dirname, '..', 'e2e', 'testdata', 'unacknowledged.mjs')}`,
};

export type Engine = 'haproxy' | 'embedded';

/** A server with a service behind a load balancer, and what it takes to change it. */
export class Stage implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'slipway-lb-'));
  readonly #docker = new DockerCli();
  readonly #addresses = ownAddresses();
  #server: ServerProcess;
  /** What is asked again and again, under load; the command line takes a second of a core for each. */
  #client: ECSClient | undefined;
  #engine: Engine = 'haproxy';
  #balanced: Balanced | undefined;

  private constructor(port: number) {
    this.#server = this.#serverOf(port, {});
  }

  /** @param more what `create-service` is told beside */
  static async open(more: readonly string[] = []): Promise<Stage> {
    const stage = new Stage(await freePort());
    try {
      await stage.#server.start();
      stage.#balanced = await makeBalancer(stage.#cli, { port: await freePort(), from: '127.0.0.0/8' });
      await stage.#makeService(more);
      return stage;
    } catch (error) {
      process.stderr.write(`--- server log ---\n${stage.log.slice(-10_000)}\n`);
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  get log(): string {
    return this.#server.log;
  }

  aws<T>(...args: readonly (string | readonly string[])[]): Promise<T> {
    return this.#cli.json<T>(args.flat());
  }

  /** A command whose answer is no JSON. @returns what it printed */
  async print(...args: readonly (string | readonly string[])[]): Promise<string> {
    const words = args.flat();
    const { code, stdout, stderr } = await this.#cli.run(words);
    if (code !== 0) throw new Error(`aws ${words.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A command of `slipway`, as the administrator. */
  slipway(...args: readonly string[]): Promise<CommandResult> {
    const main = join(import.meta.dirname, '..', 'cli', 'main.ts');
    return run(process.execPath, [main, ...args], { env: this.#server.aws(), timeout: 300_000 });
  }

  get #cli(): AwsCli {
    return new AwsCli(this.#server.aws());
  }

  get balanced(): Balanced {
    if (this.#balanced === undefined) throw new Error('the load balancer is not made yet');
    return this.#balanced;
  }

  get ecs(): ECSClient {
    this.#client ??= ecsClient(this.#server);
    return this.#client;
  }

  /** The same installation with another engine, or another server; its tasks run on. @param steady waits until the service is as wanted */
  async restart(
    engine: Engine,
    more: Readonly<Record<string, string>> = {},
    steady: () => Promise<void> = () => this.steady(),
  ): Promise<void> {
    await this.#end();
    this.#engine = engine;
    this.#server = this.#serverOf(this.#server.port, more);
    await this.#server.start();
    await until(
      'the load balancer to answer again',
      180_000,
      async () => (await this.ask(this.balanced.port, this.balanced.host)) === 200,
    );
    await steady();
  }

  service(): Promise<Service> {
    return describeWeb(this.ecs);
  }

  /** Runs a task whose port has a fixed one of its host, as classic load balancers need it. @returns the machine it is on */
  async runFixed(port: number): Promise<string> {
    await this.aws(
      ['ecs', 'register-task-definition', '--family', 'fixed'],
      [
        '--container-definitions',
        JSON.stringify([{ ...targetContainer(this.image), portMappings: [{ containerPort: 8080, hostPort: port }] }]),
      ],
    );
    const { tasks } = await this.aws<{ tasks: [{ containerInstanceArn: string }] }>([
      'ecs',
      'run-task',
      '--task-definition',
      'fixed',
    ]);
    const { containerInstances } = await this.aws<{ containerInstances: [{ ec2InstanceId: string }] }>([
      'ecs',
      'describe-container-instances',
      '--container-instances',
      tasks[0].containerInstanceArn,
    ]);
    return containerInstances[0].ec2InstanceId;
  }

  /** Changes the service, and waits until that is done. */
  async update(...args: string[]): Promise<void> {
    await this.aws('ecs', 'update-service', '--service', 'web', ...args);
    await this.steady();
  }

  steady(): Promise<void> {
    return untilSteady(this.#server, this.balanced.group);
  }

  async tasks(desiredStatus: 'RUNNING' | 'STOPPED'): Promise<readonly string[]> {
    const { taskArns = [] } = await this.ecs.send(new ListTasksCommand({ serviceName: 'web', desiredStatus }));
    return taskArns;
  }

  get image(): string {
    return `${this.#server.registry}/target:1`;
  }

  #serverOf(port: number, more: Readonly<Record<string, string>>): ServerProcess {
    return new ServerProcess(port, join(this.#folder, 'data'), {
      SLIPWAY_LB_ENGINE: this.#engine,
      SLIPWAY_LB_ADDRESSES: this.#addresses,
      SLIPWAY_WORKERS: '1',
      ...more,
    });
  }

  /** What a load balancer answers with. */
  ask(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, headers: { Host: host }, agent: false } as const;
      get(options, (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject);
    });
  }

  async #makeService(more: readonly string[]): Promise<void> {
    const image = this.image;
    await this.aws('ecr', 'create-repository', '--repository-name', 'target');
    const { stdout } = await this.#cli.run(['ecr', 'get-login-password']);
    await this.#docker.check(['login', '--username', 'AWS', '--password-stdin', this.#server.registry], stdout.trim());
    await makeTargetImage(this.#docker, image);
    await this.#docker.check(['push', image]);
    await until('the container instance', 180_000, async () => {
      const { containerInstanceArns = [] } = await this.ecs.send(new ListContainerInstancesCommand({}));
      return containerInstanceArns.length === 1;
    });
    await makeService(this.#cli, { image, group: this.balanced.group, count: 2 }, more);
    await this.steady();
  }

  /** The server and its engine; tasks run on. */
  async #end(): Promise<void> {
    await this.#server.stop();
    for (const { open } of trafficEngines({ data: this.#server.data, loadBalancing: { engine: this.#engine } }))
      await (await open()).stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.destroy();
    await this.#end();
    await this.#docker.forget(this.#server.registry);
    this.#docker.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
