import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  CreateServiceCommand,
  DescribeTasksCommand,
  type ECSClient,
  ExecuteCommandCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  UpdateClusterCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ecsClient } from '../testbed/aws-clients.ts';
import { builtClient } from '../testbed/clients/programs.ts';
import { type CommandResult, run, until } from '../testbed/command.ts';
import { makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import type { ServerProcess } from '../testbed/server-process.ts';
import { Terminal } from '../testbed/terminal.ts';

/** ECS Exec as people have it: the AWS command line, and the slipway command. */
const missing = (await missingDocker()) ?? (await missingAwsCli());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
/** The unmodified plug-in of the AWS command line. */
const plugin = await builtClient('session-manager-plugin');

const longest = 180_000;
const main = join(import.meta.dirname, '../cli/main.ts');

/** What a shell waits with until its terminal has a size: how soon that follows the session's beginning is not told. */
const untilSize = (size: string): string =>
  `while :; do case "$(busybox stty size)" in "${size}") break;; esac; busybox usleep 50000; done`;

/** A way to a port of this machine that can be cut. */
async function openWay(port: number) {
  const open = new Set<Socket>();
  const clients = new Map<Socket, Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    clients.set(near, far);
    near.on('close', () => clients.delete(near));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  /** Ends WebSockets as a server that is in trouble does (RFC 6455, section 5.5.1: a frame of four bytes). */
  const fail = (): void => {
    for (const [near, far] of clients) {
      // What is answered to that does not get to the session.
      near.unpipe(far);
      near.resume();
      near.end(Buffer.from([0x88, 2, 1011 >> 8, 1011 & 0xff]));
    }
  };
  return {
    fail,
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

describe.skipIf(missing !== undefined)(`ECS Exec${missing === undefined ? '' : ` (${missing})`}`, () => {
  const stage = new LocalStage('exec');
  const { folder } = stage;
  const image = `${stage.image}:latest`;
  let server: ServerProcess;
  let ecs: ECSClient;
  let task: string;

  beforeAll(async () => {
    const programs = Object.fromEntries(['cat', 'dd'].map((name) => [`/bin/${name}`, '/usr/bin/busybox']));
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
    if (plugin.missing === undefined) symlinkSync(plugin.command(folder)[0], join(folder, 'session-manager-plugin'));
  }, 600_000);

  afterAll(() => stage[Symbol.asyncDispose](), 600_000);

  const slipway = (args: readonly string[], input?: string | Buffer): Promise<CommandResult> =>
    run(process.execPath, [main, ...args], { env: server.aws(), ...(input === undefined ? {} : { input }) });

  describe.skipIf(plugin.missing !== undefined)('the AWS command line with session-manager-plugin', () => {
    const path = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    /** On a terminal: the plug-in takes the end of its input for a mistake. */
    const onTerminal = (words: readonly string[], more: Readonly<Record<string, string>> = {}): Terminal => {
      const quoted = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
      return new Terminal(`exec ${quoted.join(' ')}`, { AWS_PAGER: '', ...server.aws(), ...path, ...more });
    };
    const asked = (words: string, how = '--interactive'): string[] =>
      `aws ecs execute-command --cluster default --task ${task} ${how} --command`.split(' ').concat(words);

    test('has a terminal: its size and the next one, what is typed, ctrl-C, its end', async () => {
      using shell = onTerminal(asked('sh'));
      await shell.shows(/Starting session/);
      shell.type(`${untilSize('24 80')}; echo si""zed\n`);
      await shell.shows(/sized/);
      await shell.resize(91, 33);
      shell.type(`${untilSize('33 91')}; echo si""zed again\n`);
      await shell.shows(/sized again/);
      shell.type('echo sl""eeps; busybox sleep 3600\n');
      await shell.shows(/sleeps/);
      shell.type('\x03');
      // The plug-in sends what is typed and what signals say side by side.
      await shell.shows(/\^C/);
      shell.type('echo wo""ken; exit 3\n');
      await shell.shows(/woken\s[\s\S]*exit status 3\s+Exiting session with sessionId: ecs-execute-command-/);
      expect(await shell.ended()).toBe(0);
    });

    test('shows what a command without a terminal wrote, and why one does not run', async () => {
      using apart = onTerminal(asked(`sh -c 'echo out; echo err >&2; test -t 0 || exit 6'`, '--non-interactive'));
      await apart.shows(/exit status 6/);
      expect([/^out\r/m.test(apart.shown), /^err\r/m.test(apart.shown), await apart.ended()]).toEqual([true, true, 0]);
      using none = onTerminal(asked('no-such-program'));
      await none.shows(/no-such-program/);
      expect(await none.ended()).toBe(0);
      using denied = onTerminal(asked('sh').map((word) => (word === task ? '0'.repeat(32) : word)));
      await denied.shows(/task was not found/);
      expect(await denied.ended()).not.toBe(0);
    });

    test('goes on with a session whose connection broke, whichever process it comes to; sessions are listed, and ended by others', async () => {
      await using way = await openWay(Number(new URL(server.endpoint).port));
      const cli = new AwsCli(server.aws());
      using shell = onTerminal(asked('sh'), { AWS_ENDPOINT_URL: way.endpoint });
      await shell.shows(/Starting session/);
      shell.type('x=ke""pt; echo $x 0\n');
      await shell.shows(/kept 0/);
      for (let times = 1; times <= 4; times += 1) {
        way.cut();
        shell.type(`echo $x ${times}\n`);
        await shell.shows(new RegExp(`kept ${times}`));
      }
      type Sessions = { readonly Sessions: readonly { readonly SessionId: string; readonly Target: string }[] };
      // Those of the tests before may be on their way out.
      const active = await until('the one session', longest, async () => {
        const { Sessions: all } = await cli.json<Sessions>(['ssm', 'describe-sessions', '--state', 'Active']);
        return all.length === 1 ? all : undefined;
      });
      expect(active.map(({ Target }) => Target)).toEqual([
        expect.stringMatching(`^ecs:default_${task.split('/').at(-1)}_`),
      ]);
      await cli.json(['ssm', 'terminate-session', '--session-id', active[0]?.SessionId ?? '']);
      await shell.shows(/The session was terminated/);
      expect(await shell.ended()).toBe(0);
      const started = await cli.run(['ssm', 'start-session', '--target', active[0]?.Target ?? '']);
      expect(started.stderr).toMatch(/Sessions are begun with ecs:ExecuteCommand/);
    });

    test('is told that a token was used, and ends', async () => {
      const { session } = await ecs.send(
        new ExecuteCommandCommand({ task, command: 'sh -c "echo on""ce"', interactive: true }),
      );
      const { sessionId: SessionId, streamUrl: StreamUrl, tokenValue: TokenValue } = session ?? {};
      const given = [
        JSON.stringify({ SessionId, StreamUrl, TokenValue }),
        'us-east-1',
        'StartSession',
        '',
        '{"Target":"ecs"}',
      ];
      using first = onTerminal(['session-manager-plugin', ...given, server.endpoint]);
      await first.shows(/once\s+Exiting session/);
      expect(await first.ended()).toBe(0);
      using again = onTerminal(['session-manager-plugin', ...given, server.endpoint]);
      await again.shows(/The token is not good, not any more, or was used/);
      expect(await again.ended()).toBe(0);
    });
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

  test('slipway exec goes on when its connection breaks', async () => {
    await using way = await openWay(Number(new URL(server.endpoint).port));
    const env = { ...server.aws(), AWS_ENDPOINT_URL: way.endpoint };
    using shell = new Terminal(`exec '${process.execPath}' '${main}' exec -it web -- sh`, env);
    shell.type('x=ke""pt; echo $x 0\n');
    await shell.shows(/kept 0/);
    for (let times = 1; times <= 3; times += 1) {
      if (times === 2) way.fail();
      else way.cut();
      shell.type(`echo $x ${times}\n`);
      await shell.shows(new RegExp(`kept ${times}`));
    }
    shell.type('exit 6\n');
    expect(await shell.ended()).toBe(6);
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
    const none = await slipway(['cp', 'web:/no/such/file', folder]);
    expect([none.code, none.stderr]).toEqual([
      1,
      expect.stringMatching(/there is no \/no\/such\/file in the container/),
    ]);
    const nowhere = await slipway(['cp', join(here, 'run.sh'), 'web:/no/such/folder/x']);
    expect([nowhere.code, nowhere.stderr]).toEqual([
      1,
      expect.stringMatching(/there is no folder \/no\/such\/folder in the container/),
    ]);
    const onto = await slipway(['cp', here, 'web:/tmp/other.sh']);
    expect([onto.code, onto.stderr]).toEqual([2, expect.stringMatching(/\/tmp\/other.sh is a file/)]);
    const again = await slipway(['cp', 'web:/tmp/here', folder]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/is a folder that is there already/)]);
  });
});
