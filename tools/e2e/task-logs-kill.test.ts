import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { RegisterTaskDefinitionCommand, RunTaskCommand } from '@aws-sdk/client-ecs';
import { redisMissing, RedisServer } from '@slipway/storage/records/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentProcess } from '../testbed/agent-process.ts';
import { AwsCli } from '../testbed/aws-cli.ts';
import { ecsClient, sdkOptions } from '../testbed/aws-clients.ts';
import { until } from '../testbed/command.ts';
import { makeImage, missingDocker } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import { streamLines } from '../testbed/log-lines.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** What tasks write arrives in their log group, each line once, while the agent, the server and the store are killed, and beside one that floods its host. */
const missing = (await missingDocker()) ?? redisMissing;
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const stage = new LocalStage('task-logs');
const image = `${stage.image}:test`;
const group = '/ecs/killed';
const lines = 1_200;
/** Bytes that the other container writes, as fast as it can. */
const flood = 60_000_000;
let redis: RedisServer;
let server: ServerProcess;
let aws: AwsCli;
let agent: AgentProcess;

beforeAll(async () => {
  if (missing !== undefined) return;
  redis = await RedisServer.start();
  server = await stage.serve({ SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1', SLIPWAY_RECORDS: redis.url });
  aws = new AwsCli(server.aws());
  agent = new AgentProcess(server, join(stage.folder, 'agent'));
  await makeImage(stage.docker, { reference: image, command: ['/bin/sh'] });
  agent.start();
  await stage.host();
});
afterAll(async () => {
  if (missing !== undefined) return;
  await agent?.stop();
  await stage[Symbol.asyncDispose]();
  await redis?.dispose();
});

test.skipIf(missing)(
  'each line arrives once, whoever is killed',
  async () => {
    await aws.json(['logs', 'create-log-group', '--log-group-name', group]);
    const options = { 'awslogs-group': group, 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'app' };
    const counting = `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i+1)); [ $((i%20)) = 0 ] && sleep 0.2; done`;
    const flooding = `busybox yes ${'x'.repeat(99)} | busybox head -c ${flood}`;
    const containers = [
      { name: 'web', run: counting, options },
      { name: 'loud', run: flooding, options: { ...options, mode: 'non-blocking', 'max-buffer-size': '1m' } },
    ].map(({ name, run, options: own }) => ({
      name,
      image,
      memory: 32,
      essential: name === 'web',
      command: ['/bin/sh', '-c', run],
      logConfiguration: { logDriver: 'awslogs', options: own },
    }));
    const register = ['ecs', 'register-task-definition', '--family', 'counted'];
    await aws.json([...register, '--container-definitions', JSON.stringify(containers)]);
    const { tasks } = await aws.json<{ tasks: { taskArn: string }[] }>([
      'ecs',
      'run-task',
      '--task-definition',
      'counted',
    ]);
    const taskId = tasks[0]?.taskArn.split('/').at(-1) ?? '';
    const stored = async (): Promise<string[]> => {
      const from = ['--log-group-name', group, '--log-stream-names', `app/web/${taskId}`];
      const { events } = await aws.json<{ events: { message: string }[] }>(['logs', 'filter-log-events', ...from]);
      return events.map(({ message }) => message);
    };
    const comesTo = (count: number): Promise<unknown> =>
      until(`${count} lines`, 180_000, async () => {
        if (agent.hasEnded) throw new Error(agent.log);
        return (await stored().catch(() => [])).length >= count;
      });
    await comesTo(100);
    // What it had read, what was on its way, and what was stored and not answered.
    await agent.stop('SIGKILL');
    agent.start();
    await comesTo(300);
    await server.stop('SIGKILL');
    await server.start();
    await comesTo(600);
    await agent.stop('SIGKILL');
    agent.start();
    await comesTo(lines);
    expect(await stored()).toEqual(Array.from({ length: lines }, (_, place) => `line ${place}`));
    const [, peak = ''] = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8')) ?? [];
    expect(Number(peak) / 1024).toBeLessThan(400);
    // As before, the engine has them too.
    const found = await stage.docker.check([
      'ps',
      '--all',
      '--quiet',
      '--filter',
      `ancestor=${image}`,
      '--filter',
      'name=web',
    ]);
    const kept = await stage.docker.check(['logs', found.trim()]);
    expect(kept.trim().split('\n').length).toBe(lines);
  },
  600_000,
);

const patient = 600_000;
/** Containers of each of five tasks; the last two of them may lose lines. */
const names = Array.from({ length: 10 }, (_, place) => `${place < 8 ? 'kept' : 'lossy'}${place}`);
/** What each writes: before the store goes, while it is away, and once it is back. */
const written = { before: 8, away: 256, after: 264 };
const all = Array.from({ length: written.after }, (_, place) => `line ${place}`);
/** Four lines a second, for a minute at least. Signals tell it to go on, however quick the machine is. */
const numbered = `
  phase=0; i=0
  trap 'phase=1' USR1; trap 'phase=2' USR2
  lines() { while [ $i -lt $1 ]; do echo "line $i"; i=$((i+1)); [ $((i%4)) = 0 ] && [ $i -gt ${written.before} ] && sleep 1; done; }
  lines ${written.before}; until [ $phase -ge 1 ]; do sleep 1; done
  lines ${written.away}; until [ $phase -ge 2 ]; do sleep 1; done
  lines ${written.after}`;

test.skipIf(missing)(
  'of 50 containers that write while the store is away for a minute and the agent is killed no line is lost, or it is counted and said where it may be',
  async () => {
    const ecs = ecsClient(server);
    const logs = new CloudWatchLogsClient(sdkOptions(server));
    const made = { 'awslogs-group': 'minute', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'm' };
    await aws.json(['logs', 'create-log-group', '--log-group-name', 'minute']);
    const containerDefinitions = names.map((name, place) => ({
      name,
      image,
      memory: 16,
      // Whoever ends first must not take the others along.
      essential: place === 0,
      command: ['/bin/sh', '-c', place === 0 ? `${numbered}; sleep 3600` : numbered],
      logConfiguration: {
        logDriver: 'awslogs' as const,
        options: name.startsWith('kept') ? made : { ...made, mode: 'non-blocking', 'max-buffer-size': '4k' },
      },
    }));
    // A network of its own for each would be half of the work.
    const definition = { family: 'minute', networkMode: 'none' as const, containerDefinitions };
    await ecs.send(new RegisterTaskDefinitionCommand(definition));
    const { tasks = [] } = await ecs.send(new RunTaskCommand({ taskDefinition: 'minute', count: 5 }));
    const streams = tasks.flatMap(({ taskArn = '' }) =>
      names.map((name) => ({ taskArn, name, stream: `m/${name}/${taskArn.split('/').at(-1)}` })),
    );
    expect(streams).toHaveLength(50);
    const failing = (cause: unknown): never => {
      throw new Error(`${server.log.slice(-5_000)}\n${agent.log.slice(-5_000)}`, { cause });
    };
    const stored = (stream: string): Promise<string[]> => streamLines(logs, 'minute', stream);
    for (const { stream } of streams)
      await until('its first lines', patient, async () => (await stored(stream)).length >= written.before).catch(
        failing,
      );

    const filters = ['status=running', 'label=com.amazonaws.ecs.task-definition-family=minute'];
    const running = await stage.docker.check(['ps', '--quiet', ...filters.flatMap((one) => ['--filter', one])]);
    const containers = running.split('\n');
    expect(containers).toHaveLength(50);
    const ready = async (): Promise<number> => (await fetch(`${server.endpoint}/readyz`)).status;
    /** Waits until the engine has a line of containers. */
    const wrote = async (line: number, of: readonly string[]): Promise<void> => {
      for (const container of of)
        await until(
          `line ${line} of ${container}`,
          patient,
          async () => {
            const last = await stage.docker.check(['logs', '--tail', '1', container]);
            return Number(last.replace('line ', '')) >= line;
          },
          1_000,
        );
    };
    await redis.kill();
    await until('the server to miss its store', patient, async () => (await ready()) === 503);
    await stage.docker.check(['kill', '--signal', 'USR1', ...containers]);
    await wrote(written.away / 2, containers.slice(0, 1));
    await agent.stop('SIGKILL');
    agent.start();
    await wrote(written.away - 1, containers);
    expect(await ready()).toBe(503);
    expect(agent.hasEnded, agent.log).toBe(false);
    await redis.resume();
    await stage.docker.check(['kill', '--signal', 'USR2', ...containers]);

    /** Lines of a container that the server said were lost. */
    const saidOf = ({ taskArn, name }: (typeof streams)[number]): number =>
      server.log
        .split('\n')
        .filter((line) => line.includes('"lines of a container were lost') && line.includes(taskArn))
        .map((line) => JSON.parse(line) as { readonly container: string; readonly dropped: number })
        .reduce((sum, { container, dropped }) => sum + (container === name ? dropped : 0), 0);
    for (const one of streams)
      await until(`all of ${one.stream}`, patient, async () => {
        const found = await stored(one.stream);
        return found.length + saidOf(one) >= all.length;
      }).catch(failing);
    for (const one of streams.filter(({ name }) => name.startsWith('kept')))
      expect([one.stream, saidOf(one), await stored(one.stream)]).toEqual([one.stream, 0, all]);
    let dropped = 0;
    for (const one of streams.filter(({ name }) => name.startsWith('lossy'))) {
      const found = await stored(one.stream);
      expect([one.stream, found]).toEqual([one.stream, all.filter((line) => found.includes(line))]);
      expect([one.stream, saidOf(one)]).toEqual([one.stream, all.length - found.length]);
      dropped += saidOf(one);
    }
    expect(dropped).toBeGreaterThan(0);
    const counted = /^slipway_task_log_lines_total\{[^}]*outcome="dropped"[^}]*\} (\d+)/m;
    const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
    expect(Number(counted.exec(metrics)?.[1])).toBeGreaterThanOrEqual(dropped);
    logs.destroy();
    ecs.destroy();
  },
  2 * patient,
);
