import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { missingEngine, type PushedImage, seeded, Traffic } from '@slipway/registry/testing';
import { check } from '../testbed/command.ts';
import type { ServerProcess } from '../testbed/server-process.ts';
import { killAndRestart, startRegistryFleet } from './registry-fleet.ts';

/**
 * `npm run soak`: half an hour of pushes and pulls whose connections are cut, deletions, collections, and a server killed every
 * minute. Ends with 1 when an acknowledged image is not intact or an answer was not to be expected; memory and open files are printed every minute.
 */
const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    engine: { type: 'string', default: 'redis' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'kill-every': { type: 'string', default: '60' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  process.stdout.write(
    'npm run soak [-- --minutes 30] [--engine redis|sqlite] [--kill-every SECONDS, 0: never] [--seed N]\n',
  );
  process.exit(0);
}
const engine = options.engine === 'sqlite' ? 'SQLite and files' : 'Redis and S3';
const missing = missingEngine(engine);
if (missing !== undefined) {
  process.stderr.write(`soak: ${missing}; --engine sqlite needs nothing else\n`);
  process.exit(2);
}
const slipway = join(import.meta.dirname, '..', 'cli', 'main.ts');
const until = performance.now() + Number(options.minutes) * 60_000;
const killEvery = Number(options['kill-every']) * 1000;
const repository = 'soak/app';

await using fleet = await startRegistryFleet(engine, [repository]);
const random = seeded(Number(options.seed));
const traffic = new Traffic({
  origins: fleet.servers.map(({ endpoint }) => endpoint),
  authorization: fleet.authorization,
  random,
  cutShare: 0.2,
});
const kept: PushedImage[] = [];
const wrong: string[] = [];
const counts = { pushed: 0, pulled: 0, deleted: 0, kills: 0, collections: 0 };

await Promise.all([...Array.from({ length: 4 }, worker), killing(), collecting(), reporting()]);
for (const image of kept) await verify(image);
process.stdout.write(`${JSON.stringify({ ...counts, kept: kept.length, ...cuts(), seed: options.seed })}\n`);
for (const problem of [...wrong, ...traffic.unexpected]) process.stdout.write(`${problem}\n`);
process.exitCode = wrong.length + traffic.unexpected.length === 0 ? 0 : 1;

async function worker(): Promise<void> {
  while (performance.now() < until) {
    const image = await traffic.push(repository, `t${counts.pushed++}`);
    kept.push(image);
    await verify(image);
    if (kept.length > 200) await remove(kept.splice(Math.floor(random() * kept.length), 1)[0]);
    // A third of what the machine could do: a soak looks for what grows, not for what is slow.
    await sleep(200);
  }
}

async function verify(image: PushedImage): Promise<void> {
  const problem = await traffic.check(image);
  counts.pulled += 1;
  if (problem !== undefined) wrong.push(problem);
}

async function remove(image: PushedImage | undefined): Promise<void> {
  if (image === undefined) return;
  await traffic.remove(image);
  counts.deleted += 1;
}

async function killing(): Promise<void> {
  while (killEvery > 0 && performance.now() + killEvery < until) {
    await sleep(killEvery);
    await killAndRestart(fleet.servers[counts.kills++ % fleet.servers.length]);
  }
}

async function collecting(): Promise<void> {
  while (performance.now() < until) {
    await sleep(Math.min(30_000, Math.max(0, until - performance.now())));
    const [server] = fleet.servers as [ServerProcess];
    await check(process.execPath, [slipway, 'gc', '--output', 'json'], { env: server.environment });
    counts.collections += 1;
  }
}

async function reporting(): Promise<void> {
  while (performance.now() < until) {
    await sleep(Math.min(60_000, Math.max(0, until - performance.now())));
    const memory = fleet.servers.map(({ pid }) => residentMiB(pid ?? 0));
    const files = fleet.servers.map(({ pid }) => openFiles(pid ?? 0));
    const line = { minutesLeft: Math.round((until - performance.now()) / 60_000), ...counts, ...cuts(), memory, files };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}

function cuts(): object {
  return {
    pushCuts: traffic.pushCuts,
    pullCuts: traffic.pullCuts,
    wrong: wrong.length,
    unexpected: traffic.unexpected.length,
  };
}

/** Both are 0 while a server is being started again. */
function residentMiB(pid: number): number {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}
