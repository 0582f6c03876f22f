import { describe, expect, test } from 'vitest';
import { runSealed, together } from './children.ts';
import { mutations } from './mutations/index.ts';

/** Seeds of one run of the tests. They are always the same: 1, 2, 3, … */
const seeds = { nightly: 100_000, release: 500_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 2_000;

/** The same of days on which services have the strategies that shift traffic. */
const shiftSeeds = seeds;

/** The same of those whose steps are judged. */
const judgedSeeds = seeds / 80;

/** The same of days on which somebody else than ECS deploys services. */
const setSeeds = seeds / 40;

/** The same of days on which zones of services are evened out. */
const zoneSeeds = seeds / 40;
/** The same of days on which deployments may fail by alarms. */
const alarmSeeds = seeds / 40;
/** The same of days whose load balancers are carried by engines of other hosts. */
const edgeSeeds = seeds / 100;
/** The same of days with an Auto Scaling group; those of a short run are the days of the mistakes that are planted in them. */
const groupSeeds = seeds > 2_000 ? seeds / 200 : 0;

/** Seeds within which every planted mistake must be noticed. */
const noticedWithin = 2_000;

/** Processes that play at one time, and seeds that one of them plays: each loads the control plane anew, and learns how to run it fast. */
const [atOnce, piece] = [2, 500];

/** Planted mistakes that one process plays after each other: to load the control plane takes longer than to play the seed that notices one. */
const mistakesAtOnce = 13;

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

/** The same of days with an Auto Scaling group. */
const onceOfGroups: readonly (readonly [number, string])[] = [
  [167, 'a daemon had come to more hosts, and its failures were counted against those that it had before'],
  [17, 'machines that were drained for what waits for room had the room of those that would have brought it'],
  [186, 'a simulated machine that was stopped and started before it had started at all was there twice'],
  [201, 'the last machine of a group was replaced by a refresh, and had to stay for as long as it warms up'],
  [225, 'machines that never joined were made again and again when nothing needed them any more'],
];

/** The same of days whose steps are judged. */
const onceJudged: readonly (readonly [number, string])[] = [
  [87, 'a service was scaled to nothing, and a step of it waited for the verdict of requests that nobody could answer'],
];

interface Line {
  readonly seed: number;
  readonly checksum: string;
  readonly counts: Readonly<
    Record<'faults' | 'containersStarted' | 'commits' | 'stages' | 'machines' | 'verdicts' | 'requests', number>
  >;
  readonly violation?: { readonly invariant: string; readonly message: string };
}

/** What `mutant.ts` prints of one mistake. */
interface Searched {
  readonly name: string;
  readonly from: number;
  readonly caught?: { readonly seed: number; readonly invariant: string };
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

/** Plays seeds from 1 on, on all processors, until one breaks something. @throws what a person wants to read of that one: the least that still breaks it */
async function hold(count: number, ...days: string[]): Promise<readonly Line[]> {
  const first = new AbortController();
  const lines: Line[] = [];
  const size = Math.min(piece, Math.ceil(count / atOnce));
  const starts = Array.from({ length: Math.ceil(count / size) }, (_, index) => 1 + index * size);
  await together(starts, atOnce, async (from) => {
    lines.push(...(await play(`${from}..${Math.min(count, from + size - 1)}`, first.signal, ...days)));
    const broken = lines.some(({ violation }) => violation !== undefined);
    if (broken) first.abort();
    return !broken;
  });
  const broken = lines.find(({ violation }) => violation !== undefined);
  if (broken !== undefined) throw new Error(await run('main.ts', ['--seed', String(broken.seed), ...days, '--shrink']));
  expect(lines).toHaveLength(count);
  return lines;
}

const sum = (lines: readonly Line[], of: keyof Line['counts']): number =>
  lines.reduce((total, { counts }) => total + counts[of], 0);

describe('the control plane in simulation', { timeout: hours * 3_600_000 }, () => {
  test(`holds what it must through seeds 1 to ${seeds}`, async () => {
    const lines = await hold(seeds);
    // Runs in which nothing happens would hold everything.
    expect(sum(lines, 'faults')).toBeGreaterThan(5 * seeds);
    expect(sum(lines, 'containersStarted')).toBeGreaterThan(20 * seeds);
  });

  test.each(once.filter(([seed]) => seed > seeds))('seed %i: %s', async (seed) => {
    const [line] = await play(String(seed));
    expect(line?.violation).toBeUndefined();
  });

  test.each(onceOfGroups.filter(([seed]) => seed > groupSeeds))('seed %i with a group: %s', async (seed) => {
    const [line] = await play(String(seed), undefined, '--groups');
    expect(line?.violation).toBeUndefined();
  });

  test.each(onceJudged.filter(([seed]) => seed > judgedSeeds))('seed %i with judged steps: %s', async (seed) => {
    const [line] = await play(String(seed), undefined, '--judged');
    expect(line?.violation).toBeUndefined();
  });

  test(`holds it through ${shiftSeeds} days of services that shift traffic`, async () => {
    expect(sum(await hold(shiftSeeds, '--shifts'), 'stages')).toBeGreaterThan(5 * shiftSeeds);
  });

  test(`holds it through ${judgedSeeds} days of services whose steps are judged`, async () => {
    expect(sum(await hold(judgedSeeds, '--judged'), 'verdicts')).toBeGreaterThan(judgedSeeds / 4);
  });

  test(`holds it through ${setSeeds} days of services with task sets`, async () => {
    expect(sum(await hold(setSeeds, '--sets'), 'containersStarted')).toBeGreaterThan(10 * setSeeds);
  });

  test(`holds it through ${zoneSeeds} days of services whose zones are evened out`, async () => {
    expect(await hold(zoneSeeds, '--zones')).toHaveLength(zoneSeeds);
  });

  test(`holds it through ${alarmSeeds} days of services whose deployments may fail by alarms`, async () => {
    for (const days of [['--alarms'], ['--alarms', '--shifts']]) {
      expect(await hold(alarmSeeds / 2, ...days)).toHaveLength(alarmSeeds / 2);
    }
  });

  test(`holds it through ${edgeSeeds} days whose traffic engines of other hosts carry`, async () => {
    expect(sum(await hold(edgeSeeds, '--edges'), 'requests')).toBeGreaterThan(50 * edgeSeeds);
  });

  test.runIf(groupSeeds > 0)(`holds it through ${groupSeeds} days with an Auto Scaling group`, async () => {
    expect(sum(await hold(groupSeeds, '--groups'), 'machines')).toBeGreaterThan(2 * groupSeeds);
  });

  test('plays a seed the same way every time', async () => {
    const [one, other] = await Promise.all([play('7..9'), play('7..9')]);
    expect(one.map(({ checksum }) => checksum)).toEqual(other.map(({ checksum }) => checksum));
  });

  test(`notices each of ${mutations.length} planted mistakes within ${noticedWithin} seeds`, async () => {
    const noticed = new Set<string>();
    const pieces = Array.from({ length: Math.ceil(mutations.length / mistakesAtOnce) }, (_, index) =>
      mutations.slice(index * mistakesAtOnce, (index + 1) * mistakesAtOnce),
    );
    await together(pieces, atOnce, async (some) => {
      const printed = await run('mutant.ts', [String(noticedWithin), ...some.map(({ name }) => name)]);
      for (const line of printed.split('\n').slice(0, -1)) {
        const { name, from, caught } = JSON.parse(line) as Searched;
        if (caught === undefined) continue;
        noticed.add(name);
        if (caught.seed !== from)
          process.stdout.write(`${name}: noticed by seed ${caught.seed} (${caught.invariant})\n`);
      }
      return true;
    });
    const names = mutations.map(({ name }) => name);
    expect(names.filter((name) => !noticed.has(name))).toEqual([]);
  });
});
