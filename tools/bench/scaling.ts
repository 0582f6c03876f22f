/**
 * `npm run bench:scaling [-- --short] [--steps 7] [--follow]`: what a look at services and hosts costs that are scaled, how long a service takes to follow its
 * load, how soon hosts go when it is gone, and how many hours of hosts a day takes beside ECS's own managed scaling. Times are processor time of one thread, so that neighbours on the machine do not count; the day and the end of load are played in virtual time.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import {
  type CapacityHost,
  decide,
  decideCapacity,
  type TargetStanding,
  type Wish,
} from '@slipway/scheduler/scaling/rules';
import { type Row, median, short, writeSection } from './results.ts';
import { type DayFigures, type GoneFigures, playEcs, playGone, playOurs } from './scaling/day.ts';
import type { FollowFigures } from './scaling/follow.ts';

export interface ScalingSize {
  readonly services: number;
  readonly hosts: number;
  readonly passes: number;
  /** Seeds of days. */
  readonly days: number;
  /** Steps of the load of a real service; they take a Docker engine. */
  readonly steps: number;
}
export const full: ScalingSize = { services: 1_000, hosts: 10_000, passes: 51, days: 40, steps: 7 };
export const shortened: ScalingSize = { services: 20, hosts: 100, passes: 3, days: 1, steps: 0 };

export interface ScalingFigures {
  readonly size: ScalingSize;
  /** Milliseconds from each step of the load to a task more that runs. */
  readonly steps: readonly number[];
  /** Of a service that follows real load, where that was asked for: it takes most of an hour. */
  readonly followed?: FollowFigures;
  /** Milliseconds of a core for one pass, of each pass. */
  readonly passes: readonly number[];
  /** Of each seed. */
  readonly gone: readonly GoneFigures[];
  /** Of each day: ours, ours with a host or so to spare, and ECS's on the same. */
  readonly days: readonly { readonly ours: DayFigures; readonly spare: DayFigures; readonly ecs: DayFigures }[];
}

const now = 1_800_000_000_000;
/** Per cent of the hosts that are to be in use where some are to spare. */
export const spareTarget = 97;

/** A service that two policies scale. */
function target(index: number): { readonly standing: TargetStanding; readonly wishes: readonly Wish[] } {
  const common = { scalesIn: true, outCooldown: 300_000, inCooldown: 300_000, kind: 'tracking', target: 50 } as const;
  const side = (['high', 'low', undefined] as const)[index % 3];
  const wish = (policy: string, value: number): Wish => ({
    ...common,
    policy,
    side,
    alarm: side === undefined ? undefined : { name: `${policy}-${side}`, state: 'ALARM' },
    point: { at: now - 60_000, value },
  });
  return {
    standing: { min: 1, max: 100, desired: 10, running: 10, isDeploying: false, noScaleIn: false, noScaleOut: false },
    wishes: [wish('cpu', side === 'high' ? 80 : 20), wish('memory', side === 'high' ? 60 : 30)],
  };
}

