import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide, type Step, stepCapacity, stepsProblem, type TargetStanding, type Wish } from './index.ts';

const minute = 60_000;
const standing: TargetStanding = {
  min: 1,
  max: 20,
  desired: 4,
  running: 4,
  isDeploying: false,
  noScaleIn: false,
  noScaleOut: false,
};
const cooldowns = { outCooldown: 5 * minute, inCooldown: 5 * minute };
const track = (side: 'high' | 'low' | undefined, value: number, more: object = {}): Wish => ({
  kind: 'tracking',
  policy: 'cpu',
  alarm: { name: 'cpu-alarm', state: 'ALARM' },
  side,
  target: 50,
  scalesIn: true,
  point: { at: 100 * minute, value },
  ...cooldowns,
  ...more,
});
const now = 101 * minute;
const count = (wishes: readonly Wish[], changed: Partial<TargetStanding> = {}): number | undefined =>
  decide({ ...standing, ...changed }, wishes, now)?.desired;

describe('target tracking', () => {
  test('goes out in proportion, at once, and in with at least half of the tasks', () => {
    expect(count([track('high', 75)])).toBe(6);
    expect(count([track('high', 51)])).toBe(5);
    expect(count([track('high', 1000)])).toBe(20);
    expect(count([track('low', 40)])).toBeUndefined();
    expect(count([track('low', 30)])).toBe(3);
    expect(count([track('low', 1)])).toBe(2);
    expect(count([track(undefined, 40)])).toBeUndefined();
  });

  test('reckons from running tasks, and from none with one more', () => {
    expect(count([track('high', 100)], { running: 3 })).toBe(6);
    expect(count([track('high', 100)], { desired: 0, running: 0, min: 0 })).toBe(1);
  });

  test('does not run away while the metric still speaks of what was before', () => {
    const lastOut = { at: 100 * minute + 30_000, from: 4, until: 0 };
    const again = track('high', 100, { point: { at: 100 * minute, value: 100 } });
    expect(count([again], { desired: 8, running: 8, lastOut })).toBeUndefined();
    const later = track('high', 100, { point: { at: 101 * minute, value: 100 } });
    expect(count([later], { desired: 8, running: 8, lastOut })).toBe(16);
    // However many tasks are measured by now.
    const measured = track('high', 100, { point: again.point, tasks: 8 });
    expect(count([measured], { desired: 8, running: 8, lastOut })).toBeUndefined();
    const lastIn = { at: 100 * minute + 30_000, from: 8, until: 0 };
    expect(count([track('low', 10)], { lastIn })).toBeUndefined();
  });

  test('what was just measured of tasks that are gone adds none', () => {
    const readings = track('high', 100, { alarm: { readings: 'above' }, tasks: 4, scalesIn: false });
    expect(count([readings])).toBe(8);
    expect(count([readings], { running: 0 })).toBeUndefined();
    expect(count([track(undefined, 100), readings], { running: 0 })).toBeUndefined();
  });

  test('in needs all that scale in, and waits for deployments, cooldowns and suspensions; out does not', () => {
    const memory = (side: 'high' | 'low' | undefined, value: number, more: object = {}): Wish =>
      track(side, value, { policy: 'memory', ...more });
    expect(count([track('low', 10), memory(undefined, 48)])).toBeUndefined();
    expect(count([track('low', 10), memory('low', 40)])).toBeUndefined();
    expect(count([track('low', 10), memory('low', 30)])).toBe(3);
    expect(count([track('low', 10), memory(undefined, 48, { scalesIn: false })])).toBe(2);
    expect(count([track('low', 10), memory('high', 75)])).toBe(6);
    for (const held of [
      { isDeploying: true },
      { noScaleIn: true },
      { lastIn: { at: 0, from: 8, until: now + 1 } },
    ] satisfies Partial<TargetStanding>[]) {
      expect(count([track('low', 10)], held)).toBeUndefined();
      expect(count([track('high', 75)], held)).toBe(6);
    }
    expect(count([track('high', 75)], { noScaleOut: true })).toBeUndefined();
  });

  test('keeps what was scaled beyond the bounds by hand where it would go the other way', () => {
    expect(count([track('high', 75)], { desired: 30, running: 30 })).toBeUndefined();
    expect(count([track('low', 10)], { desired: 30, running: 30 })).toBe(15);
    expect(count([track('low', 49)], { desired: 30, running: 30 })).toBeUndefined();
    expect(count([track('low', 49)], { desired: 30, running: 29 })).toBe(20);
  });

  test('stays within the bounds and goes into the direction of the alarm, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 30 }),
        fc.nat({ max: 30 }),
        fc.constantFrom('high' as const, 'low' as const),
        fc.double({ min: 0, max: 500, noNaN: true }),
        fc.nat({ max: 10 }),
        fc.integer({ min: 10, max: 25 }),
        (desired, running, side, value, min, max) => {
          const found = decide({ ...standing, desired, running, min, max }, [track(side, value)], now)?.desired;
          const bounded = found === undefined ? desired : Math.min(Math.max(found, min), max);
          const moves = (found ?? desired) - desired;
          expect([found ?? desired, side === 'high' ? moves >= 0 : moves <= 0]).toEqual([bounded, true]);
        },
      ),
    );
  });
});

