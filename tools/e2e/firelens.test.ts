import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DescribeTasksCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../testbed/agent-process.ts';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ecsClient } from '../testbed/aws-clients.ts';
import { builtClient } from '../testbed/clients/programs.ts';
import { run, until } from '../testbed/command.ts';
import { makeImage, missingDocker } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';

/**
 * What containers write comes to their task's log router, through Docker's own driver. No package of Fluent Bit or Fluentd is to be had
 * here (Debian has none; PyPI, npm, crates.io, Maven and the Go proxy have clients of theirs alone; rubygems is not reachable), nor
 * are their sources to be had from any of these: the router is a program on the forward receiver of the OpenTelemetry collector.
 */
const program = await builtClient('forward-router');
const missing =
  program.missing ??
  (await missingDocker()) ??
  (await missingAwsCli()) ??
  (process.geteuid?.() === 0 ? undefined : 'an agent runs log routers only as root');
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const canary = 'canary-header-7c41';
const patient = 180_000;

describe.skipIf(missing !== undefined)(`log routers${missing === undefined ? '' : ` (${missing})`}`, () => {
  const stage = new LocalStage('router');
  const { folder, docker } = stage;
  const image = `${stage.image}:test`;
  let aws: AwsCli;
  let ecs: ECSClient;
  let agent: AgentProcess | undefined;
  let passed = false;

  beforeAll(async () => {
    const [path] = program.command('/');
    await makeImage(docker, { reference: image, programs: { '/bin/router': path }, command: ['/bin/sh'] });
    const server = await stage.serve({ SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
    aws = new AwsCli(server.aws());
    ecs = ecsClient(server);
    agent = new AgentProcess(server, join(folder, 'agent'), { ECS_IMAGE_PULL_BEHAVIOR: 'prefer-cached' });
    agent.start();
    await stage.host();
  }, 600_000);

  afterAll(async () => {
    if (!passed) process.stderr.write(`--- agent log ---\n${agent?.log.slice(-20_000)}\n`);
    await agent?.stop();
    await stage[Symbol.asyncDispose]();
  }, 600_000);

  test('every line arrives with its tag, also while the agent is killed; a secret is a variable of the router alone', async () => {
    const executionRoleArn = await stage.executionRole();
    await stage.allowExecution(['ssm:GetParameters', 's3:GetObject']);
    await aws.json(['ssm', 'put-parameter', '--name', '/header', '--type', 'SecureString', '--value', canary]);
    const added = '[FILTER]\n    Name modify\n    Match *\n    Add team blue\n';
    writeFileSync(join(folder, 'added.conf'), added);
    await aws.run(['s3', 'mb', 's3://settings']);
    await aws.run(['s3', 'cp', '--quiet', join(folder, 'added.conf'), 's3://settings/added.conf']);
    // Lines until it is told to end, and one that says where the router listens. The last one has time to go: Docker 20.10 forgets what it has not
    // sent when a container ends.
    const script =
      'echo "router $FLUENT_HOST:$FLUENT_PORT"; trap "echo last; sleep 1; exit 0" TERM; i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.2; done';
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family: 'routed',
        executionRoleArn,
        containerDefinitions: [
          {
            name: 'app',
            image,
            memory: 16,
            command: ['/bin/sh', '-c', script],
            logConfiguration: {
              logDriver: 'awsfirelens',
              options: { Name: 'http', Host: 'logs.example' },
              secretOptions: [{ name: 'header', valueFrom: '/header' }],
            },
          },
          {
            name: 'router',
            image,
            memory: 64,
            user: '65534',
            readonlyRootFilesystem: true,
            command: ['/bin/router', '/fluent-bit/etc/fluent-bit.conf'],
            firelensConfiguration: {
              type: 'fluentbit',
              options: { 'config-file-type': 's3', 'config-file-value': 'arn:aws:s3:::settings/added.conf' },
            },
          },
        ],
      }),
    );
    const { tasks = [], failures } = await ecs.send(new RunTaskCommand({ taskDefinition: 'routed' }));
    expect(failures).toEqual([]);
    const arn = tasks[0]?.taskArn ?? '';
    const id = arn.slice(-32);
    const named = (name: string): Promise<string> =>
      until(`the container ${name}`, patient, async () => {
        const labels = [`task-arn=${arn}`, `container-name=${name}`].flatMap((label) => [
          '--filter',
          `label=com.amazonaws.ecs.${label}`,
        ]);
        const found = await docker.check(['ps', '--quiet', '--no-trunc', ...labels]);
        return found === '' ? undefined : found;
      });
    const router = await named('router');
    const app = await named('app');

    interface Record {
      readonly log?: string;
      readonly nanoseconds?: number;
      readonly attributes?: { readonly [name: string]: unknown };
      readonly variable?: string;
      readonly length?: number;
    }
    const printed = async (): Promise<Record[]> =>
      (await docker.check(['logs', router])).split('\n').map((line) => JSON.parse(line) as Record);
    const lines = async (): Promise<string[]> => (await printed()).flatMap(({ log: line }) => line ?? []);
    await until('lines', patient, async () => (await lines()).length > 10);
    const [variable, first, ...more] = await printed();
    expect(variable).toEqual({ variable: 'header_0', length: canary.length });
    expect(first?.log).toMatch(/^router \d+\.\d+\.\d+\.\d+:24224$/);
    expect(first?.attributes).toMatchObject({
      'fluent.tag': `app-firelens-${id}`,
      container_id: app,
      source: 'stdout',
    });
    // Fractions of a second: the protocol's older form has none.
    expect(more.some(({ nanoseconds = 0 }) => nanoseconds !== 0)).toBe(true);

    const inspected = await docker.check(['inspect', app]);
    expect(inspected).not.toContain(canary);
    expect((JSON.parse(inspected) as { HostConfig: { LogConfig: object } }[])[0]?.HostConfig.LogConfig).toMatchObject({
      Type: 'fluentd',
      Config: { tag: `app-firelens-${id}` },
    });
    const routerSeen = (
      JSON.parse(await docker.check(['inspect', router])) as {
        Config: { Labels: object };
        Mounts: { Source: string; Destination: string; RW: boolean }[];
      }[]
    )[0];
    expect(JSON.stringify(routerSeen?.Config.Labels)).not.toContain(canary);
    const mounted = (path: string): string =>
      routerSeen?.Mounts.find(({ Destination }) => Destination === path)?.Source ?? '';
    const configuration = mounted('/fluent-bit/etc/fluent-bit.conf');
    expect(readFileSync(mounted('/fluent-bit/etc/external.conf'), 'utf8')).toBe(added);
    expect(readFileSync(configuration, 'utf8')).toContain('\n@INCLUDE /fluent-bit/etc/external.conf\n');
    expect(readFileSync(configuration, 'utf8')).toContain(
      '[OUTPUT]\n    Name http\n    Match app-firelens*\n    Host logs.example\n    header ${header_0}\n',
    );
    expect((await run('grep', ['-rF', canary, join(folder, 'agent'), configuration])).stdout).toBe('');

    await agent?.stop('SIGKILL');
    const before = (await lines()).length;
    await until('lines without an agent', patient, async () => (await lines()).length > before + 5);
    agent?.start();
    await stage.host();
    await ecs.send(new StopTaskCommand({ task: arn }));
    const stopped = await until('the end of the task', patient, async () => {
      const { tasks: found = [] } = await ecs.send(new DescribeTasksCommand({ tasks: [arn] }));
      return found[0]?.lastStatus === 'STOPPED' ? found[0] : undefined;
    });
    expect(stopped.containers?.map(({ name, exitCode }) => [name, exitCode]).sort()).toEqual([
      ['app', 0],
      ['router', 0],
    ]);
    // The router was the last to go: what the container wrote as it ended arrived, and nothing was lost or written twice on the way.
    const all = (await lines()).slice(1);
    expect(all).toEqual([...Array.from(all.slice(1), (_, at) => `line ${at + 1}`), 'last']);
    await until('the files to go', patient, async () => !readFileSync('/proc/self/mounts', 'utf8').includes(id));
    passed = true;
  }, 600_000);
});
