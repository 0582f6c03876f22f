import { strideOf, windowOf } from '../evaluation/index.ts';
import type { AlarmRule } from '../evaluation/index.ts';

/** Milliseconds that datapoints of whole minutes have to come after their period has ended. */
export const lag = 10_000;

/** Windows that are caught up with after a time in which nobody evaluated. */
const mostMissed = 60;

/**
 * The ends of the windows that are to be evaluated, oldest first: those that ended since the last time. Every one of them counts, so that what
 * happened while servers were away is seen in its order. Pure; milliseconds since the epoch.
 * @param from up to when alarms have been evaluated
 */
export function dueEnds(rule: AlarmRule, slides: boolean, from: number, now: number): readonly number[] {
  const late = rule.period < 60 ? 0 : lag;
  const stride = strideOf(rule, slides) * 1000;
  const last = windowOf(rule, slides, now - late).end;
  const first = Math.max(windowOf(rule, slides, from - late).end + stride, last - (mostMissed - 1) * stride);
  const ends: number[] = [];
  for (let end = first; end <= last; end += stride) ends.push(end);
  return ends;
}
