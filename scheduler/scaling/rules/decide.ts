import type { Range } from './scheduled.ts';
import { stepCapacity, type StepRule } from './steps.ts';

/** A change of the count that was made. Times are milliseconds, those of points where their periods begin. */
export interface Change {
  readonly at: number;
  /** The count before. */
  readonly from: number;
  /** Until when its cooldown lasts. */
  readonly until: number;
}

/** How a target stands. */
export interface TargetStanding extends Range {
  /** The desired count of the service. */
  readonly desired: number;
  readonly running: number;
  /** While a deployment is under way nothing is scaled in. */
  readonly isDeploying: boolean;
  readonly noScaleIn: boolean;
  readonly noScaleOut: boolean;
  readonly lastOut?: Change;
  readonly lastIn?: Change;
  /** What a forecast asks for. */
  readonly floor?: Floor;
}

/** A count below which nothing goes in, and to which a service goes out before its load is there. */
export interface Floor {
  readonly count: number;
  readonly policy: string;
  /** Why, in words. */
  readonly readings: string;
}

/** What has a policy act: an alarm in a state, or readings that are newer than what alarms look at, in words. */
export type Trigger = { readonly name: string; readonly state: string } | { readonly readings: string };

interface WishBase {
  readonly policy: string;
  /** What acts on the policy as things stand; undefined: nothing does. */
  readonly alarm: Trigger | undefined;
  /** What the alarm's metric said last. */
  readonly point: { readonly at: number; readonly value: number } | undefined;
  /** Milliseconds. */
  readonly outCooldown: number;
  readonly inCooldown: number;
}

/** What a policy says now. */
export type Wish =
  | (WishBase & {
      readonly kind: 'tracking';
      readonly target: number;
      /** Which of its two alarms is in ALARM. */
      readonly side: 'high' | 'low' | undefined;
      readonly scalesIn: boolean;
      /** The tasks that the point was measured with, where that is known. */
      readonly tasks?: number;
    })
  | (WishBase & {
      readonly kind: 'step';
      readonly rule: StepRule;
      readonly threshold: number;
      /** The point that it acted on last. */
      readonly actedOn: number | undefined;
    });

export interface Decision {
  readonly desired: number;
  readonly policy: string;
  readonly alarm: NonNullable<WishBase['alarm']>;
  readonly direction: 'out' | 'in';
  /** Of the policy: milliseconds. */
  readonly cooldown: number;
  readonly point: number;
}

/**
 * What all policies of a target come to: out if any of them wants out, to the largest count that one wants; in only if every tracking policy that
 * scales in wants in, to the largest again (Application Auto Scaling user guide, "Target tracking scaling policies"). Pure.
 * @returns undefined: the count stays
 */
export function decide(standing: TargetStanding, wishes: readonly Wish[], now: number): Decision | undefined {
  const wanted = wishes.flatMap((wish) => wantOf(standing, wish, now) ?? []);
  const outs = wanted.filter(({ desired }) => desired > standing.desired);
  const { floor } = standing;
  const most = outs.length === 0 ? undefined : largest(outs, 'out');
  if (floor !== undefined && floor.count > Math.max(standing.desired, most?.desired ?? 0))
    return standing.noScaleOut ? undefined : within(standing, forecastDecision(floor, now));
  if (most !== undefined) return standing.noScaleOut ? undefined : within(standing, most);
  if (standing.noScaleIn || standing.isDeploying || (standing.lastIn?.until ?? 0) > now) return undefined;
  const ins = wanted.filter(({ desired }) => desired < standing.desired);
  const tracking = wishes.filter((wish) => wish.kind === 'tracking' && wish.scalesIn);
  const agree = tracking.every((wish) => ins.some((one) => one.wish === wish));
  const counted = ins.filter(({ wish }) => wish.kind === 'step' || agree);
  if (counted.length === 0) return undefined;
  const least = largest(counted, 'in');
  return within(standing, {
    ...least,
    desired: Math.max(least.desired, Math.min(floor?.count ?? 0, standing.desired)),
  });
}

