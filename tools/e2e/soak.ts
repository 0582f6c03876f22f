import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { inOwnMemory } from '@slipway/registry/images';
import { missingEngine, type PushedImage, seeded, Traffic } from '@slipway/registry/testing';
import { killAndRestart, startRegistryFleet } from './registry-fleet.ts';
import { type Held, heldBy, growthOf, quantile } from './soak-processes.ts';
import { SoakStores } from './soak-stores.ts';
import { brokenOrder, missingEvents } from './soak-events.ts';

/**
 * `npm run soak`: half an hour of pushes and pulls whose connections are cut, a tag that everybody moves, deletions and collections.
 * In the first half a server is killed every minute; the second is left alone, so that what grows is seen. In the end all images are
 * removed, and nothing may be left. Exits with 1 when anything is wrong, and says what; measurements are printed every minute.
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
const begun = performance.now();
const length = Number(options.minutes) * 60_000;
const killEvery = Number(options['kill-every']) * 1000;
const repository = 'soak/app';
/** Memory may grow by this between the quarters of the quiet half: heaps breathe. Files may differ by what a request holds. */
const allowed = { memoryShare: 0.15, memoryMiB: 48, files: 12 };

const seconds = (): number => (performance.now() - begun) / 1000;
const left = (until = length): number => Math.max(0, begun + until - performance.now());

await using fleet = await startRegistryFleet(engine, [repository]);
await using stores = await SoakStores.open(fleet.servers[0]?.environment ?? {});
const random = seeded(Number(options.seed));
const traffic = new Traffic({
  origins: fleet.servers.map(({ endpoint }) => endpoint),
  authorization: fleet.authorization,
  random,
  cutShare: 0.2,
});
const kept: PushedImage[] = [];
/** All that was acknowledged, gone or not. */
const acknowledged: { readonly tag: string; readonly manifest: Buffer }[] = [];
const wrong: string[] = [];
const counts = { pushed: 0, pulled: 0, moved: 0, deleted: 0, kills: 0, collections: 0, collected: 0 };
const held = fleet.servers.map((): Held[] => []);
const pushTimes: { readonly at: number; readonly ms: number }[] = [];

say({ engine, seed: options.seed, minutes: options.minutes });
await Promise.all([...Array.from({ length: 4 }, worker), mover(), mover(), killing(), collecting(), watching()]);
const busy = await stores.leftovers();

for (const image of kept) await verify(image);
checkGrowth();
await checkEvents();
await checkLeftovers();
checkLogs();
say({ done: true, ...counts, ...cuts(), ...busy, quiet: held.map((one) => growthOf(quiet(one))), push: pushDrift() });
for (const problem of [...wrong, ...traffic.unexpected]) process.stdout.write(`WRONG ${problem}\n`);
const problems = wrong.length + traffic.unexpected.length;
process.stdout.write(problems === 0 ? 'soak: nothing is wrong\n' : `soak: ${problems} things are wrong\n`);
process.exitCode = problems === 0 ? 0 : 1;

async function worker(): Promise<void> {
  while (left() > 0) {
    const started = performance.now();
    const image = await traffic.push(repository, `t${counts.pushed++}`);
    pushTimes.push({ at: seconds(), ms: performance.now() - started });
    note(image);
    kept.push(image);
    await verify(image);
    if (kept.length > 200) await remove(kept.splice(Math.floor(random() * kept.length), 1)[0]);
    // A third of what the machine could do: a soak looks for what grows, not for what is slow.
    await sleep(200);
  }
}

/** Two of these fight for one tag: its events must tell one story. */
async function mover(): Promise<void> {
  while (left() > 0) {
    note(await traffic.push(repository, 'latest'));
    counts.moved += 1;
    await sleep(1000);
  }
}

/** Without the blobs, which half an hour of pushes would not fit into memory. */
function note({ tag, manifest }: PushedImage): void {
  acknowledged.push({ tag, manifest: inOwnMemory(manifest) });
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
  if (killEvery <= 0) return;
  while (left(length / 2) > killEvery) {
    await sleep(killEvery);
    await killAndRestart(fleet.servers[counts.kills++ % fleet.servers.length]);
  }
}

async function collecting(): Promise<void> {
  while (left() > 0) {
    await sleep(Math.min(15_000, left()));
    counts.collected += (await stores.collect()).removed;
    counts.collections += 1;
  }
}

