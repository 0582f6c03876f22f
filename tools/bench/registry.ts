import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '@slipway/storage/testing';
import { check, ServerProcess } from '../testbed/index.ts';
import { Comparison } from './comparison.ts';
import { findDistribution, startDistribution } from './distribution.ts';
import { headRate } from './head-load.ts';
import type { Target } from './load.ts';
import { startNginx } from './nginx.ts';
import { measureDocker } from './registry-docker.ts';
import { hasWrk, plainRate, pullRate, pushImage, pushMany, type Rate, wrkRate } from './registry-load.ts';
import { measureCollection, measureMemory, measureTags } from './registry-scale.ts';
import { makeRepositories, targetOf } from './registry-target.ts';
import { render, type Section, spread, writeSection } from './results.ts';

/** `npm run bench:registry`: the registry beside distribution, in turns on the same machine, disk and client. */
const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    help: { type: 'boolean' },
  },
});
const everything = 'requests,pushes,pulls,docker,tags,memory,gc';
if (options.help) {
  process.stdout.write(`npm run bench:registry [-- --quick] [--json FILE] [--rounds 5] [--only ${everything}]
--quick measures everything in small. A quick run and one of some parts only leave RESULTS.md alone.\n`);
  process.exit(0);
}
const parts = new Set((options.only ?? everything).split(','));
const quick = options.quick;
const repository = 'bench/app';
const rounds = Number(options.rounds ?? (quick ? 1 : 5));
const seconds = quick ? 1 : 3;
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
const comparison = new Comparison(rounds, (line) => process.stdout.write(`${line}\n`));
const notes: string[] = [];
const wrk = await hasWrk();

const program = await findDistribution();
const peer =
  program === undefined ? undefined : await startDistribution(program, join(folder, 'distribution'), repository);
notes.push(
  peer === undefined
    ? 'distribution could not be built (no Go): rates stand alone.'
    : `Peer: distribution ${peer.version}, file system, in-memory descriptor cache, token authentication. Ours: SQLite and files, docker login, a process for each core; it answers pushes after fsync, the peer does not sync; before each measurement of pushes the machine's disks are synced, so that ours does not write what the peer left. Both are warmed up with 500 pushes.`,
  `Client, servers and disk share the machine. ${rounds} rounds in turns, median (least to most); the ratio is the median of the rounds.`,
  wrk
    ? 'GET by wrk with 2 threads. HEAD, pushes and pulls by plain sockets of one Node process (wrk cannot read the answer to a HEAD); for HEAD it looks for nothing but the status and the end of the head, and gets 100,000 answers/s from a server that does nothing.'
    : 'wrk is not installed: all load comes from plain sockets of one Node process, whose own ceiling lies near 30,000 requests/s.',
);
notes.push(
  'One request again and again, as when a fleet looks at a tag: ours gives the same answer again while nothing was committed (`auth/gateway/repeats.ts`). Where no two requests are alike, each is authenticated, authorized and read anew.',
);
const server = new ServerProcess(await freePort(), join(folder, 'ours'), {
  SLIPWAY_AGENT: 'off',
  SLIPWAY_LOG: 'error',
});
try {
  await server.start();
  await makeRepositories(server, [repository]);
  const ours = await targetOf(server);
  const targets = peer === undefined ? [ours] : [ours, peer.target];
  if (parts.has('requests')) await measureRequests(targets);
  if (parts.has('pushes')) await measurePushes(targets);
  if (parts.has('pulls')) await measurePulls(targets);
  if (parts.has('docker')) notes.push(...(await measureDocker(comparison, server, peer, repository, quick)));
  if (parts.has('memory')) notes.push(...(await measureMemory(comparison, server, quick)));
  await server.stop();
  await peer?.stop();
  if (parts.has('tags')) await measureTags(comparison, join(folder, 'tags'), quick);
  if (parts.has('gc')) notes.push(...(await measureCollection(comparison, join(folder, 'gc'), quick)));
} finally {
  await server.stop();
  await peer?.stop();
  rmSync(folder, { recursive: true, force: true });
}

