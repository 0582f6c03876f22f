import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { decideGroup, type GroupWish } from './group-policies.ts';

/** Groups that are played. */
const runs = { nightly: 5_000, release: 20_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 200;

const minute = 60_000;
const pace = 10_000;
const target = 50;
/** What alarms of groups look at: above the target for 3 minutes, below seven tenths of it for 15. */
const [highMinutes, lowMinutes, lowRatio] = [3, 15, 0.7];

interface Played {
  readonly min: number;
  readonly max: number;
  /** Milliseconds from the request for a machine until it is in service, and from then on until it counts. */
  readonly startsIn: number;
  readonly warmup: number;
  /** From when on, how much load there is altogether; in per cent of a machine. */
  readonly load: readonly { readonly at: number; readonly load: number }[];
  readonly length: number;
  /** Minutes in which nothing is measured. */
  readonly outages: readonly { readonly from: number; readonly until: number }[];
}

interface Change {
  readonly at: number;
  readonly from: number;
  readonly desired: number;
}

/** A group that target tracking holds at 50 %, in steps of ten seconds. */
function play({ min, max, startsIn, warmup, load, length, outages }: Played) {
  let desired = min;
  let scaledAt: number | undefined;
  /** When each machine came into service, or will. */
  let machines = Array.from({ length: min }, () => -2 * (startsIn + warmup));
  const points: { readonly at: number; readonly value: number }[] = [];
  const changes: Change[] = [];
  const loadAt = (now: number): number => load.findLast(({ at }) => at <= now)?.load ?? 0;
  let [sum, looks] = [0, 0];
  const lasting = (now: number, minutes: number, is: (value: number) => boolean): boolean => {
    const last = points.filter(({ at }) => at >= now - (minutes + 1) * minute).slice(-minutes);
    return last.length === minutes && last.every(({ value }) => is(value));
  };
  for (let now = 0; now < length; now += pace) {
    const serving = machines.filter((since) => since <= now);
    if (serving.length > 0) {
      sum += Math.min(100, loadAt(now) / serving.length);
      looks++;
    }
    if ((now + pace) % minute === 0) {
      const at = now + pace - minute;
      if (looks > 0 && !outages.some(({ from, until }) => at >= from && at < until))
        points.push({ at, value: sum / looks });
      [sum, looks] = [0, 0];
    }
    const point = points.at(-1);
    if (point === undefined) continue;
    const isHigh = lasting(now, highMinutes, (value) => value > target);
    const isLow = lasting(now, lowMinutes, (value) => value < lowRatio * target);
    if (!isHigh && !isLow) continue;
    const warmAt = (time: number): number => machines.filter((since) => since + warmup <= time).length;
    const wish: GroupWish = {
      kind: 'tracking',
      policy: 'cpu',
      by: 'an alarm',
      point,
      warm: warmAt(point.at + minute),
      warming: Math.max(desired - warmAt(now), 0),
      target,
      side: isHigh ? 'high' : 'low',
    };
    const decision = decideGroup({ min, max, desired, scaledAt }, [wish], 0, now);
    if (decision === undefined) continue;
    changes.push({ at: now, from: desired, desired: decision.desired });
    scaledAt = now;
    ({ desired } = decision);
    machines = machines.slice(0, desired);
    while (machines.length < desired) machines.push(now + startsIn);
  }
  return { desired, changes };
}

/** Two alarms of low minutes for each time that a group may halve, and what machines take. */
const settles = 5 * 3_600_000;

test('under any load a group stays within its bounds, comes to rest where its metric is, and does not swing when the load does not', () => {
  const seen = { out: 0, in: 0, most: 0, rest: 0 };
  fc.assert(
    fc.property(
      fc.record({
        min: fc.integer({ min: 1, max: 4 }),
        more: fc.integer({ min: 0, max: 26 }),
        startsIn: fc.integer({ min: 0, max: 30 }).map((steps) => steps * pace),
        warmup: fc.integer({ min: 0, max: 60 }).map((steps) => steps * pace),
        steps: fc.array(fc.record({ after: fc.integer({ min: 1, max: 90 }), load: fc.nat(1_500) }), {
          minLength: 1,
          maxLength: 8,
        }),
        outage: fc.record({ from: fc.nat(300), minutes: fc.nat(60) }),
      }),
      ({ min, more, startsIn, warmup, steps, outage }) => {
        const max = min + more;
        let at = 0;
        const load = steps.map((step) => ({ at: (at += step.after * minute), load: step.load }));
        const from = outage.from * minute;
        // Only what is measured can be followed: the load stays as it is when an outage is over.
        const steady = Math.max(at, from + outage.minutes * minute);
        const { desired, changes } = play({
          min,
          max,
          startsIn,
          warmup,
          load,
          length: steady + settles,
          outages: [{ from, until: from + outage.minutes * minute }],
        });
        for (const change of changes) {
          expect(change.desired).toBeGreaterThanOrEqual(min);
          expect(change.desired).toBeLessThanOrEqual(max);
          // By half at once at most.
          expect(change.desired).toBeGreaterThanOrEqual(Math.min(change.from, Math.ceil(change.from / 2)));
          if (change.desired > change.from) seen.out++;
          else seen.in++;
        }
        const last = load.at(-1)?.load ?? 0;
        const value = Math.min(100, last / desired);
        // Where it is above its target there are no more machines to be had; where it is far below, none that could go.
        const isFull = desired === max;
        if (isFull) seen.most++;
        else seen.rest++;
        expect(value <= target || isFull).toBe(true);
        expect(value >= lowRatio * target || desired === min || desired === Math.ceil(last / target)).toBe(true);
        // What was right stays: in the last hour nothing changes, and once the load is steady the group turns at most once.
        const after = changes.filter((change) => change.at >= steady);
        expect(after.filter((change) => change.at >= steady + settles - 3_600_000)).toEqual([]);
        const directions = after.map((change) => Math.sign(change.desired - change.from));
        const turns = directions.filter((direction, index) => index > 0 && direction !== directions[index - 1]).length;
        expect(turns).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: runs },
  );
  // All of it was played.
  expect(Object.values(seen).every((times) => times > 20)).toBe(true);
});
