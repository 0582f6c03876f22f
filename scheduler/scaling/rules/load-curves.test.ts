import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { slowlyDecided } from '../testing/oracle.ts';
import { type Counts, type Play, playService } from '../testing/played-service.ts';
import { judge } from './index.ts';

/** Services that are played. */
const runs = { nightly: 10_000, release: 50_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 2_000;

const minute = 60_000;
const hour = 60 * minute;
const quiet = { length: 2 * hour, min: 1, max: 20, target: 50, startsIn: 4_000, pace: 10_000 } as const;
const nothing = { outages: [], deployments: [], bounds: [] } as const;
const at = (counts: Counts, time: number): number => counts.findLast((one) => one.at <= time)?.desired ?? 0;
const changesBetween = (counts: Counts, from: number, to: number): Counts =>
  counts.filter((one) => one.at > from && one.at <= to);

test('three looks in a row have to be above the target, and the one in the middle is believed', () => {
  const value = (...sums: number[]) => judge({ sums, tasks: 2 }, 50)?.above?.value;
  expect(value(300, 240, 120)).toBe(120);
  expect(value(120, 900, 130)).toBe(65);
  expect([value(300, 240), value(300, 100, 240), value(90, 300, 300), value()]).toEqual(
    Array.from({ length: 4 }, () => undefined),
  );
  expect(judge({ sums: [1, 2, 3], tasks: 0 }, 0)).toBeUndefined();
  expect([judge({ sums: [100, 90, 80], tasks: 2 }, 50), judge({ sums: [101, 90, 80], tasks: 2 }, 50)]).toEqual([
    { tasks: 2, isCalm: true },
    { tasks: 2, isCalm: false },
  ]);
});

test('few events are chance: they have to be more than the target makes them by three deviations', () => {
  const of = (events: number, target: number) => {
    const perMinute = events / 0.25;
    return judge({ sums: [perMinute, perMinute, perMinute], tasks: 1, counted: { events, minutes: 0.25 } }, target)
      ?.above;
  };
  // 2.5 are expected.
  expect([of(7, 10), of(8, 10)?.value]).toEqual([undefined, 32]);
  // 250 are expected.
  expect([of(290, 1_000), of(300, 1_000)?.value]).toEqual([undefined, 1_200]);
});

test('a step is followed within half a minute, once, and back down after quarters of an hour', () => {
  const step: Play = { ...quiet, ...nothing, load: (now) => (now >= 10 * minute && now < 40 * minute ? 400 : 40) };
  const counts = playService(step);
  expect(at(counts, 10 * minute + 32_000)).toBe(8);
  expect(changesBetween(counts, 0, 40 * minute).length).toBeLessThanOrEqual(2);
  // 15 minutes of evidence, and half at once at most.
  expect(changesBetween(counts, 40 * minute, 55 * minute)).toEqual([]);
  expect(at(counts, 80 * minute)).toBe(1);
});

test('a peak that is shorter than three looks moves nothing', () => {
  for (let from = 10 * minute; from < 10 * minute + 20_000; from += 2_000) {
    const peak: Play = {
      ...quiet,
      ...nothing,
      length: hour,
      load: (now) => (now >= from && now < from + 18_000 ? 900 : 40),
    };
    expect(playService(peak).map(({ desired }) => desired)).toEqual([1]);
  }
});

const curve = fc.oneof(
  fc
    .array(fc.record({ after: fc.integer({ min: 1, max: 40 }), load: fc.nat(1_500) }), { minLength: 1, maxLength: 6 })
    .map((steps) => {
      let from = 0;
      const all = steps.map(({ after, load }) => ({ from: (from += after * minute), load }));
      return (now: number) => all.findLast((one) => one.from <= now)?.load ?? 20;
    }),
  fc
    .record({
      middle: fc.integer({ min: 50, max: 600 }),
      part: fc.integer({ min: 0, max: 100 }),
      period: fc.integer({ min: 5, max: 180 }),
    })
    .map(
      ({ middle, part, period }) =>
        (now: number) =>
          middle * (1 + (part / 100) * Math.sin((2 * Math.PI * now) / (period * minute))),
    ),
  fc
    .array(fc.record({ at: fc.nat(120), seconds: fc.integer({ min: 2, max: 90 }), load: fc.nat(2_000) }), {
      maxLength: 6,
    })
    .map(
      (peaks) => (now: number) =>
        40 +
        peaks.reduce(
          (sum, one) => sum + (now >= one.at * minute && now < one.at * minute + one.seconds * 1000 ? one.load : 0),
          0,
        ),
    ),
);
const spans = fc.array(
  fc.record({ from: fc.nat(110), length: fc.integer({ min: 1, max: 20 }) }).map(({ from, length }) => ({
    from: from * minute,
    to: (from + length) * minute,
  })),
  { maxLength: 2 },
);
const played = fc.record({
  load: curve,
  length: fc.constant(2 * hour),
  min: fc.nat(3),
  max: fc.integer({ min: 4, max: 40 }),
  target: fc.integer({ min: 20, max: 90 }),
  startsIn: fc.integer({ min: 1, max: 30 }).map((steps) => steps * 2_000),
  pace: fc.constantFrom(4_000, 10_000, 20_000),
  outages: spans,
  deployments: spans,
  bounds: fc.array(
    fc
      .record({ at: fc.nat(110), min: fc.nat(5), more: fc.nat(30) })
      .map(({ at: when, min, more }) => ({ at: when * minute, min, max: min + more })),
    { maxLength: 1 },
  ),
});

test('under any load the count stays within its bounds, and each decision is that of a slow oracle', () => {
  fc.assert(
    fc.property(played, (play) => {
      const wrong: unknown[] = [];
      const counts = playService({
        ...play,
        decided: (standing, wishes, now, made) => {
          const all = wishes.flatMap((wish) => (wish.kind === 'tracking' ? [wish] : []));
          const expected = slowlyDecided(standing, all, now);
          if ((made?.desired ?? standing.desired) !== expected) wrong.push({ standing, wishes, now, made, expected });
        },
      });
      expect(wrong).toEqual([]);
      expect(counts.filter(({ desired, min, max }) => desired < min || desired > max)).toEqual([]);
      // In: not during a deployment, five minutes apart at least, and never more than half.
      const ins = counts.flatMap((one, i) => {
        const before = counts[i - 1];
        const byPolicy = before !== undefined && before.min === one.min && before.max === one.max;
        return byPolicy && one.desired < before.desired ? [{ ...one, before: before.desired }] : [];
      });
      for (const one of ins) {
        expect(play.deployments.some(({ from, to }) => one.at >= from && one.at < to)).toBe(false);
        expect(one.desired * 2).toBeGreaterThanOrEqual(Math.min(one.before, 2 * one.min) - 1);
      }
      for (const [i, one] of ins.entries()) expect(one.at - (ins[i - 1]?.at ?? -hour)).toBeGreaterThanOrEqual(2_000);
    }),
    { numRuns: runs },
  );
}, 3_600_000);

test('a load that stays is met within a minute of its tasks, and then the count stays as well', () => {
  fc.assert(
    fc.property(
      fc.record({
        before: fc.nat(300),
        after: fc.nat(1_500),
        target: fc.integer({ min: 20, max: 90 }),
        startsIn: fc.integer({ min: 1, max: 30 }).map((steps) => steps * 2_000),
        pace: fc.constantFrom(4_000, 10_000),
      }),
      ({ before, after, ...of }) => {
        const stepAt = 30 * minute;
        const play: Play = {
          ...quiet,
          ...nothing,
          ...of,
          length: 4 * hour,
          max: 100,
          load: (now) => (now < stepAt ? before : after),
        };
        const counts = playService(play);
        const needed = Math.max(1, Math.ceil(after / of.target - 1e-9));
        expect(at(counts, stepAt + 60_000 + 2 * of.startsIn)).toBeGreaterThanOrEqual(needed);
        // What is in use is what the load needs, or so little more that it is within a tenth of the target.
        const settled = at(counts, 4 * hour);
        expect(settled).toBeGreaterThanOrEqual(needed);
        expect(settled === 1 || after / settled >= of.target * 0.9 - 1e-9 || settled === needed).toBe(true);
        // Out once or twice, and then never again: what is added is not taken away and added.
        const outs = counts.filter((one, i) => one.at >= stepAt && one.desired > (counts[i - 1]?.desired ?? 0));
        const peak = Math.max(needed, ...outs.map((one) => one.desired));
        expect(peak).toBeLessThanOrEqual(needed + 1);
        expect(changesBetween(counts, stepAt + 3 * hour, 4 * hour)).toEqual([]);
      },
    ),
    { numRuns: runs },
  );
}, 3_600_000);