export function measureScaling(
  size: ScalingSize,
  steps: readonly number[] = [],
  followed?: FollowFigures,
): ScalingFigures {
  const targets = Array.from({ length: size.services }, (_, index) => target(index));
  const hosts = Array.from({ length: size.hosts }, (_, index): CapacityHost => {
    const state = index % 50 === 0 ? 'emptying' : index % 40 === 0 ? 'coming' : 'ready';
    return { id: `host-${index}`, state, tasks: index % 10, since: now - 3_600_000, open: index % 7 !== 0 };
  });
  const rule = {
    targetCapacity: 100,
    minimumScalingStepSize: 1,
    maximumScalingStepSize: 10_000,
    instanceWarmupPeriod: 300,
  };
  const group = { min: 0, max: 2 * size.hosts, desired: size.hosts };
  let decided = 0;
  const pass = (waits: boolean): void => {
    for (const { standing, wishes } of targets) if (decide(standing, wishes, now) !== undefined) decided++;
    const plan = decideCapacity({
      rule,
      group,
      hosts,
      needed: waits ? 100 : 0,
      missing: waits ? 50 : 0,
      canEmpty: () => false,
      surplusSince: now - 120_000,
      now,
    });
    decided += plan.wanted;
  };
  const passes = Array.from({ length: size.passes }, (_, index) => {
    const before = process.cpuUsage();
    pass(index % 2 === 0);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  if (decided === 0) throw new Error('nothing was decided');
  const days = Array.from({ length: size.days }, (_, index) => {
    const day = { seed: index + 1, length: 86_400_000, slots: 4, startsIn: 60_000 };
    return { ours: playOurs(day), spare: playOurs(day, spareTarget), ecs: playEcs(day) };
  });
  const gone = Array.from({ length: size.days }, (_, index) => playGone(index + 1));
  return { size, steps, passes, gone, days, ...(followed === undefined ? {} : { followed }) };
}

/** The table of the figures. */
export function toRows({ size, steps, followed, passes, gone, days }: ScalingFigures): readonly Row[] {
  const total = (of: keyof (typeof days)[number], what: keyof DayFigures): number =>
    days.reduce((sum, day) => sum + day[of][what], 0);
  const count = (value: number): string => value.toLocaleString('en-US');
  const beside = (what: string, of: 'ours' | 'spare', figure: keyof DayFigures, goal: string): Row => {
    const [mine, theirs] = [total(of, figure), total('ecs', figure)];
    return { what, ours: `${short(mine)} h`, peer: `${short(theirs)} h`, ratio: `${short(mine / theirs)}x`, goal };
  };
  return [
    {
      what: `a pass of decisions: ${count(size.services)} services of two policies each, a group of ${count(size.hosts)} hosts; without what is read and written`,
      ours: `${short(median(passes))} ms of a core (at most ${short(Math.max(...passes))})`,
      peer: '',
      ratio: '',
      goal: 'under 50 ms',
    },
    ...(steps.length === 0
      ? []
      : [
          {
            what: `a task becomes busy, to another one that runs, by target tracking of CPU, p50 of ${steps.length}`,
            ours: `${short(median(steps) / 1000)} s (${short(Math.min(...steps) / 1000)} to ${short(Math.max(...steps) / 1000)})`,
            peer: '',
            ratio: '',
            goal: 'under 20 s',
          },
        ]),
    ...(followed === undefined ? [] : followRows(followed)),
    goneRow(gone),
    beside(`hours of hosts in ${days.length} days`, 'ours', 'hostHours', 'at most 0.85x at equal waiting'),
    beside('hours that tasks waited for hosts in those', 'ours', 'waitingHours', 'at most 1x'),
    beside(`hours of hosts with targetCapacity ${spareTarget}`, 'spare', 'hostHours', ''),
    beside('hours that tasks waited for hosts in those', 'spare', 'waitingHours', ''),
  ];
}

function goneRow(gone: readonly GoneFigures[]): Row {
  const [ours, ecs] = [median(gone.map((one) => one.ours)), median(gone.map((one) => one.ecs))];
  return {
    what: `all load of ten hosts is gone, to the first host drained and ended, in virtual time, p50 of ${gone.length}`,
    ours: `${short(ours / 1000)} s`,
    peer: `${short(ecs / 1000)} s`,
    ratio: `${short(ours / ecs)}x`,
    goal: '',
  };
}

function followRows({ out, back, asked, failed, counts }: FollowFigures): readonly Row[] {
  const row = (what: string, ours: string, goal = ''): Row => ({ what, ours, peer: '', ratio: '', goal });
  return [
    row(
      'a service behind a balancer has the load of eight tasks instead of two, to eight that run',
      `${short(out / 1000)} s`,
    ),
    row(
      `its load is that of two again, to two that run; all the way ${counts.join(', ')}`,
      `${short(back / 60_000)} min`,
    ),
    row(`requests that failed meanwhile, of ${asked.toLocaleString('en-US')}`, String(failed), '0'),
  ];
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      steps: { type: 'string' },
      follow: { type: 'boolean', default: false },
    },
  });
  const steps = Number(values.steps ?? (values.short ? 1 : full.steps));
  const size = { ...(values.short ? shortened : full), steps };
  const { measureSteps } = await import('./scaling/step.ts');
  const { measureFollowing } = await import('./scaling/follow.ts');
  // Neither takes the machine for itself: what follows the load of minutes waits most of the time.
  const follows = values.follow ? measureFollowing() : Promise.resolve(undefined);
  const [measured, followed] = await Promise.all([size.steps === 0 ? [] : measureSteps(size.steps), follows]);
  const rows = toRows(measureScaling(size, measured, followed));
  for (const { what, ours, peer, ratio } of rows) process.stdout.write(`${what}: ${ours} ${peer} ${ratio}\n`);
  if (!values.short)
    writeSection({
      name: 'scaling',
      title: 'Scaling',
      command: 'npm run bench:scaling',
      notes: [
        'The peer are the published rules of ECS managed scaling, on the same load: reservation once a minute, 300 s of warm-up, in after fifteen minutes by empty hosts.',
        'A day has a tide of 20 to 140 tasks, what comes and goes every two minutes, and six bursts of 20 to 80 tasks; 4 tasks have room on a host, which takes 60 s to start. Which task goes is drawn.',
        'A group of five hosts in use or more keeps room for what its fullest host runs and one task more for a quarter of an hour; what else is too many goes after a minute, a quarter of the hosts at once. With hosts to spare by the target nothing is packed.',
        `The machine was busy with other work: its load was ${loadavg()[0]?.toFixed(0)} on ${cpus().length} cores.`,
        'A pass is timed by the processor; what it reads and writes is not in it.',
        'A step: a task that reserves 16 CPU units on this machine’s own Docker engine begins to use what it can get, at any time between two looks at it; ECS takes three minutes of its alarm and what it takes to start a task.',
        'What follows its load (`--follow`): a service on this machine’s Docker engine behind its load balancer, held at one request a second and task; one request a second is asked, then ten for a minute and the time that eight tasks take, then one again until two are left, each over a new connection.',
      ],
      rows,
    });
}