const forecastDecision = ({ count, policy, readings }: Floor, now: number): Decision => ({
  desired: count,
  policy,
  alarm: { readings },
  direction: 'out',
  cooldown: 0,
  point: now,
});

interface Want {
  readonly wish: Wish;
  readonly desired: number;
  readonly alarm: Decision['alarm'];
  readonly point: number;
}

function wantOf(standing: TargetStanding, wish: Wish, now: number): Want | undefined {
  const { alarm, point } = wish;
  if (alarm === undefined || point === undefined) return undefined;
  const desired =
    wish.kind === 'tracking' ? trackedCapacity(standing, wish, point) : steppedCapacity(standing, wish, point, now);
  return desired === undefined ? undefined : { wish, desired, alarm, point: point.at };
}

/**
 * The count at which the metric would be at its target. It is reckoned from the tasks that the metric was measured with: those that ran, and
 * before a change of the count took effect not more than there were then. A service gives up half of its tasks at once at most, and an alarm moves the
 * count in its own direction alone.
 */
function trackedCapacity(
  { desired, running, lastOut, lastIn }: TargetStanding,
  { alarm, side, target, scalesIn, tasks }: Extract<Wish, { kind: 'tracking' }>,
  { at, value }: NonNullable<Wish['point']>,
): number | undefined {
  if (side === 'high') {
    // Readings are of now. A point of an alarm may be of before the last change, however many tasks are measured now.
    const isAlarm = alarm !== undefined && 'name' in alarm;
    const then = isAlarm && lastOut !== undefined && at < lastOut.at ? lastOut.from : running;
    const base = Math.min(running, then, tasks ?? running);
    // Nothing runs and yet there is load: begin with one more. What was just measured says only that tasks were there a moment ago.
    if (base === 0) return isAlarm ? desired + 1 : undefined;
    return Math.max(desired, up((base * value) / target));
  }
  if (side !== 'low' || !scalesIn) return undefined;
  if ([lastIn, lastOut].some((last) => last !== undefined && at < last.at)) return undefined;
  return Math.min(desired, Math.max(up((running * value) / target), up(running / 2)));
}

function steppedCapacity(
  { desired, lastOut }: TargetStanding,
  { rule, threshold, actedOn }: Extract<Wish, { kind: 'step' }>,
  { at, value }: NonNullable<Wish['point']>,
  now: number,
): number | undefined {
  if (actedOn !== undefined && at <= actedOn) return undefined;
  const distance = value - threshold;
  const wanted = stepCapacity(rule, desired, distance);
  if (wanted === undefined || wanted <= desired || lastOut === undefined || lastOut.until <= now) return wanted;
  // What was added in the cooldown counts as a part of what is wanted now.
  const whole = stepCapacity(rule, lastOut.from, distance) ?? desired;
  return Math.max(whole, desired);
}

/** Rounds up, but not what is whole but for the last digits of a division. */
const up = (value: number): number => Math.ceil(value - 1e-9);

function largest(wants: readonly Want[], direction: Decision['direction']): Decision {
  const [best] = wants.toSorted((a, b) => b.desired - a.desired || (a.wish.policy < b.wish.policy ? -1 : 1));
  if (best === undefined) throw new Error('nobody wants anything');
  const { wish, desired, alarm, point } = best;
  const cooldown = direction === 'out' ? wish.outCooldown : wish.inCooldown;
  return { desired, policy: wish.policy, alarm, direction, cooldown, point };
}

/** Within the bounds; a count that lies outside comes to the nearest. */
function within({ min, max, desired }: TargetStanding, decision: Decision): Decision | undefined {
  const bounded = Math.min(Math.max(decision.desired, min), max);
  // A policy that wants out does not take tasks away from a service that somebody has scaled beyond its bounds by hand, and the other way round.
  const moves = decision.direction === 'out' ? bounded > desired : bounded < desired;
  return moves ? { ...decision, desired: bounded } : undefined;
}
