import { expect, test } from 'vitest';
import { windowOf } from './window.ts';

test('few rows are all there, of many those near to what is in sight', () => {
  expect(windowOf(100, -5000, 900, 40)).toEqual({ from: 0, to: 100 });
  expect(windowOf(10_000, 300, 900, 40)).toEqual({ from: 0, to: 40 });
  expect(windowOf(10_000, -200_000, 900, 40)).toEqual({ from: 4980, to: 5050 });
  expect(windowOf(10_000, -399_500, 900, 40)).toEqual({ from: 9960, to: 10_000 });
});

test('what is in sight is always there, and never many rows more', () => {
  for (const count of [101, 250, 1000, 10_000])
    for (const height of [20, 42, 160])
      for (let top = 1000; top > -(count * height) - 1000; top -= 333) {
        const { from, to } = windowOf(count, top, 900, height);
        const [first, last] = [
          Math.max(0, Math.floor(-top / height)),
          Math.min(count, Math.ceil((900 - top) / height)),
        ];
        expect(to - from).toBeLessThanOrEqual(900 / height + 70);
        expect(to - from).toBeGreaterThanOrEqual(40);
        expect(last <= first || (from <= first && to >= last)).toBe(true);
      }
});
