import {
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { seeded, testSeed } from '@slipway/registry/testing';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../testbed/command.ts';
import { missingDocker, webImage } from '../testbed/docker.ts';
import { missingHosts, type TestHost } from '../testbed/hosts.ts';
import { agentLogs, crashAgent, type Machines, openMachines, type ServerForHosts } from '../testbed/machines.ts';

/** Nothing of tasks with addresses of their own stays on their host, however many there were and whoever was killed meanwhile. */
const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const size = process.env['SLIPWAY_TEST_SIZE'] ?? '';
const count = { nightly: 100, release: 500 }[size] ?? 20;
const rounds = { nightly: 50, release: 200 }[size] ?? 5;
const random = seeded(testSeed);
const longest = 180_000;

describe.skipIf(missing !== undefined)(
  `what tasks leave (seed ${testSeed})${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    const begun: string[] = [];
    let machines: Machines;
    let host: TestHost;
    let joined: ServerForHosts;
    let ecs: ECSClient;
    let mountsBefore: number;

    beforeAll(async () => {
      machines = await openMachines((reference) => webImage(reference, 'hello'), {
        own: () => ({ ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION: '1s' }),
      });
      ({ host, joined, ecs } = machines);
      await ecs.send(
        new RegisterTaskDefinitionCommand({
          family: 'app',
          networkMode: 'awsvpc',
          cpu: '128',
          memory: '32',
          volumes: [{ name: 'scratch' }],
          containerDefinitions: [
            {
              name: 'main',
              image: machines.image,
              mountPoints: [{ sourceVolume: 'scratch', containerPath: '/scratch' }],
            },
          ],
        }),
      );
      mountsBefore = mounts().length;
    }, 600_000);

    afterAll(async () => {
      await machines?.[Symbol.asyncDispose]();
    }, 600_000);

    /** Begins tasks, as soon as the agent is back when it was just killed or its server was. */
    async function start(wanted: number): Promise<string[]> {
      const command = new RunTaskCommand({
        taskDefinition: 'app',
        count: wanted,
        networkConfiguration: { awsvpcConfiguration: { subnets: machines.subnets } },
      });
      const { tasks = [], failures = [] } = await until('the agent', longest, async () => {
        const answer = await ecs.send(command);
        return answer.failures?.some(({ reason }) => reason === 'AGENT') ? undefined : answer;
      });
      const arns = tasks.map(({ taskArn = '' }) => taskArn);
      begun.push(...arns);
      if (arns.length < wanted) throw new Error(JSON.stringify(failures));
      return arns;
    }

    /** Waits for tasks; at each look no two that may still run have the same address. */
    async function reach(arns: readonly string[], status: readonly string[]): Promise<void> {
      let last: Task[] = [];
      await until(`tasks ${status.join(' or ')}`, longest, async () => {
        ({ tasks: last = [] } = await ecs.send(new DescribeTasksCommand({ tasks: [...arns] })));
        const { taskArns: all = [] } = await ecs.send(new ListTasksCommand({}));
        const { tasks: alive = [] } =
          all.length === 0 ? {} : await ecs.send(new DescribeTasksCommand({ tasks: all.slice(0, 100) }));
        const held = [...last, ...alive.filter(({ taskArn = '' }) => !arns.includes(taskArn))]
          .filter(({ lastStatus }) => lastStatus !== 'STOPPED')
          .flatMap(({ attachments = [] }) => attachments.flatMap(({ details = [] }) => details))
          .flatMap(({ name, value = '' }) => (name === 'privateIPv4Address' ? [value] : []));
        if (new Set(held).size < held.length) throw new Error(`an address twice: ${held.join(' ')}`);
        return last.length === arns.length && last.every(({ lastStatus = '' }) => status.includes(lastStatus));
      }).catch((cause: unknown) => {
        throw new Error(
          `${JSON.stringify(last)}\n${joined.server.log.slice(-3000)}\n${agentLogs(machines.made, machines.folder)}`,
          {
            cause,
          },
        );
      });
    }

    const stop = async (arns: readonly string[]): Promise<void> => {
      for (const task of arns) await ecs.send(new StopTaskCommand({ task }));
    };

    /** What the host's engine has mounted for its containers. */
    const mounts = (): string[] => {
      const engine = dirname(host.dockerHost.slice('unix://'.length));
      return readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.split(' ')[1]?.startsWith(`${engine}/`));
    };

    /** Control groups of tasks, in whatever hierarchy of the kernel. */
    function groups(): string[] {
      const ids = new Set(begun.map((arn) => arn.slice(arn.lastIndexOf('/') + 1)));
      const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name))];
      const below = (path: string): string[] => {
        try {
          return readdirSync(path).map((name) => join(path, name));
        } catch {
          return [];
        }
      };
      return roots
        .flatMap((root) => below(join(root, 'slipway')))
        .flatMap(below)
        .filter((path) => ids.has(path.slice(path.lastIndexOf('/') + 1)));
    }

    /** Everything that is still there of tasks which are over. */
    async function left(): Promise<Record<string, unknown>> {
      const lines = async (pattern: RegExp, command: string, ...words: string[]): Promise<string[]> =>
        (await host.run(command, words)).stdout.split('\n').filter((line) => pattern.test(line));
      const { NetworkInterfaces } = await joined.aws.json<{ NetworkInterfaces: unknown[] }>([
        'ec2',
        'describe-network-interfaces',
      ]);
      return {
        links: await lines(/ ecs[0-9a-f]{12}/, 'ip', '-o', 'link'),
        routes: await lines(/^10\.200\./, 'ip', 'route'),
        rules: await lines(/"ecs[0-9a-f]{12}"/, 'nft', 'list', 'ruleset'),
        containers: (await host.docker('ps', '-aq')).split('\n').filter((id) => id !== ''),
        volumes: (await host.docker('volume', 'ls', '-q')).split('\n').filter((id) => id !== ''),
        mounts: mounts().length - mountsBefore,
        groups: groups(),
        interfaces: NetworkInterfaces,
      };
    }
    const nothing = {
      links: [],
      routes: [],
      rules: [],
      containers: [],
      volumes: [],
      mounts: 0,
      groups: [],
      interfaces: [],
    };
    const patience = { timeout: longest, interval: 1_000 };

    test(
      `${count} tasks that start and stop leave nothing on their host`,
      { timeout: count * 15_000 + 240_000 },
      async () => {
        for (let done = 0; done < count; done += 10) {
          const arns = await start(10);
          // Half of them are stopped at whatever point they are at.
          const early = arns.slice(0, 5);
          await sleep(random() * 1_500);
          await stop(early);
          await reach(arns.slice(5), ['RUNNING']);
          // What is looked for is there while they run.
          const now = await left();
          expect((now['links'] as unknown[]).length).toBeGreaterThanOrEqual(5);
          expect((now['rules'] as unknown[]).length).toBeGreaterThan(0);
          expect((now['routes'] as unknown[]).length).toBeGreaterThanOrEqual(5);
          expect((now['groups'] as unknown[]).length).toBeGreaterThan(0);
          expect(now['mounts']).toBeGreaterThan(0);
          await stop(arns.slice(5));
          await reach(arns, ['STOPPED']);
        }
        await expect.poll(left, patience).toEqual(nothing);
      },
    );

    test(
      `nor do those whose agent or server is killed at any point of ${rounds} rounds; no address is given twice`,
      { timeout: rounds * 120_000 + 240_000 },
      async () => {
        const kill = async (): Promise<void> => {
          await sleep(random() * 2_000);
          const victim = Math.floor(random() * 3);
          if (victim !== 1) await crashAgent(host, machines.folder);
          if (victim === 0) return;
          await joined.server.stop('SIGKILL');
          await joined.server.start();
        };
        for (let round = 0; round < rounds; round += 1) {
          const arns = await start(3);
          await kill();
          await reach(arns, ['RUNNING', 'STOPPED']);
          await stop(arns);
          await kill();
          await reach(arns, ['STOPPED']);
        }
        await expect.poll(left, patience).toEqual(nothing);
      },
    );
  },
);
