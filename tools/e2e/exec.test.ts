import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateServiceCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  UpdateClusterCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ecsClient } from '../testbed/aws-clients.ts';
import { type CommandResult, run, until } from '../testbed/command.ts';
import { makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** ECS Exec as people have it: the AWS command line, and the slipway command. */
const missing = (await missingDocker()) ?? (await missingAwsCli());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const longest = 120_000;
const main = join(import.meta.dirname, '../cli/main.ts');

/** What a shell waits with until its terminal has a size: how soon that follows the session's beginning is not told. */
const untilSize = (size: string): string =>
  `while :; do case "$(busybox stty size)" in "${size}") break;; esac; busybox usleep 50000; done`;

describe.skipIf(missing !== undefined)(`ECS Exec${missing === undefined ? '' : ` (${missing})`}`, () => {
  const stage = new LocalStage('exec');
  const { folder } = stage;
  const image = `${stage.image}:latest`;
  let server: ServerProcess;
  let ecs: ECSClient;
  let task: string;

  beforeAll(async () => {
    const programs = Object.fromEntries(
      ['tar', 'mkdir', 'mv', 'rm', 'cat', 'dd'].map((name) => [`/bin/${name}`, '/usr/bin/busybox']),
    );
    await makeImage(stage.docker, { ...webImage(image, 'hello'), programs });
    server = await stage.serve({
      SLIPWAY_HOST: '0.0.0.0',
      SLIPWAY_ALLOW_PLAIN_HTTP: 'true',
      // The client and the agent meet in whichever process.
      SLIPWAY_WORKERS: '2',
      ECS_IMAGE_PULL_BEHAVIOR: 'prefer-cached',
    });
    ecs = ecsClient(server);
    await stage.host();
    const containerDefinitions = [{ name: 'web', image, memory: 128 }];
    await ecs.send(new RegisterTaskDefinitionCommand({ family: 'web', containerDefinitions }));
    const service = { serviceName: 'web', taskDefinition: 'web', desiredCount: 1, enableExecuteCommand: true };
    await ecs.send(new CreateServiceCommand(service));
    task = await until('the task', longest, async () => {
      const { taskArns = [] } = await ecs.send(new ListTasksCommand({ serviceName: 'web' }));
      if (taskArns.length === 0) return undefined;
      const { tasks } = await ecs.send(new DescribeTasksCommand({ tasks: taskArns }));
      const agent = tasks?.[0]?.containers?.[0]?.managedAgents?.[0];
      return agent?.lastStatus === 'RUNNING' ? taskArns[0] : undefined;
    });
    const plugin = join(folder, 'session-manager-plugin');
    const program = join(import.meta.dirname, '../testbed/session-manager-plugin.ts');
    writeFileSync(plugin, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
    chmodSync(plugin, 0o755);
  }, 180_000);

  afterAll(() => stage[Symbol.asyncDispose](), 120_000);

  const slipway = (args: readonly string[], input?: string | Buffer): Promise<CommandResult> =>
    run(process.execPath, [main, ...args], { env: server.aws(), ...(input === undefined ? {} : { input }) });

  test('the AWS command line runs a command, and shows what it ended with', async () => {
    const cli = new AwsCli(server.aws());
    const path = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    const args = ['ecs', 'execute-command', '--cluster', 'default', '--task', task, '--interactive', '--command'];
    const result = await cli.run(
      [...args, `sh -c '${untilSize('100 300')}; busybox stty size; echo "a  b"; exit 5'`],
      path,
    );
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(/100 300\r\na {2}b\r\n\r\nexit status 5\r\n/);
    expect(result.stderr).toMatch(
      new RegExp(`^us-east-1 StartSession ecs:default_${task.split('/').at(-1)}_[0-9a-f]{64} http`, 'm'),
    );
    const denied = await cli.run([...args.slice(0, 5), '0'.repeat(32), ...args.slice(6), 'sh'], path);
    expect([denied.code === 0, denied.stderr]).toEqual([false, expect.stringMatching(/task was not found/)]);
  });

  test('slipway exec: streams, input, exit codes, a terminal', async () => {
    const one = await slipway(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 9']);
    expect(one).toEqual({ code: 9, stdout: 'out\n', stderr: 'err\n' });
    expect(await slipway(['exec', '-i', task, '-c', 'web', '--', 'cat'], 'typed')).toMatchObject({
      code: 0,
      stdout: 'typed',
    });
    // Without -i nothing is waited for.
    expect(await slipway(['exec', 'web', '--', 'busybox', 'echo', "it's", '$HOME'], 'unused')).toMatchObject({
      stdout: "it's $HOME\n",
    });
    const command = `stty cols 77 rows 21; exec '${process.execPath}' '${main}' exec -it web -- sh`;
    const shell = await run('script', ['-qec', command, '/dev/null'], {
      env: server.aws(),
      input: `${untilSize('21 77')}; echo si""zed; exit 4\n`,
    });
    expect([shell.code, shell.stdout]).toEqual([4, expect.stringContaining('sized')]);
    expect(await slipway(['exec', 'web', '--', 'no-such-program'])).toMatchObject({
      code: expect.toSatisfy((code: number) => code !== 0) as number,
    });
    expect((await slipway(['exec', 'nothing', '--', 'sh'])).stderr).toMatch(/no service nothing/);
  });

  test('with logging OVERRIDE there is no session that is not logged', async () => {
    const configure = (logging: 'OVERRIDE' | 'NONE', logConfiguration?: { cloudWatchLogGroupName: string }) => {
      const executeCommandConfiguration = { logging, ...(logConfiguration && { logConfiguration }) };
      return ecs.send(new UpdateClusterCommand({ cluster: 'default', configuration: { executeCommandConfiguration } }));
    };
    await configure('OVERRIDE', { cloudWatchLogGroupName: '/ecs/exec' });
    const { code, stderr } = await slipway(['exec', 'web', '--', 'busybox', 'true']);
    expect([code, stderr]).toEqual([
      125,
      expect.stringMatching(/cannot be logged into \/ecs\/exec: the task has no role/),
    ]);
    await configure('NONE');
    expect((await slipway(['exec', 'web', '--', 'busybox', 'true'])).code).toBe(0);
  });

  test('slipway cp: files and folders, both ways', async () => {
    const here = join(folder, 'here');
    mkdirSync(join(here, 'deep'), { recursive: true });
    const big = Buffer.alloc(3_000_000, 'x');
    writeFileSync(join(here, 'deep', 'big'), big);
    writeFileSync(join(here, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    expect(await slipway(['cp', here, 'web:/tmp'])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await slipway(['cp', join(here, 'run.sh'), 'web:/tmp/other.sh'])).code).toBe(0);
    expect((await slipway(['cp', 'web:/tmp/here', join(folder, 'back')])).code).toBe(0);
    expect(readFileSync(join(folder, 'back', 'deep', 'big')).equals(big)).toBe(true);
    expect(statSync(join(folder, 'back', 'run.sh')).mode & 0o777).toBe(0o755);
    expect((await slipway(['cp', 'web:/tmp/other.sh', folder])).code).toBe(0);
    expect(readFileSync(join(folder, 'other.sh'), 'utf8')).toBe('#!/bin/sh\n');
    expect((await slipway(['cp', 'web:/no/such/file', folder])).code).toBe(1);
    expect((await slipway(['cp', join(here, 'run.sh'), 'web:/no/such/folder/x'])).code).toBe(1);
    const again = await slipway(['cp', 'web:/tmp/here', folder]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/is a folder that is there already/)]);
  });
});
