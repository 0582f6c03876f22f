import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import {
  agentOf,
  Ec2Client,
  type Machines,
  missingDocker,
  missingHosts,
  missingRunsc,
  openMachines,
  sdkOptions,
  type TestHosts,
  type TestImage,
  until,
} from '../testbed/index.ts';
import { memoryOf, processorTime, stream, watchRules } from './task-probes.ts';
import { median, quantile, render, type Row, type Section, short, spread, writeSection } from './results.ts';

/**
 * `npm run bench:tasks`: what tasks with addresses of their own cost, on two hosts with engines and networks of their own: how long a
 * task takes to start, how much of the hosts' throughput reaches it, what the agent takes, and how fast rules are enforced.
 */
const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    full: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    tasks: { type: 'string' },
    changes: { type: 'string' },
    help: { type: 'boolean' },
  },
});
/** What the agent's goals are for. */
const manyTasks = 200;
// A few minutes; all of it takes a quarter of an hour.
const usual = options.full ? { rounds: 15, tasks: manyTasks, changes: 100 } : { rounds: 5, tasks: 30, changes: 30 };
if (options.help) {
  process.stdout.write('npm run bench:tasks [-- --full] [--rounds 5] [--tasks 30] [--changes 30] [--json FILE]\n');
  process.exit(0);
}
const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined) throw new Error(`tasks cannot be measured here: ${missing}`);

const longest = 180_000;
const rows: Row[] = [];
const measured: Record<string, unknown> = {};
const add = (what: string, ours: string, goal = '', peer = '', ratio = ''): void => {
  rows.push({ what, ours, peer, ratio, goal });
  process.stdout.write(`${what}: ${ours}${peer === '' ? '' : ` beside ${peer}`}${ratio === '' ? '' : `, ${ratio}`}\n`);
};

type Kind = 'bridge' | 'awsvpc' | 'fargate';

/** What is measured, on hosts that have joined. */
class Bench {
  readonly #ecs: ECSClient;
  readonly #ec2: Ec2Client;
  readonly #made: TestHosts;
  readonly #network: { readonly subnets: string[]; readonly group: string; readonly vpc: string };

  private constructor(
    ecs: ECSClient,
    ec2: Ec2Client,
    made: TestHosts,
    network: { subnets: string[]; group: string; vpc: string },
  ) {
    this.#ecs = ecs;
    this.#ec2 = ec2;
    this.#made = made;
    this.#network = network;
  }

  static async open({ made, joined, ecs, image, subnets }: Machines): Promise<Bench> {
    const ec2 = new Ec2Client(sdkOptions(joined.server));
    const { Vpcs } = await joined.aws.json<{ Vpcs: [{ VpcId: string }] }>(['ec2', 'describe-vpcs']);
    const [{ VpcId: vpc }] = Vpcs;
    const { GroupId } = await joined.aws.json<{ GroupId: string }>([
      'ec2',
      'create-security-group',
      '--group-name',
      'bench',
      '--description',
      'bench',
      '--vpc-id',
      vpc,
    ]);
    await joined.aws.json([
      'ec2',
      'authorize-security-group-ingress',
      '--group-id',
      GroupId,
      '--protocol',
      '-1',
      '--cidr',
      '0.0.0.0/0',
    ]);
    const container = { name: 'main', image, memory: 16, essential: true };
    for (const kind of ['bridge', 'awsvpc', 'fargate'] as const) {
      await ecs.send(
        new RegisterTaskDefinitionCommand({
          family: kind,
          networkMode: kind === 'bridge' ? 'bridge' : 'awsvpc',
          containerDefinitions: [kind === 'fargate' ? { ...container, memory: undefined } : container],
          ...(kind === 'fargate' ? { requiresCompatibilities: ['FARGATE'], cpu: '256', memory: '512' } : {}),
        }),
      );
    }
    return new Bench(ecs, ec2, made, { subnets, group: GroupId, vpc });
  }

