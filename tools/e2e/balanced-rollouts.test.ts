import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomInt } from 'node:crypto';
import { get } from 'node:http';
import {
  DescribeServicesCommand,
  type ECSClient,
  ListContainerInstancesCommand,
  ListTasksCommand,
  type Service,
} from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trafficEngines } from '../server/traffic-engines.ts';
import { AwsCli } from '../testbed/aws-cli.ts';
import { ecsClient, sdkOptions } from '../testbed/aws-clients.ts';
import { run, until } from '../testbed/command.ts';
import { DockerCli, missingDocker } from '../testbed/docker.ts';
import { describeReport, type Report, startLoad } from '../testbed/load/index.ts';
import { makeLocalImage } from '../testbed/local-images.ts';
import { ElbClient } from '../testbed/query-clients.ts';
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
  /** The listener's port, and the load balancer's name. */
  port = 0;
  host = '';
  subnet = '';
  group = '';

  private constructor(port: number) {
    this.#server = this.#serverOf(port, {});
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(await freePort());
    try {
      await stage.#server.start();
      await stage.#makeBalancer();
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
    return new AwsCli(this.#server.aws()).json<T>(args.flat());
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
      async () => (await this.ask(this.port, this.host)) === 200,
    );
    await this.steady();
  }

  async service(): Promise<Service> {
    const [service] = (await this.#ecs.send(new DescribeServicesCommand({ services: ['web'] }))).services ?? [];
    if (service === undefined) throw new Error('there is no service');
    return service;
  }

  /** Runs a task whose port has a fixed one of its host, as classic load balancers need it. @returns the machine it is on */
  async runFixed(port: number): Promise<string> {
    await this.aws(
      ['ecs', 'register-task-definition', '--family', 'fixed'],
      [
        '--container-definitions',
        JSON.stringify([{ ...this.#container, portMappings: [{ containerPort: 8080, hostPort: port }] }]),
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

  /** Waits until the tasks wanted run and all get requests: a task stopped by hand before that could be the only one that did. */
  async steady(): Promise<void> {
    await until('the service to be steady', 240_000, async () => {
      const { deployments = [], desiredCount, runningCount } = await this.service();
      if (deployments.length !== 1 || deployments[0]?.rolloutState !== 'COMPLETED') return false;
      if (runningCount !== desiredCount) return false;
      const { text } = (await new ElbClient(sdkOptions(this.#server)).send({
        name: 'DescribeTargetHealth',
        input: { TargetGroupArn: this.group },
      })) as { readonly text: string };
      const states = [...text.matchAll(/<State>([a-z.]+)</g)].map(([, state]) => state);
      return states.length === desiredCount && states.every((state) => state === 'healthy');
    });
  }

  async tasks(desiredStatus: 'RUNNING' | 'STOPPED'): Promise<readonly string[]> {
    const { taskArns = [] } = await this.#ecs.send(new ListTasksCommand({ serviceName: 'web', desiredStatus }));
    return taskArns;
  }

  get #image(): string {
    return `${this.#server.registry}/target:1`;
  }

  get #container() {
    return {
      name: 'target',
      image: this.#image,
      memory: 128,
      essential: true,
      stopTimeout: 2,
      portMappings: [{ containerPort: 8080 }],
      // What is told to stop is gone at once: whoever still sends it something, or waits for an answer, hears of it.
      command: ['node', '/target.ts', 'web', '8080', '', JSON.stringify({ onTerm: 'abrupt' })],
    };
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

  async #makeBalancer(): Promise<void> {
    const { Subnets } = await this.aws<{ Subnets: [{ SubnetId: string; VpcId: string }] }>('ec2', 'describe-subnets');
    const [{ SubnetId: subnet, VpcId: vpc }] = Subnets;
    const { SecurityGroups } = await this.aws<{ SecurityGroups: [{ GroupId: string }] }>([
      'ec2',
      'describe-security-groups',
      '--filters',
      'Name=group-name,Values=default',
    ]);
    await this.aws(
      ['ec2', 'authorize-security-group-ingress', '--group-id', SecurityGroups[0].GroupId],
      ['--protocol', 'tcp', '--port', '0-65535', '--cidr', '127.0.0.0/8'],
    );
    const { LoadBalancers } = await this.aws<{ LoadBalancers: [{ LoadBalancerArn: string; DNSName: string }] }>([
      'elbv2',
      'create-load-balancer',
      '--name',
      'web',
      '--subnets',
      subnet,
    ]);
    const { TargetGroups } = await this.aws<{ TargetGroups: [{ TargetGroupArn: string }] }>(
      ['elbv2', 'create-target-group', '--name', 'web', '--protocol', 'HTTP', '--port', '8080', '--vpc-id', vpc],
      ['--target-type', 'instance', '--health-check-interval-seconds', '5', '--health-check-timeout-seconds', '4'],
    );
    this.group = TargetGroups[0].TargetGroupArn;
    this.host = LoadBalancers[0].DNSName;
    this.subnet = subnet;
    this.port = await freePort();
    await this.aws(
      ['elbv2', 'create-listener', '--load-balancer-arn', LoadBalancers[0].LoadBalancerArn],
      ['--protocol', 'HTTP', '--port', String(this.port)],
      ['--default-actions', `Type=forward,TargetGroupArn=${this.group}`],
    );
  }

  async #makeService(): Promise<void> {
    const image = this.#image;
    await this.aws('ecr', 'create-repository', '--repository-name', 'target');
    const { stdout } = await new AwsCli(this.#server.aws()).run(['ecr', 'get-login-password']);
    await this.#docker.check(['login', '--username', 'AWS', '--password-stdin', this.#server.registry], stdout.trim());
    await makeLocalImage(this.#docker, {
      reference: image,
      programs: [process.execPath],
      copies: { [join(import.meta.dirname, '..', 'testbed', 'load', 'target.ts')]: '/target.ts' },
      changes: ['ENV PATH=/usr/local/bin:/bin'],
    });
    await this.#docker.check(['push', image]);
    await until('the container instance', 120_000, async () => {
      const { containerInstanceArns = [] } = await this.#ecs.send(new ListContainerInstancesCommand({}));
      return containerInstanceArns.length === 1;
    });
    await this.aws(
      ['ecs', 'register-task-definition', '--family', 'web'],
      ['--container-definitions', JSON.stringify([this.#container])],
    );
    const balancer = { targetGroupArn: this.group, containerName: 'target', containerPort: 8080 };
    await this.aws(
      ['ecs', 'create-service', '--service-name', 'web', '--task-definition', 'web', '--desired-count', '2'],
      ['--load-balancers', JSON.stringify([balancer])],
    );
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

/** Load from before the work to after it. @returns how every request went */
async function underLoad(stage: Stage, work: () => Promise<void>): Promise<Report> {
  const load = startLoad({
    // Names below localhost mean one address, where the listener is found by the name.
    address: '127.0.0.1',
    port: stage.port,
    host: stage.host,
    services: ['web'],
    bigBytes: 300_000,
    mix: { busy: 1, posting: 1, thinking: 1, idling: 1, fresh: 1, slow: 1, events: 1, webSocket: 1 },
  });
  const ended = async (): Promise<void> => {
    const before = load.total;
    await until('requests', 120_000, async () => load.total > before + 100, 20);
  };
  try {
    await ended();
    await work();
    await ended();
  } catch (error) {
    await load.stop();
    throw error;
  }
  return load.stop();
}

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
      const report = await underLoad(stage, async () => {
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
        stage.subnet,
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
          const report = await underLoad(stage, () => stage.update('--force-new-deployment'));
          failed = report.failures.length;
        }
        expect(failed).toBeGreaterThan(0);
      },
    );
  },
);
