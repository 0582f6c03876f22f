import { describe, expect, test } from 'vitest';
import { runSealed, together } from './children.ts';
import { mutations } from './mutations.ts';

/** Seeds of one run of the tests. They are always the same: 1, 2, 3, … */
const seeds = { nightly: 100_000, release: 500_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 2_000;

/** The same of days on which services have the strategies that shift traffic. */
const shiftSeeds = seeds / 20;

/** The same of days on which somebody else than ECS deploys services. */
const setSeeds = seeds / 40;

/** The same of days on which zones of services are evened out. */
const zoneSeeds = seeds / 40;
/** The same of days on which deployments may fail by alarms. */
const alarmSeeds = seeds / 40;

/** Seeds within which every planted mistake must be noticed. */
const noticedWithin = 2_000;

/** Processes that play at one time, and seeds that one of them plays: a process of its own forgets what the seeds before left in memory. */
const [atOnce, piece] = [2, 250];

const hours = { nightly: 8, release: 40 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 1;

/** Seeds that once showed a mistake, with what it was. They are played again for ever. */
const once: readonly (readonly [number, string])[] = [
  [21, 'a restarted agent reported a task that was over as PENDING'],
  [201, "an engine's event about health was missed, and nobody looked again"],
  [520, 'an engine had started a container and did not tell of it yet, and it was started again'],
  [1239, 'a full disk left a stopped task unreported'],
  [4044, 'a store had lost the report of the end of a task, and nobody made it again'],
  [4812, 'a store had lost that a host was deregistered, and no operator of the simulation did so again'],
];

interface Line {
  readonly seed: number;
  readonly checksum: string;
  readonly counts: Readonly<Record<'faults' | 'containersStarted' | 'commits' | 'stages', number>>;
  readonly violation?: { readonly invariant: string; readonly message: string };
}

async function run(program: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
  const { printed, failed } = await runSealed(program, args, signal);
  if (failed !== '') throw new Error(failed);
  return printed;
}

async function play(range: string, signal?: AbortSignal, ...days: string[]): Promise<Line[]> {
  const printed = await run('main.ts', ['--json', '--first', '--seeds', range, ...days], signal);
  const lines = printed.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Line);
}

describe('the control plane in simulation', { timeout: hours * 3_600_000 }, () => {
  test(`holds what it must through seeds 1 to ${seeds}`, async () => {
    const first = new AbortController();
    const lines: Line[] = [];
    const starts = Array.from({ length: Math.ceil(seeds / piece) }, (_, index) => 1 + index * piece);
    await together(starts, atOnce, async (from) => {
      lines.push(...(await play(`${from}..${Math.min(seeds, from + piece - 1)}`, first.signal)));
      const broken = lines.some(({ violation }) => violation !== undefined);
      if (broken) first.abort();
      return !broken;
    });
    const broken = lines.find(({ violation }) => violation !== undefined);
    // What a person wants to read of a seed that broke something is the least that still breaks it.
    if (broken !== undefined) throw new Error(await run('main.ts', ['--seed', String(broken.seed), '--shrink']));
    expect(lines).toHaveLength(seeds);
    // Runs in which nothing happens would hold everything.
    const sum = (of: (line: Line) => number): number => lines.reduce((total, line) => total + of(line), 0);
    expect(sum(({ counts }) => counts.faults)).toBeGreaterThan(5 * seeds);
    expect(sum(({ counts }) => counts.containersStarted)).toBeGreaterThan(20 * seeds);
  });

  test.each(once.filter(([seed]) => seed > seeds))('seed %i: %s', async (seed) => {
    const [line] = await play(String(seed));
    expect(line?.violation).toBeUndefined();
  });

  test(`holds it through ${shiftSeeds} days of services that shift traffic`, async () => {
    const lines = await play(`1..${shiftSeeds}`, undefined, '--shifts');
    const broken = lines.find(({ violation }) => violation !== undefined);
    if (broken !== undefined)
      throw new Error(await run('main.ts', ['--seed', String(broken.seed), '--shifts', '--shrink']));
    expect(lines).toHaveLength(shiftSeeds);
    expect(lines.reduce((total, { counts }) => total + counts.stages, 0)).toBeGreaterThan(5 * shiftSeeds);
  });

  test(`holds it through ${setSeeds} days of services with task sets`, async () => {
    const lines = await play(`1..${setSeeds}`, undefined, '--sets');
    const broken = lines.find(({ violation }) => violation !== undefined);
    if (broken !== undefined)
      throw new Error(await run('main.ts', ['--seed', String(broken.seed), '--sets', '--shrink']));
    expect(lines).toHaveLength(setSeeds);
    expect(lines.reduce((total, { counts }) => total + counts.containersStarted, 0)).toBeGreaterThan(10 * setSeeds);
  });

  test(`holds it through ${zoneSeeds} days of services whose zones are evened out`, async () => {
    const lines = await play(`1..${zoneSeeds}`, undefined, '--zones');
    const broken = lines.find(({ violation }) => violation !== undefined);
    if (broken !== undefined)
      throw new Error(await run('main.ts', ['--seed', String(broken.seed), '--zones', '--shrink']));
    expect(lines).toHaveLength(zoneSeeds);
  });

  test(`holds it through ${alarmSeeds} days of services whose deployments may fail by alarms`, async () => {
    for (const days of [['--alarms'], ['--alarms', '--shifts']]) {
      const lines = await play(`1..${alarmSeeds / 2}`, undefined, ...days);
      const broken = lines.find(({ violation }) => violation !== undefined);
      if (broken !== undefined)
        throw new Error(await run('main.ts', ['--seed', String(broken.seed), ...days, '--shrink']));
      expect(lines).toHaveLength(alarmSeeds / 2);
    }
  });

  test('plays a seed the same way every time', async () => {
    const [one, other] = await Promise.all([play('7..9'), play('7..9')]);
    expect(one.map(({ checksum }) => checksum)).toEqual(other.map(({ checksum }) => checksum));
  });

  test(`notices each of ${mutations.length} planted mistakes within ${noticedWithin} seeds`, async () => {
    const unnoticed: string[] = [];
    await together(mutations, atOnce, async ({ name, from = 1 }) => {
      const printed = await run('mutant.ts', [name, String(from), String(noticedWithin)]);
      const { caught } = JSON.parse(printed) as { caught?: { seed: number; invariant: string } };
      if (caught === undefined) unnoticed.push(name);
      else if (caught.seed !== from)
        process.stdout.write(`${name}: noticed by seed ${caught.seed} (${caught.invariant})\n`);
      return true;
    });
    expect(unnoticed).toEqual([]);
  });
});
