import { expect, test } from 'vitest';

import { decideGroup, type GroupStanding, type GroupWish } from './group-policies.ts';
import type { StepRule } from './steps.ts';

const at = Date.parse('2026-06-15T12:00:00Z');
const standing: GroupStanding = { min: 1, max: 20, desired: 4, scaledAt: at - 3_600_000 };
const by = 'a monitor alarm busy in state ALARM';
const tracking = (value: number, more: Partial<GroupWish> = {}): GroupWish =>
  ({
    kind: 'tracking',
    policy: 'cpu',
    by,
    point: { at, value },
    warm: 4,
    warming: 0,
    target: 50,
    side: value > 50 ? 'high' : 'low',
    ...more,
  }) as GroupWish;
const rule: StepRule = {
  adjustmentType: 'PercentChangeInCapacity',
  steps: [
    { lower: 0, upper: 20, adjustment: 10 },
    { lower: 20, adjustment: 30 },
  ],
};
const stepping = (value: number, more: object = {}): GroupWish => ({
  kind: 'step',
  policy: 'steps',
  by,
  point: { at, value },
  warm: 10,
  warming: 0,
  rule,
  threshold: 60,
  actedOn: undefined,
  cooldown: 300_000,
  ...more,
});
const desired = (wishes: readonly GroupWish[], more: Partial<GroupStanding> = {}, holding = 0): number | undefined =>
  decideGroup({ ...standing, ...more }, wishes, holding, at)?.desired;

test('tracking: out to where the metric would be at its target, by machines that are warm alone', () => {
  expect(desired([tracking(100)])).toBe(8);
  // Those that were made for this load warm up: they are not made again.
  expect(desired([tracking(100, { warm: 4, warming: 4 })], { desired: 8 })).toBeUndefined();
  expect(desired([tracking(150, { warm: 4, warming: 4 })], { desired: 8 })).toBe(12);
  expect(desired([tracking(1000)])).toBe(20);
});

test('tracking: in when nothing warms up, by half at once at most, and where every policy that scales in wants it', () => {
  expect(desired([tracking(25)])).toBe(2);
  expect(desired([tracking(1)], { desired: 10 }, 0)).toBeUndefined();
  expect(desired([tracking(1, { warm: 10 })], { desired: 10 })).toBe(5);
  expect(desired([tracking(25)], {}, 1)).toBeUndefined();
  expect(desired([tracking(25, { warming: 1 })])).toBeUndefined();
  // What was measured before the last change says nothing of now.
  expect(desired([tracking(25)], { scaledAt: at + 1000 })).toBeUndefined();
});

test('tracking: in only as far as no policy that scales in would want out again', () => {
  const two = { desired: 2 };
  const idle = tracking(10, { warm: 2 });
  // What two machines measure at 34 of 50, one would at 68.
  expect(desired([idle, tracking(34, { policy: 'requests', warm: 2 })], two)).toBeUndefined();
  expect(desired([idle, tracking(20, { policy: 'requests', warm: 2 })], two)).toBe(1);
});

test('steps: what warms up is a part of what is wanted, so that one step is taken once (the example of the user guide)', () => {
  expect(desired([stepping(65)], { desired: 10 })).toBe(11);
  expect(desired([stepping(68, { warming: 1 })], { desired: 11 })).toBeUndefined();
  expect(desired([stepping(85, { warming: 1 })], { desired: 11 })).toBe(13);
  expect(desired([stepping(65, { actedOn: at })], { desired: 10 })).toBeUndefined();
  const down = stepping(10, { rule: { adjustmentType: 'ChangeInCapacity', steps: [{ upper: 0, adjustment: -2 }] } });
  expect(desired([down], { desired: 10 })).toBe(8);
  expect(desired([{ ...down, warming: 1 }], { desired: 10 })).toBeUndefined();
});

test('simple: not within its cooldown of any change', () => {
  const simple = stepping(65, {
    kind: 'simple',
    rule: { adjustmentType: 'ChangeInCapacity', steps: [{ adjustment: 3 }] },
  });
  expect(desired([simple])).toBe(7);
  expect(desired([simple], { scaledAt: at - 299_000 })).toBeUndefined();
  expect(desired([simple], { scaledAt: at - 300_000 })).toBe(7);
});

test('several: the largest counts, out before in', () => {
  expect(desired([tracking(25), stepping(65, { policy: 'more' })])).toBe(5);
  expect(desired([tracking(100), stepping(65)])).toBe(8);
});

test('never outside the bounds, never against the direction, never twice by one point', () => {
  const random = mulberry(20);
  for (let i = 0; i < 5000; i++) {
    const min = Math.floor(random() * 5);
    const max = min + Math.floor(random() * 20);
    const now = Math.floor(random() * 30);
    const warm = Math.floor(random() * (now + 1));
    const value = random() * 200;
    const wishes = [
      tracking(value, { warm, warming: now - warm }),
      stepping(value, { warming: now - warm, actedOn: random() < 0.3 ? at : undefined }),
    ].filter(() => random() < 0.7);
    const decision = decideGroup({ min, max, desired: now, scaledAt: undefined }, wishes, 0, at);
    if (decision === undefined) continue;
    const of = wishes.find(({ policy }) => policy === decision.policy);
    expect(decision.desired).toBeGreaterThanOrEqual(Math.min(min, decision.desired > now ? max : min));
    expect(decision.desired).toBeLessThanOrEqual(Math.max(max, min));
    // Above the target and the threshold nothing goes in, below both nothing comes.
    const against = (value > 60 && decision.desired < now) || (value < 50 && decision.desired > now);
    expect(against).toBe(false);
    expect(of?.kind === 'step' && of.actedOn === at).toBe(false);
  }
});

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
