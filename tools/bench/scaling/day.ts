import { type CapacityHost, type CapacityRule, decideCapacity } from '@slipway/scheduler/scaling/rules';

/** A host of the played group: so many tasks of one size have room on it. */
interface Host {
  readonly id: string;
  readonly madeAt: number;
  tasks: number;
  emptying: boolean;
}

export interface Day {
  readonly seed: number;
  /** Milliseconds that are played. */
  readonly length: number;
  /** Tasks that have room on a host. */
  readonly slots: number;
  /** Milliseconds from the request for a host until tasks have room on it. */
  readonly startsIn: number;
  /** How many tasks are wanted at a time; those of {@link loadOf} where nothing else is said. */
  readonly load?: (at: number) => number;
}

export interface DayFigures {
  /** Hours of hosts, from the request for one until its end. */
  readonly hostHours: number;
  /** Hours of tasks that waited for a host. */
  readonly waitingHours: number;
  /** Milliseconds from the beginning to the first host that was drained and ended; infinite where none was. */
  readonly firstEnd: number;
}

const step = 5_000;
const hour = 3_600_000;
const rule: CapacityRule = {
  targetCapacity: 100,
  minimumScalingStepSize: 1,
  maximumScalingStepSize: 10_000,
  instanceWarmupPeriod: 300,
};
const most = 1_000;

/** mulberry32: the same day for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How many tasks are wanted at a time of the day: a day and a night, what comes and goes by the minute, and six bursts of a quarter of an hour. */
export function loadOf({ seed, length }: Pick<Day, 'seed' | 'length'>): (at: number) => number {
  const draw = random(seed);
  const bursts = Array.from({ length: 6 }, () => ({ at: draw() * length, tasks: 20 + Math.floor(draw() * 60) }));
  const noise = Array.from({ length: Math.ceil(length / 120_000) + 1 }, () => Math.floor(draw() * 9) - 4);
  return (at) => {
    const tide = 80 - 60 * Math.cos((2 * Math.PI * at) / (24 * hour));
    const burst = bursts.reduce((sum, one) => sum + (at >= one.at && at < one.at + hour / 4 ? one.tasks : 0), 0);
    return Math.max(0, Math.round(tide) + burst + (noise[Math.floor(at / 120_000)] ?? 0));
  };
}

/** What a group does in a look: how many hosts it asks for, which it closes to new tasks, opens again, and ends. */
interface Change {
  readonly add: number;
  readonly close?: readonly string[];
  readonly open?: readonly string[];
  readonly end: readonly string[];
}
type Follower = (hosts: readonly Host[], waiting: number, now: number) => Change;

/** Plays a day. @param follow who makes the group larger and smaller */
function play(day: Day, follow: Follower): DayFigures {
  const load = day.load ?? loadOf(day);
  const draw = random(day.seed + 1);
  let hosts: Host[] = [];
  let [made, waiting, hostTime, waitingTime] = [0, 0, 0, 0];
  let firstEnd = Infinity;
  const isReady = (host: Host, now: number): boolean => now >= host.madeAt + day.startsIn;
  const roomFor = (now: number, not?: Host): Host | undefined =>
    hosts
      .filter((host) => host !== not && !host.emptying && isReady(host, now) && host.tasks < day.slots)
      .reduce<Host | undefined>(
        (best, host) => (best === undefined || host.tasks > best.tasks ? host : best),
        undefined,
      );
  for (let now = 0; now < day.length; now += step) {
    let running = hosts.reduce((sum, { tasks }) => sum + tasks, 0);
    const wanted = load(now);
    waiting = Math.max(0, wanted - running);
    // Which tasks go that are too many has nothing to do with hosts.
    for (; running > wanted; running--) {
      let place = Math.floor(draw() * running);
      const host = hosts.find(({ tasks }) => (place -= tasks) < 0);
      if (host !== undefined) host.tasks--;
    }
    for (let host = roomFor(now); waiting > 0 && host !== undefined; host = roomFor(now)) {
      host.tasks++;
      waiting--;
    }
    for (const host of hosts.filter(({ emptying }) => emptying))
      for (let other = roomFor(now, host); host.tasks > 0 && other !== undefined; other = roomFor(now, host)) {
        host.tasks--;
        other.tasks++;
      }
    const { add, close = [], open = [], end } = follow(hosts, waiting, now);
    for (const host of hosts) host.emptying = (host.emptying || close.includes(host.id)) && !open.includes(host.id);
    const staying = hosts.filter(({ id, tasks }) => !end.includes(id) || tasks > 0);
    if (staying.length < hosts.length) firstEnd = Math.min(firstEnd, now);
    hosts = staying;
    for (let index = 0; index < add && hosts.length < most; index++)
      hosts.push({ id: `host-${++made}`, madeAt: now, tasks: 0, emptying: false });
    hostTime += hosts.length * step;
    waitingTime += waiting * step;
  }
  return { hostHours: hostTime / hour, waitingHours: waitingTime / hour, firstEnd };
}

