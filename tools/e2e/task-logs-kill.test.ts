import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker } from '../testbed/docker.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** What tasks write arrives in their log group, each line once, while the agent and the server are killed, and beside one that floods its host. */
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const main = join(import.meta.dirname, '..', 'cli', 'main.ts');
const folder = mkdtempSync(join(tmpdir(), 'slipway-task-logs-'));
const image = `slipway-task-logs-${randomUUID()}:test`;
const group = '/ecs/killed';
const lines = 1_200;
/** Bytes that the other container writes, as fast as it can. */
const flood = 60_000_000;
const docker = new DockerCli();
let server: ServerProcess;
let aws: AwsCli;
let agent: ChildProcess;
let log = '';

function startAgent(): void {
  const said = ['--endpoint', server.endpoint, '--data', join(folder, 'agent')];
  agent = spawn(process.execPath, [main, 'agent', ...said], {
    env: { ...process.env, ...server.aws() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [agent.stdout, agent.stderr])
    stream?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
}

async function killAgent(): Promise<void> {
  const ended = new Promise((resolve) => agent.once('exit', resolve));
  agent.kill('SIGKILL');
  await ended;
}

beforeAll(async () => {
  if (missing !== undefined) return;
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  aws = new AwsCli(server.aws());
});
afterAll(async () => {
  if (missing !== undefined) return;
  agent.kill();
  await server.stop();
  const left = await docker.run(['ps', '--all', '--quiet', '--filter', `ancestor=${image}`]);
  const containers = left.stdout.split('\n').filter((id) => id !== '');
  if (containers.length > 0) await docker.run(['rm', '--force', ...containers]);
  await docker.run(['rmi', '--force', image]);
  docker.dispose();
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(missing)(
  'each line arrives once, whoever is killed',
  async () => {
    await makeImage(docker, { reference: image, command: ['/bin/sh'] });
    await aws.json(['logs', 'create-log-group', '--log-group-name', group]);
    startAgent();
    await until('the host', 60_000, async () => {
      const list = ['ecs', 'list-container-instances', '--filter', 'agentConnected==true'];
      return (await aws.json<{ containerInstanceArns: string[] }>(list)).containerInstanceArns.length === 1;
    });
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
      until(`${count} lines`, 120_000, async () => {
        if (agent.exitCode !== null) throw new Error(log);
        return (await stored().catch(() => [])).length >= count;
      });
    await comesTo(100);
    // What it had read, what was on its way, and what was stored and not answered.
    await killAgent();
    startAgent();
    await comesTo(300);
    await server.stop('SIGKILL');
    await server.start();
    await comesTo(600);
    await killAgent();
    startAgent();
    await comesTo(lines);
    expect(await stored()).toEqual(Array.from({ length: lines }, (_, place) => `line ${place}`));
    const [, peak = ''] = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8')) ?? [];
    expect(Number(peak) / 1024).toBeLessThan(400);
    // As before, the engine has them too.
    const found = await docker.check([
      'ps',
      '--all',
      '--quiet',
      '--filter',
      `ancestor=${image}`,
      '--filter',
      'name=web',
    ]);
    const kept = await docker.check(['logs', found.trim()]);
    expect(kept.trim().split('\n').length).toBe(lines);
  },
  400_000,
);
