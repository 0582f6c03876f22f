import {
  DescribeTasksCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../testbed/command.ts';
import { missingDocker, webImage } from '../../testbed/docker.ts';
import { missingHosts, type TestHost } from '../../testbed/hosts.ts';
import { agentLogs, type Machines, makeTaskRoles, openMachines } from '../../testbed/machines.ts';
import { appImage, type RunningTask, type Shape, shapes } from './index.ts';

/** The shapes of public task definitions, run on a host with an engine of its own: each does what it says. */
const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const everything = process.env['SLIPWAY_TEST_SIZE'] !== undefined;
/** For those that have one, what a host's operator allows is what they need. */
const allowed = [
  'privileged',
  'host-network',
  'host-pid',
  'host-ipc',
  'capability:NET_ADMIN',
  'device:/dev/zero',
  'path:/proc',
  'path:/sys/fs/cgroup',
  'path:/usr/share/zoneinfo',
];
const longest = 180_000;

describe.skipIf(missing !== undefined)(
  `task definitions that run${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let machines: Machines;
    let host: TestHost;
    let ecs: ECSClient;
    let image: string;

    beforeAll(async () => {
      machines = await openMachines((reference) => webImage(reference, 'hello'), { options: ['--allow', ...allowed] });
      ({ host, ecs, image } = machines);
      await makeTaskRoles(machines.joined.aws, {
        ecsTaskExecutionRole: 'service-role/AmazonECSTaskExecutionRolePolicy',
        app: 'AmazonEC2ContainerRegistryReadOnly',
      });
      // As on AWS: the managed policy makes no groups, and a task whose group is missing does not start.
      const { aws } = machines.joined;
      await aws.json(['logs', 'create-log-group', '--log-group-name', '/ecs/fargate']);
      const makes = [{ Effect: 'Allow', Action: 'logs:CreateLogGroup', Resource: '*' }];
      const given = ['--role-name', 'ecsTaskExecutionRole', '--policy-name', 'groups'];
      const document = JSON.stringify({ Version: '2012-10-17', Statement: makes });
      await aws.json(['iam', 'put-role-policy', ...given, '--policy-document', document]);
    }, 600_000);

    afterAll(async () => {
      await machines?.[Symbol.asyncDispose]();
    }, 600_000);

    /** Registers a shape with the image that the host can pull. */
    const register = ({ name, input }: Shape) =>
      ecs.send(
        new RegisterTaskDefinitionCommand({
          ...(JSON.parse(JSON.stringify(input).replaceAll(appImage, image)) as Shape['input']),
          family: name,
        }),
      );

    const run = ({ name, input, overrides }: Shape) =>
      ecs.send(
        new RunTaskCommand({
          taskDefinition: name,
          launchType: input.requiresCompatibilities?.includes('FARGATE') === true ? 'FARGATE' : 'EC2',
          ...(input.networkMode === 'awsvpc'
            ? { networkConfiguration: { awsvpcConfiguration: { subnets: machines.subnets.slice(0, 1) } } }
            : {}),
          ...(overrides === undefined ? {} : { overrides }),
        }),
      );

    /** A task that was started, as a shape's test asks it. */
    function started(taskArn: string): RunningTask {
      const told = async (): Promise<Task> => {
        const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ tasks: [taskArn] }));
        return tasks[0] as Task;
      };
      const until_ = async (what: string, good: (task: Task) => boolean): Promise<Task> => {
        let last: Task | undefined;
        await until(what, longest, async () => {
          last = await told();
          return good(last);
        }).catch((cause: unknown) => {
          throw new Error(`${JSON.stringify(last)}\n${agentLogs(machines.made, machines.folder)}`, { cause });
        });
        return last as Task;
      };
      const stopped = (): Promise<Task> => until_('the end of the task', ({ lastStatus }) => lastStatus === 'STOPPED');
      const containerOf = async (name: string): Promise<string> => {
        const task = await until_(`container ${name}`, ({ containers }) =>
          (containers ?? []).some((container) => container.name === name && container.runtimeId !== undefined),
        );
        return task.containers?.find((container) => container.name === name)?.runtimeId ?? '';
      };
      const inside = async (container: string, script: string): Promise<string> => {
        const id = await containerOf(container);
        const { stdout } = await host.exec(id, `{ ${script}; } 2>&1`);
        return stdout.trim();
      };
      return {
        running: async () => {
          const task = await until_(
            'the task to run',
            ({ lastStatus }) => lastStatus === 'RUNNING' || lastStatus === 'STOPPED',
          );
          if (task.lastStatus !== 'RUNNING')
            throw new Error(`it stopped: ${JSON.stringify(task)}\n${agentLogs(machines.made, machines.folder)}`);
          return task;
        },
        stopped,
        stop: async () => {
          await ecs.send(new StopTaskCommand({ task: taskArn }));
          return stopped();
        },
        inside,
        until: async (container, script, expected) => {
          let said = '';
          await until(`${script} in ${container}`, longest, async () => {
            said = await inside(container, script);
            return expected.test(said);
          }).catch((cause: unknown) => {
            throw new Error(said, { cause });
          });
        },
        logs: async (container) => {
          const { stdout, stderr } = await host.run('docker', [
            '-H',
            host.dockerHost,
            'logs',
            await containerOf(container),
          ]);
          return stdout + stderr;
        },
        fetch: async (url) => {
          let said = '';
          await until(url, longest, async () => {
            const get = `fetch(${JSON.stringify(url)}).then((it) => it.text()).then((it) => process.stdout.write(it))`;
            said = (await host.run(process.execPath, ['-e', get])).stdout.trim();
            return said !== '';
          });
          return said;
        },
      };
    }

    const chosen = shapes.filter(({ sample }) => everything || sample === true);
    test('a sample of them is started', () => {
      expect(chosen.length).toBeGreaterThanOrEqual(12);
    });

    /** The chosen ones that a host can run, or those that none can. */
    const cases = (run: boolean) =>
      chosen.filter(({ unplaced }) => (unplaced === undefined) === run).map((shape) => [shape.name, shape] as const);

    test.each(cases(false))('%s is not placed', async (_, shape) => {
      await register(shape);
      const { tasks, failures } = await run(shape);
      expect(tasks).toEqual([]);
      expect(failures?.[0]?.reason).toMatch(shape.unplaced ?? /^$/);
    });

    test.each(cases(true))(
      '%s',
      async (_, shape) => {
        await register(shape);
        const { tasks = [], failures = [] } = await run(shape);
        const [{ taskArn = '' } = {}] = tasks;
        expect(taskArn, `not placed: ${JSON.stringify(failures)}`).not.toBe('');
        try {
          await shape.does?.(started(taskArn));
        } finally {
          await ecs.send(new StopTaskCommand({ task: taskArn }));
        }
      },
      600_000,
    );
  },
);
