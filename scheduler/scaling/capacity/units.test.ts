import { expect, test } from 'vitest';

import type { SizedGroup, SizedMachine } from './ports.ts';
import { inHosts } from './units.ts';

const group = (min: number, max: number, desired: number, more: Partial<SizedGroup> = {}): SizedGroup => ({
  name: 'fleet',
  min,
  max,
  desired,
  failures: 0,
  zones: [],
  suspended: [],
  ...more,
});
const machines = (...weights: readonly number[]): SizedMachine[] =>
  weights.map((weight, i) => ({ id: `i-${i}`, state: 'InService', weight }) as SizedMachine);
const weighted = { types: ['m4.large', 't3.large'], weights: [2, 1] };

test('hosts that each are one are the capacity', () => {
  for (const there of [0, 1, 3]) {
    const { min, max, desired, units } = inHosts(group(1, 5, 3), machines(...Array.from({ length: there }, () => 1)));
    expect([min, max, desired, units(4), units(9)]).toEqual([1, 5, 3, 4, 5]);
  }
});

test.each([
  // bounds, machines; hosts at least, at most, wanted; what one more is
  [group(1, 10, 4, weighted), machines(), [1, 5, 2], 2],
  [group(1, 10, 4, weighted), machines(2, 2), [1, 5, 2], 6],
  [group(3, 9, 6, weighted), machines(2, 2), [2, 4, 3], 6],
  [group(1, 5, 5, weighted), machines(2, 2), [1, 2, 3], 5],
  [group(1, 10, 4, { ...weighted, failures: 1 }), machines(2), [1, 9, 3], 3],
  // Light ones of which fewer are enough, where the next one would be heavy; of several weights, enough whichever go.
  [group(0, 40, 1, { types: ['m4.large', 't3.large'], weights: [10, 1] }), machines(1, 1, 1, 1), [0, 7, 1], 14],
  [group(3, 40, 4, weighted), machines(2, 1, 2), [2, 20, 3], 7],
])('%o with machines: %o', (given, there, bounds, oneMore) => {
  const { min, max, desired, units } = inHosts(given, there);
  expect([min, max, desired]).toEqual(bounds);
  expect(units(there.length + 1)).toBe(oneMore);
});

test('a machine that ends is none of them', () => {
  const ending = machines(2, 2).map((machine, i): SizedMachine =>
    i === 0 ? { ...machine, state: 'Terminating' } : machine,
  );
  expect(inHosts(group(0, 8, 2, weighted), ending)).toMatchObject({ max: 4, desired: 1 });
});
