import { expect, test } from 'vitest';

import { decide, type TargetStanding, type Wish } from './decide.ts';

const now = Date.parse('2026-06-15T12:00:00Z');
const cooldowns = { outCooldown: 300_000, inCooldown: 300_000 };

/** A service, what a policy of its CPU says, and the count that a forecast asks for. */
function drawn(random: () => number) {
  const min = Math.floor(random() * 5);
  const max = min + Math.floor(random() * 20);
  const desired = Math.floor(random() * 30);
  const side = (['high', 'low', undefined] as const)[Math.floor(random() * 3)];
  const standing: TargetStanding = {
    min,
    max,
    desired,
    running: Math.floor(random() * (desired + 1)),
    isDeploying: random() < 0.2,
    noScaleIn: random() < 0.2,
    noScaleOut: random() < 0.2,
  };
  const wish: Wish = {
    kind: 'tracking',
    policy: 'cpu',
    target: 50,
    side,
    alarm: side === undefined ? undefined : { name: side, state: 'ALARM' },
    point: { at: now, value: side === 'high' ? 50 + random() * 200 : random() * 50 },
    scalesIn: true,
    ...cooldowns,
  };
  const floor = { count: Math.floor(random() * 30), policy: 'ahead', readings: 'the forecast' };
  return { standing, wishes: [wish], floor };
}

test('a forecast asks for tasks and takes none: the count is the most of what it and policies want, within the bounds', () => {
  let state = 18;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
  const seen = { out: 0, in: 0, ahead: 0 };
  for (let i = 0; i < 20_000; i++) {
    const { standing, wishes, floor } = drawn(random);
    const { min, max, desired, noScaleOut } = standing;
    const without = decide(standing, wishes, now)?.desired ?? desired;
    const decision = decide({ ...standing, floor }, wishes, now);
    const count = decision?.desired ?? desired;
    const bounded = Math.min(Math.max(floor.count, min), max);
    // As slowly as the sentence says it: out to the forecast where that is more, in no further than it.
    const outTo = noScaleOut
      ? without
      : Math.max(without, floor.count > desired ? Math.max(bounded, desired) : without);
    const inTo = Math.max(without, Math.min(desired, bounded));
    const expected =
      without < desired ? (floor.count > desired ? (noScaleOut ? desired : Math.max(bounded, desired)) : inTo) : outTo;
    expect(count, JSON.stringify({ standing, wishes, floor })).toBe(expected);
    if (count > desired) seen.out++;
    if (count < desired) seen.in++;
    if (decision?.policy === 'ahead') seen.ahead++;
  }
  // All of it was played.
  expect(Object.values(seen).every((times) => times > 100)).toBe(true);
});