/** By the rules of this installation. @param targetCapacity per cent of the hosts that are to be in use */
export function playOurs(day: Day, targetCapacity = 100): DayFigures {
  let surplusSince: number | undefined;
  let desired = 0;
  return play(day, (hosts, waiting, now) => {
    const seen = hosts.map((host): CapacityHost => {
      const isThere = now >= host.madeAt + day.startsIn;
      const state = isThere ? (host.emptying ? 'emptying' : 'ready') : 'coming';
      return { id: host.id, state, tasks: host.tasks, since: host.madeAt + day.startsIn, open: true };
    });
    const coming = seen.filter(({ state }) => state === 'coming').length;
    const needed = Math.ceil(waiting / day.slots);
    const free = (ids: readonly string[]): number =>
      hosts.reduce((sum, host) => sum + (ids.includes(host.id) || host.emptying ? 0 : day.slots - host.tasks), 0);
    const on = (ids: readonly string[]): number =>
      hosts.reduce((sum, host) => sum + (ids.includes(host.id) ? host.tasks : 0), 0);
    const plan = decideCapacity({
      rule: { ...rule, targetCapacity },
      group: { min: 0, max: most, desired },
      hosts: seen,
      needed,
      missing: Math.max(0, needed - coming),
      // Tasks are alike: one more of those of another host takes as much.
      canEmpty: (ids, like) => free(ids) >= on(ids) + (like === undefined ? 0 : on([like]) + 1),
      surplusSince,
      now,
    });
    ({ surplusSince } = plan);
    desired = plan.desired - plan.end.length;
    return { add: plan.desired - hosts.length, close: plan.empty, open: plan.keep, end: plan.end };
  });
}

/**
 * By the rules of ECS (reference: managed scaling): once a minute, out by what `CapacityProviderReservation` says once the hosts that were made last are
 * warm, in after fifteen minutes below the target, by empty hosts alone and fewer than half of all at once.
 */
export function playEcs(day: Day): DayFigures {
  let below = 0;
  let warmAt = 0;
  return play(day, (hosts, waiting, now) => {
    if (now % 60_000 !== 0) return { add: 0, end: [] };
    const inUse = hosts.filter(({ tasks }) => tasks > 0).length;
    const there = hosts.length;
    const needed = inUse + Math.ceil(waiting / day.slots);
    below = needed < there ? below + 1 : 0;
    if (needed > there && now >= warmAt) {
      warmAt = now + day.startsIn + rule.instanceWarmupPeriod * 1000;
      // From nothing it begins with two.
      return { add: there === 0 ? Math.max(2, needed) : needed - there, end: [] };
    }
    if (below < 15) return { add: 0, end: [] };
    const atOnce = Math.max(1, Math.ceil(there / 2) - 1);
    const empty = hosts.filter(({ tasks, madeAt }) => tasks === 0 && now >= madeAt + day.startsIn);
    return { add: 0, end: empty.slice(0, Math.min(there - needed, atOnce)).map(({ id }) => id) };
  });
}

/** Milliseconds from the end of all load to the first host that is drained and ended. */
export interface GoneFigures {
  readonly ours: number;
  readonly ecs: number;
}

/** How long the hosts of ten stay that nothing runs on any more. @param seed says where in a minute the load ends: some look at the minute */
export function playGone(seed: number): GoneFigures {
  const goneAt = hour / 2 + step * ((7 * seed) % 12);
  const load = (at: number): number => (at < goneAt ? 40 : 0);
  const day = { seed, length: hour + goneAt, slots: 4, startsIn: 60_000, load };
  return { ours: playOurs(day).firstEnd - goneAt, ecs: playEcs(day).firstEnd - goneAt };
}
