import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentProcess } from '../testbed/agent-process.ts';
import { AwsCli } from '../testbed/aws-cli.ts';
import { until } from '../testbed/command.ts';
import { makeImage, missingDocker } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** What tasks write arrives in their log group, each line once, while the agent and the server are killed, and beside one that floods its host. */
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const stage = new LocalStage('task-logs');
const image = `${stage.image}:test`;
const group = '/ecs/killed';
const lines = 1_200;
/** Bytes that the other container writes, as fast as it can. */
const flood = 60_000_000;
let server: ServerProcess;
let aws: AwsCli;
let agent: AgentProcess;

beforeAll(async () => {
  if (missing !== undefined) return;
  server = await stage.serve({ SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  aws = new AwsCli(server.aws());
  agent = new AgentProcess(server, join(stage.folder, 'agent'));
});
afterAll(async () => {
  if (missing !== undefined) return;
  await agent?.stop();
  await stage[Symbol.asyncDispose]();
});

test.skipIf(missing)(
  'each line arrives once, whoever is killed',
  async () => {
    await makeImage(stage.docker, { reference: image, command: ['/bin/sh'] });
    await aws.json(['logs', 'create-log-group', '--log-group-name', group]);
    agent.start();
    await stage.host();
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