async function watching(): Promise<void> {
  for (let turn = 1; left() > 0; turn++) {
    await sleep(Math.min(10_000, left()));
    const now = fleet.servers.map(({ pid }) => heldBy(pid, seconds()));
    for (const [index, one] of now.entries()) if (one !== undefined) held[index]?.push(one);
    if (turn % 6 !== 0) continue;
    const memoryMiB = now.map((one) => one?.memoryMiB ?? 0);
    const files = now.map((one) => one?.files ?? 0);
    say({ minutesLeft: Math.round(left() / 60_000), ...counts, ...cuts(), memoryMiB, files });
  }
}

/** The half without kills, less its first tenth, in which the servers warm up. */
function quiet(one: readonly Held[]): readonly Held[] {
  return one.filter(({ at }) => at * 1000 > length * 0.55);
}

function checkGrowth(): void {
  for (const [index, one] of held.entries()) {
    const growth = growthOf(quiet(one));
    if (growth === undefined) continue;
    const { memoryMiB, files } = growth;
    const memory = memoryMiB.late - memoryMiB.early;
    if (memory > allowed.memoryMiB && memory > memoryMiB.early * allowed.memoryShare)
      wrong.push(`server ${index}: memory grew from ${memoryMiB.early} to ${memoryMiB.late} MiB`);
    if (files.late - files.early > allowed.files)
      wrong.push(`server ${index}: open files grew from ${files.early} to ${files.late}`);
  }
}

async function checkEvents(): Promise<void> {
  const pushes = await stores.pushes();
  wrong.push(...missingEvents(pushes, acknowledged), ...brokenOrder(pushes));
  for (let turn = 0; turn < 50 && (await stores.undelivered()) > 0; turn++) await sleep(100);
  const undelivered = await stores.undelivered();
  if (undelivered > 0) wrong.push(`${undelivered} events were never handed to a consumer`);
}

/** Removes every image and collects: what is left then was leaked. */
async function checkLeftovers(): Promise<void> {
  for (const image of kept) await traffic.remove(image);
  const last = acknowledged.filter(({ tag }) => tag === 'latest');
  for (const image of last) await traffic.remove({ ...image, repository, blobs: [] });
  for (let turn = 0; turn < 5; turn++) {
    counts.collected += (await stores.collect()).removed;
    await sleep(1500);
  }
  const rows = await stores.rowsLeft();
  if (rows.length > 0) wrong.push(`${rows.length} records are left of removed images: ${rows.slice(0, 5).join(', ')}`);
  const { openUploads, unclaimedStaged } = await stores.leftovers();
  const blobs = await stores.blobsLeft();
  say({ afterRemovalOfAll: { rows: rows.length, blobs, openUploads, unclaimedStaged } });
  // What a kill interrupts may leave bytes behind, which the server's weekly audit and sweeps find; nothing else may.
  const mostByKills = counts.kills * 8;
  if (blobs > mostByKills) wrong.push(`${blobs} blobs are left that no record names, after ${counts.kills} kills`);
  if (unclaimedStaged > mostByKills)
    wrong.push(`${unclaimedStaged} staged uploads are left that no record names, after ${counts.kills} kills`);
}

/** Whatever a server logs as an error is one. */
function checkLogs(): void {
  for (const [index, server] of fleet.servers.entries()) {
    const lines = server.log.split('\n').filter((line) => /"level":(?:50|60)/.test(line));
    for (const line of new Set(lines.map((text) => text.slice(0, 300)))) wrong.push(`server ${index} logged ${line}`);
  }
}

/** How long pushes took at the beginning of the quiet half, and at its end. */
function pushDrift(): object {
  const stretch = (from: number, to: number): object => {
    const times = pushTimes
      .filter(({ at }) => at * 1000 > length * from && at * 1000 <= length * to)
      .map(({ ms }) => ms);
    return { p50: Math.round(quantile(times, 0.5)), p99: Math.round(quantile(times, 0.99)) };
  };
  return { early: stretch(0.55, 0.7), late: stretch(0.85, 1) };
}

function cuts(): object {
  const { pushCuts, pullCuts, unexpected } = traffic;
  return { pushCuts, pullCuts, wrong: wrong.length, unexpected: unexpected.length };
}

function say(fields: object): void {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}
