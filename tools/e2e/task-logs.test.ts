import { join } from 'node:path';
import { CloudWatchLogsClient, CreateLogGroupCommand, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs';
import {
  DescribeTasksCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ecsClient, sdkOptions } from '../testbed/aws-clients.ts';
import { check, run, until } from '../testbed/command.ts';
import { makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { missingHosts, startHosts } from '../testbed/hosts.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import { streamLines } from '../testbed/log-lines.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** What tasks write with the log driver awslogs, as clients of CloudWatch Logs read it. */
const missing = (await missingDocker()) ?? (await missingAwsCli());
const noHosts = missingHosts();
for (const lacking of [missing, noHosts])
  if (lacking !== undefined && process.env['CI'] !== undefined) throw new Error(lacking);

const longest = 180_000;
const count = 6;
const lines = Array.from({ length: 300 }, (_, number) => `line ${number + 1}`);
/** About ten seconds of numbered lines. */
const counting = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "line $i"; busybox usleep 30000; done';

describe.skipIf(missing !== undefined)(`logs of tasks${missing === undefined ? '' : ` (${missing})`}`, () => {
  const stage = new LocalStage('task-logs');
  const image = `${stage.image}:latest`;
  let server: ServerProcess;
  let logs: CloudWatchLogsClient;
  let ecs: ECSClient;
  let executionRoleArn: string;

  beforeAll(async () => {
    await makeImage(stage.docker, webImage(image, 'hello'));
    server = await stage.serve({
      SLIPWAY_HOST: '0.0.0.0',
      SLIPWAY_ALLOW_PLAIN_HTTP: 'true',
      SLIPWAY_WORKERS: '1',
      ECS_IMAGE_PULL_BEHAVIOR: 'prefer-cached',
    });
    logs = new CloudWatchLogsClient(sdkOptions(server));
    ecs = ecsClient(server);
    executionRoleArn = await stage.executionRole();
    await stage.host();
  }, 600_000);

  afterAll(() => stage[Symbol.asyncDispose](), 600_000);

  async function start(family: string, script: string, options: Record<string, string>, wanted = 1): Promise<Task[]> {
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family,
        executionRoleArn,
        containerDefinitions: [
          {
            name: 'app',
            image,
            memory: 16,
            command: ['/bin/sh', '-c', script],
            logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-region': 'us-east-1', ...options } },
          },
        ],
      }),
    );
    const { tasks = [], failures } = await ecs.send(new RunTaskCommand({ taskDefinition: family, count: wanted }));
    expect([tasks.length, failures]).toEqual([wanted, []]);
    return tasks;
  }

  const ended = (tasks: readonly Task[]): Promise<Task[]> =>
    until('the end of the tasks', longest, async () => {
      const asked = new DescribeTasksCommand({ tasks: tasks.map(({ taskArn = '' }) => taskArn) });
      const { tasks: found = [] } = await ecs.send(asked);
      return found.every(({ lastStatus }) => lastStatus === 'STOPPED') ? found : undefined;
    });

  const messages = (group: string, stream: string): Promise<string[]> => streamLines(logs, group, stream);

  test(
    'every numbered line arrives once and in order, though server and agent are killed and stay away for a while',
    { timeout: 600_000 },
    async () => {
      await logs.send(new CreateLogGroupCommand({ logGroupName: 'numbered' }));
      const tasks = await start(
        'numbered',
        counting,
        { 'awslogs-group': 'numbered', 'awslogs-stream-prefix': 'n' },
        count,
      );
      const streams = tasks.map(({ taskArn = '' }) => `n/app/${taskArn.split('/').at(-1)}`);
      const arrived = async (): Promise<Map<string, number>> => {
        const found = new Map<string, number>();
        for await (const { events = [] } of paginateFilterLogEvents({ client: logs }, { logGroupName: 'numbered' }))
          for (const { logStreamName = '' } of events) found.set(logStreamName, (found.get(logStreamName) ?? 0) + 1);
        return found;
      };
      await until('lines of all tasks', longest, async () => (await arrived()).size === count);
      await server.stop('SIGKILL');
      const of = `ancestor=${image}`;
      await until('the containers to have written all they write', longest, async () => {
        const running = await stage.docker.check(['ps', '--quiet', '--filter', of]);
        return running === '';
      });
      await server.start();
      await until('all lines', longest, async () => {
        const found = await arrived();
        return streams.every((stream) => (found.get(stream) ?? 0) >= lines.length);
      }).catch((cause: unknown) => {
        throw new Error(server.log.slice(-3000), { cause });
      });
      for (const stream of streams) expect(await messages('numbered', stream)).toEqual(lines);

      const aws = new AwsCli(server.aws());
      const group = ['--log-group-name', 'numbered'];
      interface Events {
        readonly events: readonly { readonly message: string }[];
      }
      const last = ['get-log-events', ...group, '--log-stream-name', streams[0]!, '--limit', '2', '--no-paginate'];
      expect((await aws.json<Events>(['logs', ...last])).events.map(({ message }) => message)).toEqual([
        'line 299',
        'line 300',
      ]);
      const hundredth = ['filter-log-events', ...group, '--filter-pattern', '"line 100"'];
      expect((await aws.json<Events>(['logs', ...hundredth])).events).toHaveLength(count);
      const task = streams[1]!.slice('n/app/'.length);
      const shown = await run(
        process.execPath,
        [join(import.meta.dirname, '../cli/main.ts'), 'logs', task, '--since', '1h', '--grep', 'line 42'],
        { env: server.aws() },
      );
      expect(shown.stdout).toMatch(/^\S+Z app {2}line 42\n$/);
    },
  );

  test(
    'a group that is missing or that the role may not make keeps a task from starting; one that waits for nothing starts',
    { timeout: 600_000 },
    async () => {
      const gone = 'ResourceNotFoundException: The specified log group does not exist.';
      const [stopped] = await ended(await start('missing', 'true', { 'awslogs-group': 'none' }));
      expect(stopped?.stoppedReason).toContain(
        `CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch log stream: ${gone}`,
      );
      // AmazonECSTaskExecutionRolePolicy does not let tasks make groups.
      const making = { 'awslogs-group': 'none', 'awslogs-create-group': 'true' };
      const [denied] = await ended(await start('making', 'true', making));
      expect(denied?.stoppedReason).toMatch(/AccessDeniedException: .* not authorized to perform: logs:CreateLogGroup/);
      const [ran] = await ended(await start('going', 'exit 7', { 'awslogs-group': 'none', mode: 'non-blocking' }));
      expect(ran?.containers?.[0]?.exitCode).toBe(7);
    },
  );

  test.skipIf(noHosts !== undefined)(
    `the awslogs driver of a Docker engine writes here as it does to AWS${noHosts === undefined ? '' : ` (${noHosts})`}`,
    { timeout: 600_000 },
    async () => {
      await using made = await startHosts(1, server.aws());
      const [host] = made.hosts;
      if (host === undefined) throw new Error('no host');
      await check('sh', ['-c', `docker save ${image} | docker --host ${host.dockerHost} load`]);
      const driver = {
        'awslogs-endpoint': `http://${made.gateway}:${server.port}`,
        'awslogs-region': 'us-east-1',
        'awslogs-group': 'driver',
        'awslogs-stream': 'one',
        'awslogs-multiline-pattern': '^[0-9]',
      };
      const logOptions = (more: Record<string, string>): string[] =>
        Object.entries({ ...driver, ...more }).flatMap(([name, value]) => ['--log-opt', `${name}=${value}`]);
      const within = ['--host', host.dockerHost, 'run', '--rm', '--network', 'none', '--log-driver', 'awslogs'];
      const script = 'echo 1 begins; echo " goes on"; echo 2 ends';
      const ran = (more: Record<string, string>) =>
        run('docker', [...within, ...logOptions(more), image, '/bin/sh', '-c', script]);
      const refused = await ran({});
      expect([refused.code, refused.stderr]).toEqual([
        125,
        expect.stringMatching(/failed to create Cloudwatch log stream: .*ResourceNotFoundException/s),
      ]);
      expect((await ran({ 'awslogs-create-group': 'true' })).code).toBe(0);
      await until('its lines', longest, async () => (await messages('driver', 'one')).length >= 2);
      expect(await messages('driver', 'one')).toEqual(['1 begins\n goes on\n', '2 ends\n']);
    },
  );
});
