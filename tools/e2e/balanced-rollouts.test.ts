import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomInt } from 'node:crypto';
import { get } from 'node:http';
import { type ECSClient, ListContainerInstancesCommand, ListTasksCommand, type Service } from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trafficEngines } from '../server/traffic-engines.ts';
import { AwsCli } from '../testbed/aws-cli.ts';
import { ecsClient } from '../testbed/aws-clients.ts';
import {
  type Balanced,
  describeWeb,
  makeBalancer,
  makeService,
  makeTargetImage,
  targetContainer,
  underLoad,
  untilSteady,
} from '../testbed/balanced-service.ts';
import { run, until } from '../testbed/command.ts';
import { DockerCli, missingDocker } from '../testbed/docker.ts';
import { describeReport } from '../testbed/load/index.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/**
 * No request is lost: load that never sends anything again, on a load balancer whose service is rolled, scaled and loses tasks by hand
 * meanwhile. On a Docker engine, with each traffic engine.
 */
const noCli = (await run('aws', ['--version']).catch(() => undefined))?.code === 0 ? undefined : 'no AWS CLI';
const noHaproxy = existsSync('/usr/sbin/haproxy') ? undefined : 'no HAProxy';
const missing = noCli ?? (await missingDocker()) ?? noHaproxy;
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