  async #run(kind: Kind, more: Partial<RunTaskCommandInput> = {}, groups = [this.#network.group]): Promise<string[]> {
    const { tasks = [], failures = [] } = await this.#ecs.send(
      new RunTaskCommand({
        taskDefinition: kind,
        launchType: kind === 'fargate' ? 'FARGATE' : 'EC2',
        ...(kind === 'bridge'
          ? {}
          : {
              networkConfiguration: { awsvpcConfiguration: { subnets: this.#network.subnets, securityGroups: groups } },
            }),
        ...more,
      }),
    );
    if (failures.length > 0) throw new Error(JSON.stringify(failures));
    return tasks.map(({ taskArn = '' }) => taskArn);
  }

  async #describe(arns: readonly string[]): Promise<Task[]> {
    const found: Task[] = [];
    for (let at = 0; at < arns.length; at += 100) {
      const { tasks = [] } = await this.#ecs.send(new DescribeTasksCommand({ tasks: arns.slice(at, at + 100) }));
      found.push(...tasks);
    }
    return found;
  }

  async #running(arns: readonly string[], every: number): Promise<Task[]> {
    return until(
      'the tasks to run',
      longest * 2,
      async () => {
        const tasks = await this.#describe(arns);
        const ended = tasks.find(({ lastStatus }) => lastStatus === 'STOPPED');
        if (ended !== undefined) return [ended];
        return tasks.every(({ lastStatus }) => lastStatus === 'RUNNING') && tasks;
      },
      every,
    ).then((tasks) => {
      const ended = tasks.find(({ lastStatus }) => lastStatus === 'STOPPED');
      if (ended !== undefined) throw new Error(`a task ended: ${ended.stoppedReason}`);
      return tasks;
    });
  }

  async #stop(arns: readonly string[]): Promise<void> {
    for (const task of arns) await this.#ecs.send(new StopTaskCommand({ task }));
    await until('the tasks to end', longest * 2, async () => {
      const { taskArns = [] } = await this.#ecs.send(new ListTasksCommand({}));
      return taskArns.length === 0 && (await this.#describe(arns)).every(({ lastStatus }) => lastStatus === 'STOPPED');
    });
  }

  /** RunTask to RUNNING of one task at a time, the kinds in turns. */
  async starts(rounds: number): Promise<void> {
    const kinds = ['bridge', 'awsvpc', 'fargate'] as const;
    const times: Record<Kind, number[]> = { bridge: [], awsvpc: [], fargate: [] };
    // The first ones pull the image, on both hosts.
    for (const kind of kinds) await this.#stop(await this.#start(kind, { count: 4 }));
    for (let round = 0; round < rounds; round += 1) {
      for (const kind of kinds) {
        const started = performance.now();
        const tasks = await this.#start(kind);
        times[kind].push(performance.now() - started);
        await this.#stop(tasks);
      }
    }
    measured['startMs'] = times;
    add(`RunTask to RUNNING: bridge, ${rounds} tasks`, spread(times.bridge, 'ms'));
    const over = (kind: Kind): string => `+${short(median(times[kind]) - median(times.bridge))} ms`;
    const peer = spread(times.bridge, 'ms');
    add(
      'RunTask to RUNNING: awsvpc, beside bridge',
      spread(times.awsvpc, 'ms'),
      'at most +150 ms',
      peer,
      over('awsvpc'),
    );
    add('RunTask to RUNNING: Fargate (runc), beside bridge', spread(times.fargate, 'ms'), '', peer, over('fargate'));
  }

  /** The same of Fargate's tasks on a host that isolates them. */
  async isolated(rounds: number): Promise<void> {
    const times: Record<'bridge' | 'fargate', number[]> = { bridge: [], fargate: [] };
    for (let round = -1; round < rounds; round += 1) {
      for (const kind of ['bridge', 'fargate'] as const) {
        const started = performance.now();
        const tasks = await this.#start(kind);
        // The first ones pull the image.
        if (round >= 0) times[kind].push(performance.now() - started);
        await this.#stop(tasks);
      }
    }
    measured['isolatedMs'] = times;
    const over = `+${short(median(times.fargate) - median(times.bridge))} ms`;
    const peer = spread(times.bridge, 'ms');
    add('RunTask to RUNNING: Fargate (runsc), beside bridge (runc)', spread(times.fargate, 'ms'), '', peer, over);
  }

  async #start(kind: Kind, more: Partial<RunTaskCommandInput> = {}): Promise<string[]> {
    const tasks = await this.#run(kind, more);
    await this.#running(tasks, 5);
    return tasks;
  }

  /** Bytes that one stream of TCP brings from a task of one host to one of the other, beside the same between the hosts themselves. */
  async throughput(rounds: number): Promise<void> {
    const tasks = await this.#running(
      await this.#run('awsvpc', { count: 2, placementStrategy: [{ type: 'spread', field: 'instanceId' }] }),
      50,
    );
    const ends: { readonly pid: string; readonly address: string }[] = [];
    for (const task of tasks) {
      const id = task.containers?.[0]?.runtimeId ?? '';
      for (const host of this.#made.hosts) {
        const { code, stdout } = await host.run('docker', [
          '-H',
          host.dockerHost,
          'inspect',
          '-f',
          '{{.State.Pid}}',
          id,
        ]);
        const address = task.containers?.[0]?.networkInterfaces?.[0]?.privateIpv4Address ?? '';
        if (code === 0) ends.push({ pid: `/proc/${stdout.trim()}/ns/net`, address });
      }
    }
    const hosts = this.#made.hosts.map(({ name, address }) => ({ pid: `/run/netns/${name}`, address }));
    const [ours, plain]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await stream(ends));
      plain.push(await stream(hosts));
    }
    await this.#stop(tasks.map(({ taskArn = '' }) => taskArn));
    measured['throughputMiB'] = { ours, plain };
    const ratio = median(ours.map((value, at) => value / (plain[at] ?? Number.NaN)));
    add(
      'one TCP stream between tasks of two hosts, beside the hosts themselves (veth)',
      spread(ours, 'MiB/s'),
      'at least 0.8x',
      spread(plain, 'MiB/s'),
      `${short(ratio)}x`,
    );
  }

  /** What the agent of one host takes with so many tasks, and how fast a change of a group is enforced on both hosts. */
  async many(count: number, changes: number): Promise<void> {
    const arns: string[] = [];
    while (arns.length < count) {
      const more = {
        count: Math.min(10, count - arns.length),
        placementStrategy: [{ type: 'binpack' as const, field: 'memory' }],
      };
      const some = await this.#run('awsvpc', more);
      await this.#running(some, 100);
      arns.push(...some);
    }
    // One on each host, so that both enforce the group.
    arns.push(
      ...(await this.#run('awsvpc', { count: 2, placementStrategy: [{ type: 'spread', field: 'instanceId' }] })),
    );
    await this.#running(arns, 100);
    await sleep(10_000);
    const agents = this.#made.hosts.map(agentOf).toSorted((a, b) => memoryOf(b) - memoryOf(a));
    const [agent = 0] = agents;
    const seconds = 20;
    const before = processorTime(agent);
    await sleep(seconds * 1_000);
    const share = ((processorTime(agent) - before) / seconds) * 100;
    measured['agent'] = { memoryMiB: memoryOf(agent), percentOfCore: share };
    const goal = (text: string): string => (count < manyTasks ? '' : text);
    add(`agent of a host with ${count} tasks: memory`, `${short(memoryOf(agent))} MiB`, goal('under 120 MiB'));
    add('the same, nothing happening: processor time', `${short(share)} % of a core`, goal('under 1 %'));
    await this.#changes('a change of a security group until both hosts enforce it', changes);
    await this.#tenThousand(arns);
    await this.#changes('the same with 10,000 rules on a host', changes);
    await this.#stop(arns);
  }

  /** Two tasks in five groups each, of 1,000 rules each: a group has no more, and a task no more groups. */
  async #tenThousand(arns: string[]): Promise<void> {
    const groups: string[] = [];
    for (let number = 0; number < 10; number += 1) {
      const { text } = (await this.#ec2.send({
        name: 'CreateSecurityGroup',
        input: { GroupName: `many-${number}`, Description: 'many rules', VpcId: this.#network.vpc },
      })) as { readonly text: string };
      const group = /<groupId>(sg-\w+)</.exec(text)?.[1] ?? '';
      groups.push(group);
      for (let from = 10_000; from < 11_000; from += 200) {
        const IpPermissions = Array.from({ length: 200 }, (_, index) =>
          permission('tcp', from + index, `198.51.${number}.0/24`),
        );
        await this.#ec2.send({ name: 'AuthorizeSecurityGroupIngress', input: { GroupId: group, IpPermissions } });
      }
    }
    const started = performance.now();
    const binpack = { placementStrategy: [{ type: 'binpack' as const, field: 'memory' }] };
    for (const some of [groups.slice(0, 5), groups.slice(5)]) arns.push(...(await this.#run('awsvpc', binpack, some)));
    await this.#running(arns.slice(-2), 20);
    add('RunTask to RUNNING of two tasks with 10,000 rules', `${short(performance.now() - started)} ms`);
  }

  async #changes(what: string, count: number): Promise<void> {
    const monitors = this.#made.hosts.map(watchRules);
    const times: number[] = [];
    try {
      await Promise.all(monitors.map(({ ready }) => ready));
      for (let number = 0; number < count; number += 1) {
        const port = 30_000 + number;
        const input = { GroupId: this.#network.group, IpPermissions: [permission('udp', port, '192.0.2.0/24')] };
        const seen = monitors.map((monitor) => monitor.sees(`dport ${port}`));
        const started = performance.now();
        await this.#ec2.send({ name: 'AuthorizeSecurityGroupIngress', input });
        await Promise.all(seen);
        times.push(performance.now() - started);
        await this.#ec2.send({ name: 'RevokeSecurityGroupIngress', input });
      }
    } finally {
      for (const { end } of monitors) end();
    }
    measured[what] = times;
    add(
      `${what}, ${count} changes`,
      `p50 ${short(median(times))} ms, p99 ${short(quantile(times, 0.99))} ms`,
      'p99 under 500 ms',
    );
  }
}

