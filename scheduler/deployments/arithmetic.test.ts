import { expect, test } from 'vitest';

import { breakerThreshold, crashDelay, lowerBound, startDelay, upperBound } from './index.ts';

test.each([
  [4, 50, 100, 2, 4],
  [4, 100, 200, 4, 8],
  [2, 75, 100, 2, 2],
  [3, 100, 125, 3, 3],
  [1, 100, 100, 1, 1],
  [0, 100, 200, 0, 0],
])(
  '%i tasks at %i/%i: at least %i healthy, at most %i',
  (desired, minimumHealthyPercent, maximumPercent, lower, upper) => {
    expect(lowerBound(desired, { minimumHealthyPercent, maximumPercent })).toBe(lower);
    expect(upperBound(desired, { minimumHealthyPercent, maximumPercent })).toBe(upper);
  },
);

test.each([
  [1, 'BOUNDED_PERCENT', 50, 3],
  [25, 'BOUNDED_PERCENT', 50, 13],
  [400, 'BOUNDED_PERCENT', 50, 200],
  [800, 'BOUNDED_PERCENT', 50, 200],
  [1, 'UNBOUNDED_PERCENT', 50, 1],
  [800, 'UNBOUNDED_PERCENT', 50, 400],
  [0, 'UNBOUNDED_PERCENT', 50, 1],
  [800, 'COUNT', 2, 2],
] as const)('%i tasks, %s %i: the breaker trips at %i', (desired, type, value, threshold) => {
  expect(breakerThreshold(desired, { threshold: { type, value } })).toBe(threshold);
});

test('start delays: none for two attempts, then 10 s doubling to 27 minutes; as many failures as wanted tasks are one attempt', () => {
  expect([1, 2, 3, 4, 5, 11, 1000].map((failures) => startDelay(failures, 1))).toEqual([
    0, 0, 10_000, 20_000, 40_000, 1_620_000, 1_620_000,
  ]);
  expect(startDelay(20, 10)).toBe(0);
  expect(startDelay(21, 10)).toBe(10_000);
});

test('crash delays stay short: at most 10 s', () => {
  expect([1, 3, 4, 5, 100].map((crashes) => crashDelay(crashes, 1))).toEqual([0, 0, 1_000, 2_000, 10_000]);
});