const section: Section = {
  name: 'registry',
  title: 'Registry',
  command: 'npm run bench:registry',
  notes,
  rows: comparison.rows,
};
if (quick || options.only !== undefined) process.stdout.write(`${render(section)}\n`);
else writeSection(section);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(comparison.measured, undefined, 2)}\n`);

async function measureRequests(targets: readonly Target[]): Promise<void> {
  const images = new Map<Target, { readonly digest: string; readonly layer: string }>();
  for (const target of targets) images.set(target, await pushImage(target, repository, ['v1']));
  const byTag = `/v2/${repository}/manifests/v1`;
  const byDigest = (target: Target): string => `/v2/${repository}/manifests/${images.get(target)?.digest ?? ''}`;
  const blob = (target: Target): string => `/v2/${repository}/blobs/${images.get(target)?.layer ?? ''}`;
  const rows = [
    ['manifest GET by tag', 'GET', () => byTag, 5],
    ['manifest GET by digest', 'GET', byDigest, 5],
    ['manifest HEAD by tag', 'HEAD', () => byTag, 5],
    ['blob HEAD', 'HEAD', blob, 3],
    ['manifest HEAD by tag, no two requests alike', 'UNLIKE', () => byTag, undefined],
  ] as const;
  for (const connections of [32, 256]) {
    for (const [what, method, path, goal] of rows) {
      const rate = (target: Target): Promise<Rate> =>
        method !== 'GET'
          ? headRate(target, path(target), connections, seconds, method === 'UNLIKE')
          : wrk
            ? wrkRate(target, path(target), connections, seconds)
            : plainRate(target, path(target), connections, seconds);
      await comparison.compare(
        `${what}, ${connections} connections`,
        'requests/s',
        goal === undefined ? '' : `at least ${goal}x, p99 lower`,
        targets,
        async (target) => {
          const { perSecond, p99 } = await rate(target);
          return { value: perSecond, p99 };
        },
      );
    }
  }
}

async function measurePushes(targets: readonly Target[]): Promise<void> {
  const sizes = [
    { what: '1 KiB', size: 1024, count: quick ? 100 : 400, goal: 2, unit: 'blobs/s' },
    { what: '1 MiB', size: 1 << 20, count: quick ? 20 : 100, goal: 1.5, unit: 'MiB/s' },
    { what: '100 MiB', size: 100 << 20, count: quick ? 2 : 8, goal: 1.3, unit: 'MiB/s' },
  ];
  // Both have run for a while before they are measured, as in production; ours compiles its hot paths as it goes.
  for (const target of targets) {
    await pushMany(target, repository, quick ? 50 : 400, 1024, 4);
    await pushMany(target, repository, quick ? 10 : 100, 1 << 20, 4);
  }
  for (const { what, size, count, goal, unit } of sizes) {
    for (const parallel of [1, 4]) {
      await comparison.compare(
        `push ${what} blobs, ${parallel === 1 ? 'one after the other' : '4 at a time'}`,
        unit,
        `at least ${goal}x`,
        targets,
        async (target) => {
          // What the peer left unwritten would have to be written by whoever syncs next.
          await check('sync', []);
          const { perSecond } = await pushMany(target, repository, count, size, parallel);
          return { value: unit === 'MiB/s' ? (perSecond * size) / 2 ** 20 : perSecond };
        },
      );
    }
  }
  if (quick) return;
  const [one, four] = [await diskRate(1), await diskRate(4)];
  notes.push(
    `What the disk takes in the same run, written and synced by a bare loop without network and hashing: one file of 100 MiB ${spread(one, 'MiB/s')}, four at once ${spread(four, 'MiB/s')}. Ours cannot push faster than that; the peer leaves the writing to the kernel.`,
  );
}

/** What the disk itself takes: so many files of 100 MiB written at once, each synced. @returns MiB/s of each round */
async function diskRate(parallel: number): Promise<number[]> {
  const rates: number[] = [];
  const bytes = randomBytes(1 << 20);
  for (let round = 0; round < rounds; round++) {
    await check('sync', []);
    const started = performance.now();
    await Promise.all(
      Array.from({ length: parallel }, async (_, index) => {
        const file = await open(join(folder, `disk-${index}`), 'w');
        for (let part = 0; part < 100; part++) await file.write(bytes);
        await file.sync();
        await file.close();
      }),
    );
    rates.push((parallel * 100_000) / (performance.now() - started));
  }
  return rates;
}

async function measurePulls(targets: readonly Target[]): Promise<void> {
  const blobs = join(folder, 'ours', 'blobs', 'blobs');
  const nginx = await startNginx(join(folder, 'nginx'), blobs);
  if (nginx === undefined) notes.push('nginx is not installed: pulls stand without it.');
  try {
    for (const { what, size, count } of [
      { what: '1 MiB', size: 1 << 20, count: 16 },
      { what: '100 MiB', size: 100 << 20, count: 4 },
    ]) {
      const pulls: { readonly target: Target; readonly paths: readonly string[] }[] = [];
      for (const target of targets) {
        const pushed = await pushMany(target, repository, count, size, 2);
        pulls.push({ target, paths: pushed.blobs.map(({ digest }) => `/v2/${repository}/blobs/${digest}`) });
      }
      const pull = async ({ target, paths }: (typeof pulls)[number]) => ({
        value: (await pullRate(target, paths, 4, seconds)) / 2 ** 20,
      });
      await comparison.compare(`pull ${what} blobs, 4 at a time`, 'MiB/s', 'at least 1.5x', pulls, pull);
      const [ours] = pulls;
      if (nginx === undefined || ours === undefined) continue;
      const files = ours.paths.map((path) => fileOf(blobs, path.split(':')[1] ?? ''));
      const beside = [ours, { target: { origin: nginx.origin, headers: {} }, paths: files }];
      await comparison.compare(`the same, peer: nginx with sendfile`, 'MiB/s', 'at least 0.5x', beside, pull);
    }
  } finally {
    await nginx?.stop();
  }
}

/** Where a blob lies, as a path under the folder of all blobs. */
function fileOf(blobs: string, hex: string): string {
  const fan = `sha256/${hex.slice(0, 2)}`;
  const name = readdirSync(join(blobs, fan)).find((entry) => entry.startsWith(hex));
  if (name === undefined) throw new Error(`no file of ${hex}`);
  return `/${fan}/${name}`;
}