/** A rule's traffic as EC2 takes it: one port from one range. */
const permission = (IpProtocol: string, port: number, CidrIp: string): object => ({
  IpProtocol,
  FromPort: port,
  ToPort: port,
  IpRanges: [{ CidrIp }],
});

const waiting = (reference: string): TestImage => ({
  reference,
  command: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done'],
});
const rounds = Number(options.rounds ?? usual.rounds);
{
  await using machines = await openMachines(waiting, { hosts: 2 });
  const bench = await Bench.open(machines);
  await bench.starts(rounds);
  await bench.throughput(5);
  await bench.many(Number(options.tasks ?? usual.tasks), Number(options.changes ?? usual.changes));
}
const lacks = missingRunsc();
if (lacks === undefined) {
  await using machines = await openMachines(waiting, { own: () => ({ SLIPWAY_ISOLATION: 'runsc' }) });
  await (await Bench.open(machines)).isolated(rounds);
} else add('RunTask to RUNNING: Fargate (runsc)', `not measured: ${lacks}`);
const section: Section = {
  name: 'tasks',
  title: 'Tasks with addresses of their own',
  command: options.full ? 'npm run bench:tasks -- --full' : 'npm run bench:tasks',
  notes: [
    'Two hosts, each with an engine and a network namespace of its own on this machine, joined by veth and a bridge; the server runs on SQLite beside them. Tasks of one container of busybox, one at a time and the kinds in turns; median (least to most).',
    'A change of a group is one AuthorizeSecurityGroupIngress; it is enforced when `nft monitor` shows its rule on both hosts. Processor time of the agent counts the programs that it runs.',
  ],
  rows,
};
writeSection(section);
process.stdout.write(`${render(section)}\n`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(measured, undefined, 2)}\n`);
process.exit(0);
