import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { DescribeTasksCommand, type ECSClient, ListTasksCommand, type Task } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ecsClient } from '../testbed/aws-clients.ts';
import { run, until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { missingHosts, missingRunsc, startHosts, type TestHost, type TestHosts } from '../testbed/hosts.ts';
import { agentLogs, joinHosts, pushFrom, type ServerForHosts, startServerFor } from '../testbed/machines.ts';
import { shellBlocks } from '../testbed/readme.ts';

/**
 * Fargate tasks on hosts, each with an engine and a network of its own, by the AWS command line: two that stay, and one that may be taken
 * back. What is asked again until it is so is asked by the SDK, whose start does not take a second.
 */
const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
const shared = missingRunsc();
if (shared !== undefined && process.env['CI'] !== undefined) throw new Error(shared);

const root = join(import.meta.dirname, '..', '..');
const slipway = join(root, 'tools', 'bin', 'slipway');

describe.skipIf(missing !== undefined)(`Fargate${missing === undefined ? '' : ` (${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-fargate-'));
  const docker = new DockerCli();
  const local = `slipway-fargate-${randomUUID()}`;
  let made: TestHosts;
  let joined: ServerForHosts;
  let server: ServerForHosts['server'];
  let aws: ServerForHosts['aws'];
  let ecs: ECSClient;
  let image: string;
  let groups: { web: string; client: string };
  let subnets: string[];

  beforeAll(async () => {
    made = await startHosts(3);
    joined = await startServerFor(made, join(folder, 'data'));
    ({ server, aws } = joined);
    ecs = ecsClient(server);
    // The last one may be taken back, and isolates.
    const last = { SLIPWAY_SPOT: 'true', ...(shared === undefined ? { SLIPWAY_ISOLATION: 'runsc' } : {}) };
    await joinHosts(made, joined, folder, (host) => (host === made.hosts.at(-1) ? last : {}));
    await makeImage(docker, webImage(`${local}:one`, 'hello from fargate'));
    const [first] = made.hosts;
    if (first === undefined) throw new Error('there is no host');
    await aws.json(['ecr', 'create-repository', '--repository-name', 'web']);
    const archive = join(folder, 'one.tar');
    await pushFrom(first, joined, docker, { image: `${local}:one`, archive, as: 'web:prod' });
    image = `${joined.address}/web:prod`;
    const { Vpcs } = await aws.json<{ Vpcs: { VpcId: string }[] }>([
      'ec2',
      'describe-vpcs',
      '--filters',
      'Name=is-default,Values=true',
    ]);
    const vpc = Vpcs[0]?.VpcId ?? '';
    const found = await aws.json<{ Subnets: { SubnetId: string }[] }>([
      'ec2',
      'describe-subnets',
      '--filters',
      `Name=vpc-id,Values=${vpc}`,
    ]);
    subnets = found.Subnets.map(({ SubnetId }) => SubnetId);
    const group = async (name: string): Promise<string> =>
      (
        await aws.json<{ GroupId: string }>([
          'ec2',
          'create-security-group',
          '--group-name',
          name,
          '--description',
          name,
          '--vpc-id',
          vpc,
        ])
      ).GroupId;
    groups = { web: await group('web'), client: await group('client') };
    await aws.json([
      'ec2',
      'authorize-security-group-ingress',
      '--group-id',
      groups.web,
      '--protocol',
      'tcp',
      '--port',
      '8080',
      '--source-group',
      groups.client,
    ]);
  }, 600_000);

  afterAll(async () => {
    ecs?.destroy();
    await server?.stop();
    await made?.[Symbol.asyncDispose]();
    await docker.run(['rmi', '--force', `${local}:one`]);
    docker.dispose();
    rmSync(folder, { recursive: true, force: true });
  }, 600_000);

  const placed = (group: string): string =>
    `awsvpcConfiguration={subnets=[${subnets.join(',')}],securityGroups=[${group}],assignPublicIp=DISABLED}`;

  async function tasksOf(family: string): Promise<Task[]> {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ family, launchType: 'FARGATE' }));
    return describeTasks(taskArns);
  }

  async function describeTasks(arns: readonly string[]): Promise<Task[]> {
    if (arns.length === 0) return [];
    return (await ecs.send(new DescribeTasksCommand({ tasks: [...arns] }))).tasks ?? [];
  }

  async function running(family: string, count: number): Promise<Task[]> {
    let last: Task[] = [];
    await until(`${count} tasks of ${family}`, 180_000, async () => {
      last = await tasksOf(family);
      return last.filter(({ lastStatus }) => lastStatus === 'RUNNING').length === count;
    }).catch((cause: unknown) => {
      throw new Error(
        `${JSON.stringify(last)}
${agentLogs(made, folder)}`,
        { cause },
      );
    });
    return last;
  }

  /** The words of a line, and further ones that may have spaces. */
  const words = (line: string, ...more: readonly string[]): string[] => line.split(' ').concat(more);

  const addressOf = (task: Task | undefined): string =>
    task?.attachments?.[0]?.details?.find(({ name }) => name === 'privateIPv4Address')?.value ?? '';

  /** Runs a shell command in a task's container, wherever that is. */
  async function inside(task: Task | undefined, script: string): Promise<string> {
    const id = task?.containers?.[0]?.runtimeId ?? '';
    for (const host of made.hosts) {
      const told = await host.exec(id, `${script} 2>&1; exit 0`);
      if (told.code === 0) return told.stdout;
    }
    return '';
  }

  const fetchOf = (address: string): string =>
    `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 3 ${address} 8080`;

  const hostWith = async (task: Task | undefined): Promise<TestHost | undefined> => {
    for (const host of made.hosts) {
      const ids = await host.docker('ps', '--quiet', '--no-trunc');
      if (ids.includes(task?.containers?.[0]?.runtimeId ?? '-')) return host;
    }
    return undefined;
  };

  test('a service and its clients meet by their addresses on both hosts, as their groups say', async () => {
    for (const [family, group] of [
      ['web', groups.web],
      ['client', groups.client],
    ] as const) {
      await aws.json([
        'ecs',
        'register-task-definition',
        '--family',
        family,
        '--requires-compatibilities',
        'FARGATE',
        '--network-mode',
        'awsvpc',
        '--cpu',
        '256',
        '--memory',
        '512',
        '--container-definitions',
        JSON.stringify([{ name: 'main', image, portMappings: [{ containerPort: 8080 }] }]),
      ]);
      await aws.json([
        'ecs',
        'create-service',
        '--service-name',
        family,
        '--task-definition',
        family,
        '--desired-count',
        '2',
        '--launch-type',
        'FARGATE',
        '--network-configuration',
        placed(group),
      ]);
    }
    const web = await running('web', 2);
    const clients = await running('client', 2);
    const hosts = await Promise.all(web.map(hostWith));
    expect(new Set(hosts.map((host) => host?.name)).size, 'hosts that run the service').toBe(2);
    for (const task of [...web, ...clients]) {
      expect(task).toMatchObject({ launchType: 'FARGATE', platformVersion: '1.4.0' });
      expect(task.containerInstanceArn).toBeUndefined();
      expect(task.attachments).toMatchObject([{ type: 'ElasticNetworkInterface', status: 'ATTACHED' }]);
      expect(task.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address).toBe(addressOf(task));
    }
    expect(new Set([...web, ...clients].map(addressOf)).size).toBe(4);
    for (const client of clients) {
      for (const task of web) {
        let said = '';
        await until(`${addressOf(client)} reaches ${addressOf(task)}`, 180_000, async () => {
          said = await inside(client, fetchOf(addressOf(task)));
          return said.includes('hello from fargate');
        }).catch((cause: unknown) => {
          throw new Error(said, { cause });
        });
      }
    }
    // The other way round, and between members of a group that does not name itself, nothing passes.
    expect(await inside(web[0], fetchOf(addressOf(clients[0])))).not.toContain('hello');
    expect(await inside(web[0], fetchOf(addressOf(web[1])))).not.toContain('hello');
    expect(await inside(clients[0], fetchOf('169.254.169.254'))).not.toContain('hello');
    const { NetworkInterfaces: used } = await aws.json<{ NetworkInterfaces: { PrivateIpAddress: string }[] }>([
      'ec2',
      'describe-network-interfaces',
      '--filters',
      `Name=group-id,Values=${groups.web}`,
    ]);
    expect(used.map(({ PrivateIpAddress }) => PrivateIpAddress).sort()).toEqual(web.map(addressOf).sort());
  }, 600_000);

  test('a rule that is added, and one that is taken away, counts on all hosts while tasks run', async () => {
    const [web] = await running('web', 2);
    const [client] = await running('client', 2);
    const reaches = async (): Promise<boolean> => (await inside(client, fetchOf(addressOf(web)))).includes('hello');
    const rule = ['--group-id', groups.web, '--protocol', 'tcp', '--port', '8080', '--source-group', groups.client];
    await aws.json(['ec2', 'revoke-security-group-ingress', ...rule]);
    await until('the rule is gone', 180_000, async () => !(await reaches()));
    await aws.json(['ec2', 'authorize-security-group-ingress', ...rule]);
    expect(await until('the rule is back', 180_000, reaches)).toBe(true);
  }, 600_000);

  test("the README's service runs as it is typed", async () => {
    const [block = ''] = shellBlocks('README.md', 'The same on Fargate');
    const { code, stdout, stderr } = await run('sh', ['-euc', block.replaceAll('127.0.0.1:7500', joined.address)], {
      env: {
        ...server.aws(),
        AWS_PAGER: '',
        PATH: [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter),
      },
      timeout: 200_000,
    });
    expect(code, stdout + stderr + (code === 0 ? '' : agentLogs(made, folder))).toBe(0);
    const tasks = await running('api', 2);
    expect(new Set(tasks.map(addressOf)).size).toBe(2);
    await aws.json(['ecs', 'delete-service', '--service', 'api', '--force']);
    await until('the end of its tasks', 180_000, async () => (await tasksOf('api')).length === 0);
  }, 600_000);

  test('what stops gives its address back and leaves nothing on the hosts', async () => {
    const before = await running('client', 2);
    await aws.json(['ecs', 'delete-service', '--service', 'client', '--force']);
    await aws.json(['ecs', 'delete-service', '--service', 'web', '--force']);
    await until(
      'the end of all tasks',
      180_000,
      async () => (await tasksOf('client')).length + (await tasksOf('web')).length === 0,
    );
    await until('clean hosts', 180_000, async () => {
      const shown = await Promise.all(made.hosts.map((host) => host.run('ip', ['-o', 'link', 'show', 'type', 'veth'])));
      return shown.every(({ stdout }) => !/ ecs[0-9a-f]{12}/.test(stdout));
    });
    // Until then the task is DEPROVISIONING.
    await until('the interfaces given back', 180_000, async () => {
      const tasks = await describeTasks(before.map(({ taskArn = '' }) => taskArn));
      return tasks.every(
        ({ lastStatus, attachments }) => lastStatus === 'STOPPED' && attachments?.[0]?.status === 'DELETED',
      );
    });
    const free = async (): Promise<number[]> => {
      const { Subnets } = await aws.json<{ Subnets: { AvailableIpAddressCount: number }[] }>([
        'ec2',
        'describe-subnets',
        '--subnet-ids',
        ...subnets,
      ]);
      return Subnets.map(({ AvailableIpAddressCount }) => AvailableIpAddressCount);
    };
    // The other service's too.
    await until('all addresses free', 180_000, async () => (await free()).every((count) => count === 4091));
    expect(await free()).toEqual(subnets.map(() => 4091));
  }, 600_000);

  test.skipIf(shared !== undefined)(
    `containers of a host that isolates have a kernel of their own, and one address${shared === undefined ? '' : ` (${shared})`}`,
    async () => {
      const spot = made.hosts.at(-1);
      const providers = 'ecs put-cluster-capacity-providers --cluster default';
      const strategy = '--capacity-provider-strategy capacityProvider=FARGATE_SPOT,weight=1';
      await aws.json(
        words(`${providers} --capacity-providers FARGATE FARGATE_SPOT --default-capacity-provider-strategy []`),
      );
      const probe = { command: ['CMD-SHELL', 'busybox test -e /tmp/ready'], interval: 5, startPeriod: 300 };
      const definition = {
        family: 'isolated',
        requiresCompatibilities: ['FARGATE'],
        networkMode: 'awsvpc',
        cpu: '256',
        memory: '512',
        volumes: [{ name: 'common' }],
        containerDefinitions: [
          {
            name: 'main',
            image,
            portMappings: [{ containerPort: 8080 }],
            healthCheck: probe,
            mountPoints: [{ sourceVolume: 'common', containerPath: '/common' }],
          },
          {
            name: 'side',
            image,
            entryPoint: ['/bin/sh', '-c'],
            command: [
              `trap 'exit 0' TERM; until ${fetchOf('127.0.0.1')} | busybox grep hello > /common/said; do busybox sleep 0.2; done; while :; do busybox sleep 0.2; done`,
            ],
            mountPoints: [{ sourceVolume: 'common', containerPath: '/common' }],
            dependsOn: [{ containerName: 'main', condition: 'HEALTHY' }],
          },
        ],
      };
      await aws.json(['ecs', 'register-task-definition', '--cli-input-json', JSON.stringify(definition)]);
      await aws.json(
        words(
          `ecs create-service --service-name isolated --task-definition isolated ${strategy} --desired-count 1`,
          '--network-configuration',
          placed(groups.web),
        ),
      );
      // Its own kernel, by a health check, ECS Exec's way in, and a volume that both have.
      await until('the first container', 180_000, async () => {
        const [begun] = await tasksOf('isolated');
        return (await inside(begun, 'busybox touch /tmp/ready && busybox dmesg')).includes('Starting gVisor');
      }).catch((cause: unknown) => {
        throw new Error(agentLogs(made, folder), { cause });
      });
      const [task] = await running('isolated', 1);
      expect((await hostWith(task))?.name).toBe(spot?.name);
      expect(task?.attributes).toContainEqual({ name: 'slipway.isolation', value: 'runsc' });
      // Each has its sandbox; `localhost` and the address are the task's.
      const told = async (): Promise<boolean> =>
        (await inside(task, 'busybox cat /common/said')).includes('hello from fargate');
      expect(await until('what the other container was told', 180_000, told)).toBe(true);
      expect(await inside(task, 'busybox ip -4 addr')).toContain(`${addressOf(task)}/`);
      const explained = await run(slipway, ['explain', 'isolated'], { env: server.aws() });
      expect(explained.stdout).toContain('1 of 1 running tasks are isolated by runsc');
      // What the agent itself added has no sandbox, and every container of the task has one.
      const ids = (await spot?.docker('ps', '--quiet', '--no-trunc'))?.split('\n') ?? [];
      const runtimes = await spot?.docker('inspect', '--format', '{{.HostConfig.Runtime}} {{.Name}}', ...ids);
      expect(runtimes?.split('\n').map((line) => line.split(' ')[0])).toEqual(
        expect.arrayContaining(['runsc', 'runsc', 'runc']),
      );
      // It runs out of its own memory, not of the host's.
      const filled = await aws.json<{ tasks: { taskArn: string }[] }>(
        words(
          `ecs run-task --task-definition isolated ${strategy} --network-configuration`,
          placed(groups.web),
          '--overrides',
          JSON.stringify({
            containerOverrides: [
              { name: 'main', command: ['/bin/sh', '-c', 'exec busybox dd if=/dev/zero of=/dev/null bs=800M'] },
            ],
          }),
        ),
      );
      const arns = filled.tasks.map(({ taskArn }) => taskArn);
      await until('the end of who takes too much', 180_000, async () =>
        (await describeTasks(arns)).every(({ lastStatus }) => lastStatus === 'STOPPED'),
      );
      const [over] = await describeTasks(arns);
      expect(over?.attributes).toContainEqual({ name: 'slipway.isolation', value: 'runsc' });
      expect(over?.containers?.[0]).toMatchObject({ exitCode: 137 });
      await aws.json(['ecs', 'delete-service', '--service', 'isolated', '--force']);
      await until('the end of it', 180_000, async () => (await tasksOf('isolated')).length === 0);
    },
    600_000,
  );

  test('what may be interrupted is, when its host is taken back, and a service has its next task first', async () => {
    const spot = made.hosts.at(-1);
    const providers = ['FARGATE', 'FARGATE_SPOT'];
    await aws.json([
      'ecs',
      'put-cluster-capacity-providers',
      '--cluster',
      'default',
      '--capacity-providers',
      ...providers,
      '--default-capacity-provider-strategy',
      'capacityProvider=FARGATE_SPOT,weight=1',
    ]);
    await aws.json([
      'ecs',
      'create-service',
      '--service-name',
      'spot',
      '--task-definition',
      'web',
      '--desired-count',
      '1',
      '--network-configuration',
      placed(groups.web),
    ]);
    const script = "trap 'exit 7' TERM; while :; do busybox sleep 0.2; done";
    const alone = await aws.json<{ tasks: { taskArn: string }[] }>([
      'ecs',
      'run-task',
      '--task-definition',
      'web',
      '--network-configuration',
      placed(groups.web),
      '--overrides',
      JSON.stringify({ containerOverrides: [{ name: 'main', command: ['/bin/sh', '-c', script] }] }),
    ]);
    const [single = ''] = alone.tasks.map(({ taskArn }) => taskArn);
    const before = await running('web', 2);
    for (const task of before) {
      expect(task).toMatchObject({ launchType: 'FARGATE', capacityProviderName: 'FARGATE_SPOT' });
      expect((await hostWith(task))?.name).toBe(spot?.name);
    }
    const old = before.find(({ taskArn }) => taskArn !== single)?.taskArn ?? '';

    const { containerInstanceArns } = await aws.json<{ containerInstanceArns: string[] }>([
      'ecs',
      'list-container-instances',
      '--filter',
      'attribute:slipway.spot exists',
    ]);
    expect(containerInstanceArns).toHaveLength(1);
    const told = await run(slipway, ['hosts', 'reclaim', containerInstanceArns[0] ?? ''], { env: server.aws() });
    expect(told.stdout + told.stderr).toMatch(/gets no more tasks and is to go at /);
    expect(told.code).toBe(0);

    const ended = (): Promise<Task[]> => describeTasks([single, old]);
    await until('the end of both', 180_000, async () =>
      (await ended()).every(({ lastStatus }) => lastStatus === 'STOPPED'),
    );
    const [interrupted, replaced] = await ended();
    for (const task of [interrupted, replaced])
      expect(task).toMatchObject({ stopCode: 'SpotInterruption', stoppedReason: 'Your Spot Task was interrupted.' });
    // It had SIGTERM, and ended by itself.
    expect(interrupted?.containers?.[0]?.exitCode).toBe(7);
    const [next] = await running('web', 1);
    expect(next).toMatchObject({ capacityProviderName: 'FARGATE_SPOT' });
    expect((await hostWith(next))?.name).not.toBe(spot?.name);
    const [startedAt = 0, stoppingAt = 0] = [next?.startedAt?.getTime(), replaced?.stoppingAt?.getTime()];
    expect(startedAt).toBeGreaterThan(0);
    expect(startedAt).toBeLessThanOrEqual(stoppingAt);
    await aws.json(['ecs', 'delete-service', '--service', 'spot', '--force']);
    await until('the end of the last', 180_000, async () => (await tasksOf('web')).length === 0);
  }, 600_000);

  test('what Fargate does not have is refused with what to change', async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await aws.run(args);
      expect(code).not.toBe(0);
      return stderr;
    };
    const definition = (more: object): string[] => [
      'ecs',
      'register-task-definition',
      '--cli-input-json',
      JSON.stringify({
        family: 'refused',
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        cpu: '256',
        memory: '512',
        containerDefinitions: [{ name: 'main', image, portMappings: [{ containerPort: 8080 }] }],
        ...more,
      }),
    ];
    expect(await refused(...definition({ memory: '4096' }))).toMatch(
      /No Fargate configuration exists for given values: with 256 CPU/,
    );
    expect(await refused(...definition({ networkMode: 'bridge' }))).toMatch(/only supports network mode 'awsvpc'/);
    expect(
      await refused(
        ...definition({
          containerDefinitions: [{ name: 'main', image, portMappings: [{ containerPort: 80, hostPort: 81 }] }],
        }),
      ),
    ).toMatch(/When networkMode=awsvpc, the host ports and container ports in port mappings must match/);
    expect(await refused(...definition({ containerDefinitions: [{ name: 'main', image, privileged: true }] }))).toMatch(
      /Fargate does not support 'privileged'/,
    );
    const start = ['ecs', 'run-task', '--task-definition', 'web', '--launch-type', 'FARGATE'];
    expect(await refused(...start)).toMatch(
      /Network Configuration must be provided when networkMode 'awsvpc' is specified/,
    );
    expect(
      await refused(...start, '--network-configuration', 'awsvpcConfiguration={subnets=[subnet-00000000000000000]}'),
    ).toMatch(/The subnet ID 'subnet-00000000000000000' does not exist/);
    expect(
      await refused(...start, '--network-configuration', placed(groups.web), '--platform-version', '9.9.9'),
    ).toMatch(/platform version '9.9.9' does not exist/);
  }, 600_000);
});
