import {
  believedSide,
  type Change,
  decide,
  type Decision,
  judge,
  type TargetStanding,
  type Wish,
} from '../rules/index.ts';

const second = 1_000;
const minute = 60_000;

/** What is played. Times in milliseconds, load in per cent of one task. */
export interface Play {
  readonly load: (at: number) => number;
  readonly length: number;
  readonly min: number;
  readonly max: number;
  readonly target: number;
  /** From a change of the count until its tasks run. */
  readonly startsIn: number;
  /** Between looks at tasks. */
  readonly pace: number;
  /** Nothing is measured. */
  readonly outages: readonly { readonly from: number; readonly to: number }[];
  /** A deployment is under way. */
  readonly deployments: readonly { readonly from: number; readonly to: number }[];
  /** Bounds that are set at a time, as scheduled actions do it. */
  readonly bounds: readonly { readonly at: number; readonly min: number; readonly max: number }[];
  /** Is told of each decision with what it was made of. */
  readonly decided?: (
    standing: TargetStanding,
    wishes: readonly Wish[],
    now: number,
    made: Decision | undefined,
  ) => void;
}

/** The count over time: what it became, and when. */
export type Counts = readonly {
  readonly at: number;
  readonly desired: number;
  readonly min: number;
  readonly max: number;
}[];

/**
 * Plays one service that a target tracking policy scales, in virtual time: its tasks share the load, are looked at one after another, and
 * their minutes are what the two alarms see, ten seconds after they end, as ECS has them.
 */
export function playService(play: Play): Counts {
  const { load, target, startsIn, pace } = play;
  const cooldown = 5 * minute;
  let { min, max } = play;
  let desired = min;
  let running = min;
  let starting: { readonly at: number; readonly count: number }[] = [];
  let looks: { readonly at: number; readonly sum: number; readonly tasks: number }[] = [];
  let nextLook = pace;
  let [high, low] = [0, 0];
  const points: { readonly at: number; readonly value: number }[] = [];
  const of: (number | undefined)[] = [];
  let ofMinute: number[] = [];
  let last: { lastOut?: Change; lastIn?: Change } = {};
  const counts: { at: number; desired: number; min: number; max: number }[] = [{ at: 0, desired, min, max }];
  const within = (spans: Play['outages'], at: number): boolean => spans.some(({ from, to }) => at >= from && at < to);
  for (let now = 2 * second; now < play.length; now += 2 * second) {
    for (const bound of play.bounds)
      if (bound.at > now - 2 * second && bound.at <= now) {
        ({ min, max } = bound);
        desired = Math.min(Math.max(desired, min), max);
        counts.push({ at: now, desired, min, max });
      }
    if (desired < running) running = desired;
    const coming = starting.reduce((sum, { count }) => sum + count, 0);
    if (running + coming < desired) starting.push({ at: now + startsIn, count: desired - running - coming });
    running += starting.reduce((sum, { at, count }) => sum + (at <= now ? count : 0), 0);
    starting = desired < running + coming ? [] : starting.filter(({ at }) => at > now);
    running = Math.min(running, desired);
    const isMeasured = !within(play.outages, now);
    if (running > 0 && isMeasured) ofMinute.push(load(now) / running);
    if (now >= nextLook) {
      nextLook += pace;
      // A task that began since has not been looked at often enough: those that have share what is theirs.
      if (isMeasured && running > 0) {
        const tasks = Math.min(running, looks.at(-1)?.tasks ?? running);
        looks = [{ at: now, sum: (load(now) * tasks) / running, tasks: running }, ...looks].slice(0, 3);
      }
    }
    if (now % minute === 0) {
      of.push(ofMinute.length === 0 ? undefined : ofMinute.reduce((sum, one) => sum + one, 0) / ofMinute.length);
      ofMinute = [];
    }
    if (now > minute && now % minute === 10 * second) {
      const value = of.at(-1);
      if (value !== undefined) points.push({ at: now - minute - 10 * second, value });
      high = value === undefined ? 0 : value > target ? high + 1 : 0;
      low = value === undefined ? 0 : value < target * 0.9 ? low + 1 : 0;
    }
    if (now % (10 * second) !== 0 && looks[0]?.at !== now) continue;
    const standing: TargetStanding = {
      min,
      max,
      desired,
      running,
      isDeploying: within(play.deployments, now),
      noScaleIn: false,
      noScaleOut: false,
      ...last,
    };
    const fresh = looks.filter(({ at }) => now - at <= 3 * pace + 5 * second);
    const tasks = Math.min(...fresh.map((one) => one.tasks));
    const readings = { sums: fresh.map((one) => (one.sum * tasks) / one.tasks), tasks };
    const judged = fresh.length === 0 ? undefined : judge(readings, target);
    const above = judged?.above;
    const side = believedSide(high >= 3 ? 'high' : low >= 15 ? 'low' : undefined, judged);
    if (side === undefined && above === undefined) continue;
    const measured = judged === undefined ? {} : { tasks: judged.tasks };
    const common = {
      kind: 'tracking',
      policy: 'cpu',
      target,
      outCooldown: cooldown,
      inCooldown: cooldown,
      ...measured,
    } as const;
    const alarm = side === undefined ? undefined : { name: side, state: 'ALARM' };
    const wishes: Wish[] = [{ ...common, side, scalesIn: true, alarm, point: points.at(-1) }];
    if (above !== undefined)
      wishes.push({
        ...common,
        side: 'high',
        scalesIn: false,
        alarm: { readings: 'above' },
        point: { at: now, value: above.value },
      });
    const made = decide(standing, wishes, now);
    play.decided?.(standing, wishes, now, made);
    if (made === undefined) continue;
    const change: Change = { at: now, from: desired, until: now + cooldown };
    const { lastIn: _, ...others } = last;
    last = made.direction === 'out' ? { ...others, lastOut: change } : { ...last, lastIn: change };
    desired = made.desired;
    counts.push({ at: now, desired, min, max });
  }
  return counts;
}