/** How often the service is rolled out under load, on each engine. */
const rollouts = { nightly: 30, release: 1_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 2;
const hours = { nightly: 1, release: 12 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 0.2;

type Engine = 'haproxy' | 'embedded';

/** A server with a service behind a load balancer, and what it takes to change it. */
class Stage implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'slipway-lb-'));
  readonly #docker = new DockerCli();
  readonly #addresses = `127.${randomInt(64, 250)}.${randomInt(250)}.0/24`;
  #server: ServerProcess;
  /** What is asked again and again, under load; the command line takes a second of a core for each. */
  #client: ECSClient | undefined;
  #engine: Engine = 'haproxy';
  #balanced: Balanced | undefined;

  private constructor(port: number) {
    this.#server = this.#serverOf(port, {});
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(await freePort());
    try {
      await stage.#server.start();
      stage.#balanced = await makeBalancer(stage.#cli, { port: await freePort(), from: '127.0.0.0/8' });
      await stage.#makeService();
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

  get #cli(): AwsCli {
    return new AwsCli(this.#server.aws());
  }

  get balanced(): Balanced {
    if (this.#balanced === undefined) throw new Error('the load balancer is not made yet');
    return this.#balanced;
  }

  get #ecs(): ECSClient {
    this.#client ??= ecsClient(this.#server);
    return this.#client;
  }

  /** The same installation with another engine, or another server; its tasks run on. */
  async restart(engine: Engine, more: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.#end();
    this.#engine = engine;
    this.#server = this.#serverOf(this.#server.port, more);
    await this.#server.start();
    await until(
      'the load balancer to answer again',
      120_000,
      async () => (await this.ask(this.balanced.port, this.balanced.host)) === 200,
    );
    await this.steady();
  }

  service(): Promise<Service> {
    return describeWeb(this.#ecs);
  }

  /** Runs a task whose port has a fixed one of its host, as classic load balancers need it. @returns the machine it is on */
  async runFixed(port: number): Promise<string> {
    await this.aws(
      ['ecs', 'register-task-definition', '--family', 'fixed'],
      [
        '--container-definitions',
        JSON.stringify([{ ...targetContainer(this.#image), portMappings: [{ containerPort: 8080, hostPort: port }] }]),
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
    const { taskArns = [] } = await this.#ecs.send(new ListTasksCommand({ serviceName: 'web', desiredStatus }));
    return taskArns;
  }

  get #image(): string {
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

  async #makeService(): Promise<void> {
    const image = this.#image;
    await this.aws('ecr', 'create-repository', '--repository-name', 'target');
    const { stdout } = await this.#cli.run(['ecr', 'get-login-password']);
    await this.#docker.check(['login', '--username', 'AWS', '--password-stdin', this.#server.registry], stdout.trim());
    await makeTargetImage(this.#docker, image);
    await this.#docker.check(['push', image]);
    await until('the container instance', 120_000, async () => {
      const { containerInstanceArns = [] } = await this.#ecs.send(new ListContainerInstancesCommand({}));
      return containerInstanceArns.length === 1;
    });
    await makeService(this.#cli, { image, group: this.balanced.group, count: 2 });
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
    const left = await this.#docker.run(['ps', '-aq', '--filter', `ancestor=${this.#image}`]);
    if (left.code === 0 && left.stdout !== '') await this.#docker.run(['rm', '-f', ...left.stdout.trim().split('\n')]);
    const images = await this.#docker.check(['images', '-q', `${this.#server.registry}/*`]);
    if (images !== '') await this.#docker.run(['rmi', '-f', ...new Set(images.split('\n'))]);
    this.#docker.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

// Names below localhost mean one address, where the listener is found by the name.
const address = '127.0.0.1';

describe.skipIf(missing !== undefined)(
  `a service behind a load balancer${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: hours * 3_600_000 },
  () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await Stage.open();
    }, 600_000);
    afterAll(async () => {
      await stage?.[Symbol.asyncDispose]();
    }, 120_000);

    test.each(['haproxy', 'embedded'] as const)('%s: no request fails while it is rolled out', async (engine) => {
      if (engine !== 'haproxy') await stage.restart(engine);
      const report = await underLoad(address, stage.balanced, async () => {
        for (let done = 0; done < rollouts; done++) await stage.update('--force-new-deployment');
        await stage.update('--desired-count', '1');
        await stage.update('--desired-count', '2');
        const [task = ''] = await stage.tasks('RUNNING');
        await stage.aws('ecs', 'stop-task', '--task', task);
        await until('another task', 120_000, async () => !(await stage.tasks('RUNNING')).includes(task));
        await stage.steady();
      });
      expect(report.failures, `${describeReport(report)}\n${stage.log.slice(-4_000)}`).toEqual([]);
      const events = ((await stage.service()).events ?? []).map(({ message = '' }) => message);
      for (const what of ['registered', 'deregistered'])
        expect(events.some((text) => new RegExp(`^\\(service web\\) ${what} \\d targets in `).test(text))).toBe(true);
    });

    test('aws elb: an instance comes into service behind a classic load balancer, and its waiters say so', async () => {
      const [port, hostPort] = [await freePort(), await freePort()];
      const named = ['--load-balancer-name', 'old'];
      const way = `Protocol=HTTP,LoadBalancerPort=${port},InstanceProtocol=HTTP,InstancePort=${hostPort}`;
      const elb = <T>(...args: string[]): Promise<T> => stage.aws<T>('elb', args.slice(0, 1), named, args.slice(1));
      const { DNSName } = await elb<{ DNSName: string }>(
        'create-load-balancer',
        '--listeners',
        way,
        '--subnets',
        stage.balanced.subnet,
      );
      const check = `Target=HTTP:${hostPort}/,Interval=5,Timeout=4,UnhealthyThreshold=2,HealthyThreshold=2`;
      await elb('configure-health-check', '--health-check', check);
      const instance = await stage.runFixed(hostPort);
      await elb('register-instances-with-load-balancer', '--instances', instance);
      // Begun before it is: they wait.
      await Promise.all(
        ['instance-in-service', 'any-instance-in-service'].map((waiter) => stage.aws('elb', 'wait', waiter, named)),
      );
      const { InstanceStates } = await elb<{ InstanceStates: object[] }>('describe-instance-health');
      expect(InstanceStates).toMatchObject([{ InstanceId: instance }]);
      const answers = (status: number): Promise<true> =>
        until(`an answer ${status}`, 120_000, async () => (await stage.ask(port, DNSName)) === status);
      await answers(200);
      await elb('deregister-instances-from-load-balancer', '--instances', instance);
      await stage.aws('elb', 'wait', 'instance-deregistered', named, '--instances', instance);
      await answers(503);
      await elb('delete-load-balancer');
    });

    test.each(['embedded', 'haproxy'] as const)(
      '%s: requests fail when tasks are stopped before the engine has acknowledged',
      async (engine) => {
        const mistake = join(import.meta.dirname, 'testdata', 'unacknowledged.mjs');
        await stage.restart(engine, { NODE_OPTIONS: `--import=${mistake}` });
        let failed = 0;
        for (let attempt = 0; attempt < 10 && failed === 0; attempt++) {
          const report = await underLoad(address, stage.balanced, () => stage.update('--force-new-deployment'));
          failed = report.failures.length;
        }
        expect(failed).toBeGreaterThan(0);
      },
    );
  },
);
