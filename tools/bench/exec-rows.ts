import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateServiceCommand,
  DescribeTasksCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
} from '@aws-sdk/client-ecs';
import { ecsClient, LocalStage, makeImage, until, webImage } from '../testbed/index.ts';
import { median, quantile, type Row, short, spread } from './results.ts';

const main = join(import.meta.dirname, '../cli/main.ts');
const inMilliseconds = (sample: readonly number[], q: number): string => `${short(quantile(sample, q))} ms`;

/** How much is measured. */
export interface ExecSizes {
  readonly keystrokes: number;
  readonly megabytes: number;
  readonly rounds: number;
}

/** Commands in containers of tasks, and copies from and to them, beside what Docker's own command line takes for the same containers. */
export async function execRows({ keystrokes, megabytes, rounds }: ExecSizes): Promise<Row[]> {
  await using stage = new LocalStage('bench-exec');
  const image = `${stage.image}:latest`;
  await makeImage(stage.docker, { ...webImage(image, 'hello'), programs: { '/bin/cat': '/usr/bin/busybox' } });
  const server = await stage.serve({ ECS_IMAGE_PULL_BEHAVIOR: 'prefer-cached' });
  await stage.host();
  const ecs = ecsClient(server);
  const containerDefinitions = [{ name: 'web', image, memory: 256 }];
  await ecs.send(new RegisterTaskDefinitionCommand({ family: 'web', containerDefinitions }));
  const service = { serviceName: 'web', taskDefinition: 'web', desiredCount: 1, enableExecuteCommand: true };
  await ecs.send(new CreateServiceCommand(service));
  const container = await until('the task', 120_000, async () => {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ serviceName: 'web' }));
    const { tasks } = taskArns.length === 0 ? {} : await ecs.send(new DescribeTasksCommand({ tasks: taskArns }));
    const [one] = tasks?.[0]?.containers ?? [];
    return one?.managedAgents?.[0]?.lastStatus === 'RUNNING' ? one.runtimeId : undefined;
  });
  ecs.destroy();
  const env = { ...process.env, ...server.aws() };
  const slipway = (...args: string[]) => [process.execPath, main, ...args];
  const rows: Row[] = [];

  const [ours, theirs]: [number[], number[]] = [[], []];
  const echo = ['--', 'cat'];
  for (let round = 0; round < rounds; round += 1) {
    ours.push(...(await echoes(slipway('exec', '-i', 'web', ...echo), env, keystrokes / rounds)));
    theirs.push(...(await echoes(['docker', 'exec', '-i', container, 'cat'], env, keystrokes / rounds)));
  }
  for (const [name, q, goal] of [
    ['p50', 0.5, ''],
    ['p99', 0.99, 'under 30 ms'],
  ] as const)
    rows.push({
      what: `a keystroke to its echo by a command in a container, ${name}`,
      ours: inMilliseconds(ours, q),
      peer: `${inMilliseconds(theirs, q)} (docker exec)`,
      ratio: short(quantile(ours, q) / quantile(theirs, q)),
      goal,
    });

  const file = join(stage.folder, 'much');
  writeFileSync(file, Buffer.alloc(megabytes * 1e6, 'slipway '));
  for (const [what, own, docker] of [
    ['into a container', ['cp', file, 'web:/tmp/one'], ['cp', file, `${container}:/tmp/two`]],
    [
      'out of a container',
      ['cp', 'web:/tmp/one', join(stage.folder, 'three')],
      ['cp', `${container}:/tmp/two`, join(stage.folder, 'four')],
    ],
  ] as const) {
    const [mine, peers]: [Taken[], Taken[]] = [[], []];
    const before = processorSeconds(server.pid);
    for (let round = 0; round < rounds; round += 1) {
      for (const name of ['three', 'four']) rmSync(join(stage.folder, name), { force: true });
      mine.push(taken(slipway(...own), env));
      peers.push(taken(['docker', ...docker], env));
    }
    for (const [kind, of, goal] of [
      [`${megabytes} MB ${what}`, 'seconds', 'at most 1'],
      [`processor time of the command for ${megabytes} MB ${what}`, 'worked', ''],
    ] as const) {
      const [one, other] = [mine.map((each) => each[of]), peers.map((each) => each[of])];
      rows.push({
        what: kind,
        ours: `${spread(one, 's')} (slipway cp)`,
        peer: `${spread(other, 's')} (docker cp)`,
        ratio: short(median(one) / median(other)),
        goal,
      });
    }
    const worked = (processorSeconds(server.pid) - before) / rounds;
    rows.push({
      what: `processor time of server and agent for ${megabytes} MB ${what}`,
      ours: `${short(worked)} s`,
      peer: '',
      ratio: '',
      goal: '',
    });
  }
  return rows;
}

/** Milliseconds from a byte that a command is sent to the same byte that it sends back, each time. */
async function echoes(
  [program = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  times: number,
): Promise<number[]> {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const taken: number[] = [];
  // What it takes to begin is measured as the first one, and left out.
  for (let time = -1; time < times; time += 1) {
    const started = performance.now();
    const came = next(child);
    child.stdin?.write('x');
    await came;
    if (time >= 0) taken.push(performance.now() - started);
  }
  child.stdin?.end();
  await new Promise((resolve) => child.once('close', resolve));
  return taken;
}

const next = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => child.stdout?.once('data', () => resolve()));

/** What a command takes, in seconds: from its start to its end, and of the processor. */
interface Taken {
  readonly seconds: number;
  readonly worked: number;
}

/** @throws Error when the command fails */
function taken(words: readonly string[], env: NodeJS.ProcessEnv): Taken {
  const started = performance.now();
  // The shell's last line has what its children worked for themselves and in the kernel.
  const ended = spawnSync('sh', ['-c', '"$@" || exit; times', 'sh', ...words], { env, encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(`${words.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
  const children = ended.stdout.trim().split('\n').at(-1) ?? '';
  const worked = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
  );
  return { seconds: (performance.now() - started) / 1000, worked: worked.reduce((sum, one) => sum + one, 0) };
}

/** Seconds that a process and those that it has started have worked; hundredths, as Linux counts them. */
function processorSeconds(pid: number | undefined): number {
  const own = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user = 0, system = 0] = own.slice(own.lastIndexOf(')')).split(' ').slice(12, 14).map(Number);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return (user + system) / 100 + children.reduce((sum, child) => sum + processorSeconds(Number(child)), 0);
}
