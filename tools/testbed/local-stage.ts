import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { ListContainerInstancesCommand } from '@aws-sdk/client-ecs';
import { AttachRolePolicyCommand, CreateRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { freePort } from '@slipway/storage/testing';
import { trafficEngines } from '../server/traffic-engines.ts';
import { ecsClient, sdkOptions } from './aws-clients.ts';
import { type CommandResult, run, until } from './command.ts';
import { DockerCli, makeImage, type TestImage } from './docker.ts';
import { ServerProcess } from './server-process.ts';

const root = join(import.meta.dirname, '..', '..');

const document = (statement: object): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });

/**
 * What one file of tests has of this machine: a folder, a server, the engine's command line, and images. All of it goes when it is disposed
 * of, with the containers that tasks have left.
 */
export class LocalStage implements AsyncDisposable {
  readonly folder: string;
  readonly docker = new DockerCli();
  /** A name for images that are in no registry; they have any tags. */
  readonly image: string;
  #server: ServerProcess | undefined;

  /** @param name for the folder and the images: a word */
  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `slipway-${name}-`));
    this.image = `slipway-${name}-${randomUUID()}`;
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error('the server is not started yet');
    return this.#server;
  }

  /** Starts the server. @param env its settings; it has a port and a data folder */
  async serve(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    this.#server = new ServerProcess(await freePort(), join(this.folder, 'data'), env);
    await this.#server.start();
    return this.#server;
  }

  /** Waits until one agent is connected: the server's own, or the one that the test has started. */
  async host(): Promise<void> {
    const ecs = ecsClient(this.server);
    await until('the host', 180_000, async () => {
      const found = await ecs.send(new ListContainerInstancesCommand({ filter: 'agentConnected==true' }));
      return found.containerInstanceArns?.length === 1;
    });
    ecs.destroy();
  }

  /**
   * Makes an image and pushes it into a new repository of the server.
   * @param name `repository:tag`
   * @param image what it holds, or what makes it
   * @returns its reference
   */
  async push(
    name: string,
    image: Omit<TestImage, 'reference'> | ((reference: string) => Promise<void>),
  ): Promise<string> {
    const { registry } = this.server;
    const reference = `${registry}/${name}`;
    const ecr = new ECRClient(sdkOptions(this.server));
    await ecr.send(new CreateRepositoryCommand({ repositoryName: name.split(':')[0] }));
    const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
    ecr.destroy();
    const login = Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64').toString();
    const asUser = ['--username', 'AWS', '--password-stdin'];
    await this.docker.check(['login', ...asUser, registry], login.slice('AWS:'.length));
    await (typeof image === 'function' ? image(reference) : makeImage(this.docker, { ...image, reference }));
    await this.docker.check(['push', reference]);
    return reference;
  }

  /** Makes the role `execution` for tasks of ECS, with the policy that such roles have. @returns its ARN */
  async executionRole(): Promise<string> {
    const iam = new IAMClient(sdkOptions(this.server));
    const trust = document({ Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' });
    const { Role } = await iam.send(new CreateRoleCommand({ RoleName: 'execution', AssumeRolePolicyDocument: trust }));
    const policy = 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy';
    await iam.send(new AttachRolePolicyCommand({ RoleName: 'execution', PolicyArn: policy }));
    iam.destroy();
    return Role?.Arn ?? '';
  }

  /** Allows the role `execution` something more. */
  async allowExecution(Action: readonly string[], Resource = '*'): Promise<void> {
    const iam = new IAMClient(sdkOptions(this.server));
    const PolicyDocument = document({ Action, Resource });
    await iam.send(new PutRolePolicyCommand({ RoleName: 'execution', PolicyName: 'more', PolicyDocument }));
    iam.destroy();
  }

  /**
   * Types what a page tells its readers to type into a shell of its own, in the checkout, with this server's address and image in place of
   * the usual ones.
   * @param timeout milliseconds
   */
  type(block: string, timeout = 200_000): Promise<CommandResult> {
    const { registry, data } = this.server;
    const typed = block.replaceAll('127.0.0.1:7500', registry).replaceAll('my-web-image', this.image);
    return run('sh', ['-euc', typed], {
      cwd: root,
      env: {
        PATH: [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter),
        SLIPWAY_DATA: data,
        DOCKER_CONFIG: join(this.folder, 'docker'),
        AWS_PAGER: '',
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      },
      timeout,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop();
    await this.#stopTraffic();
    if (this.#server !== undefined) await this.docker.forget(this.#server.registry);
    await this.docker.remove(this.image);
    this.docker.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The engine of load balancers outlives the server; whoever made one would leave it for ever. */
  async #stopTraffic(): Promise<void> {
    const data = join(this.folder, 'data');
    if (!existsSync(join(data, 'traffic'))) return;
    for (const { open } of trafficEngines({ data, loadBalancing: { engine: 'auto' } })) await (await open()).stop();
  }
}