describe('step scaling', () => {
  const out: Step[] = [
    { lower: 0, upper: 10, adjustment: 0 },
    { lower: 10, upper: 20, adjustment: 10 },
    { lower: 20, adjustment: 30 },
  ];
  const scaleIn: Step[] = [
    { upper: -20, adjustment: -30 },
    { lower: -20, upper: -10, adjustment: -10 },
    { lower: -10, upper: 0, adjustment: 0 },
  ];
  const percent = 'PercentChangeInCapacity' as const;

  // The worked example of the user guide: a threshold of 50, ten tasks.
  test.each([
    [out, 10, 60, 11],
    [out, 11, 70, 14],
    [scaleIn, 14, 40, 13],
    [scaleIn, 13, 30, 10],
    [out, 10, 55, 10],
  ])('%j of %i at %i', (steps, capacity, metric, expected) => {
    expect(stepCapacity({ adjustmentType: percent, steps }, capacity, metric - 50)).toBe(expected);
  });

  test('rounds percent towards nothing, but for less than one, and has a least change', () => {
    const by = (adjustment: number, minMagnitude?: number): number | undefined =>
      stepCapacity(
        {
          adjustmentType: percent,
          steps: [{ lower: 0, adjustment }],
          ...(minMagnitude === undefined ? {} : { minMagnitude }),
        },
        10,
        0,
      );
    expect([by(5), by(-5), by(19), by(-66), by(5, 3), by(-5, 3)]).toEqual([11, 9, 11, 4, 13, 7]);
  });

  test.each([
    [[], /At least one/],
    [[{ adjustment: 1 }], /cannot both be left out/],
    [[{ lower: 5, upper: 5, adjustment: 1 }], /must be less/],
    [
      [
        { lower: 0, upper: 10, adjustment: 1 },
        { lower: 11, adjustment: 2 },
      ],
      /neither overlap nor leave a gap/,
    ],
    [
      [
        { lower: 0, upper: 12, adjustment: 1 },
        { lower: 10, adjustment: 2 },
      ],
      /neither overlap nor leave a gap/,
    ],
    [
      [
        { lower: 0, adjustment: 1 },
        { lower: 10, adjustment: 2 },
      ],
      /MetricIntervalUpperBound/,
    ],
    [
      [
        { upper: 0, adjustment: -1 },
        { upper: -10, adjustment: -2 },
      ],
      /MetricIntervalLowerBound/,
    ],
    [[{ lower: -10, adjustment: -1 }], /negative lower bound/],
    [[{ lower: 0, upper: 10, adjustment: 1 }], /positive upper bound/],
  ] as const)('%j is refused', (steps, message) => {
    expect(stepsProblem(steps, 'ChangeInCapacity')).toMatch(message);
  });

  test('takes what it has', () => {
    expect([stepsProblem(out, percent), stepsProblem(scaleIn, percent)]).toEqual([undefined, undefined]);
    expect(stepsProblem([{ lower: 0, adjustment: -1 }], 'ExactCapacity')).toMatch(/must not be negative/);
  });

  const step = (at: number, value: number, more: object = {}): Wish => ({
    kind: 'step',
    policy: 'queue',
    alarm: { name: 'long-queue', state: 'ALARM' },
    rule: {
      adjustmentType: 'ChangeInCapacity',
      steps: [
        { lower: 0, upper: 10, adjustment: 2 },
        { lower: 10, adjustment: 3 },
      ],
    },
    threshold: 50,
    actedOn: undefined,
    point: { at, value },
    ...cooldowns,
    ...more,
  });

  test('acts on each point once, and in its cooldown adds the difference alone', () => {
    expect(count([step(now, 55)])).toBe(6);
    expect(count([step(now, 55, { actedOn: now })])).toBeUndefined();
    const lastOut = { at: now - minute, from: 4, until: now + minute };
    expect(count([step(now, 55)], { desired: 6, lastOut })).toBeUndefined();
    expect(count([step(now, 65)], { desired: 6, lastOut })).toBe(7);
    expect(count([step(now, 55)], { desired: 6, lastOut: { ...lastOut, until: now } })).toBe(8);
  });

  test('the largest of several wins', () => {
    expect(count([step(now, 55), track('high', 100)])).toBe(8);
    expect(decide(standing, [step(now, 65), track('high', 51)], now)).toMatchObject({
      policy: 'queue',
      alarm: { name: 'long-queue', state: 'ALARM' },
      desired: 7,
    });
  });
});
