import { describe, expect, test } from 'vitest';

import { Accumulator } from './accumulator.ts';
import { relativeError, type Sample } from './contract.ts';
import { statisticOf } from './statistics.ts';

/** What a statistic is of everything that was measured in a period. */
function of(name: string, ...measured: readonly Sample['measured'][]): number | undefined {
  const added = new Accumulator();
  for (const one of measured) added.addMeasured(one);
  const statistic = statisticOf(name);
  if (statistic === undefined) throw new Error(`${name} is no statistic`);
  return statistic(added.bucket(0, 'None'));
}
const oneTo100 = Array.from({ length: 100 }, (_, index) => index + 1);
const near = (value: number) => ({ from: value * (1 - 2 * relativeError), to: value * (1 + 2 * relativeError) });
function expectNear(value: number | undefined, wanted: number): void {
  const { from, to } = near(wanted);
  expect(value).toBeGreaterThanOrEqual(from);
  expect(value).toBeLessThanOrEqual(to);
}

describe('statistics', () => {
  test('of values, counted values and statistic sets add up', () => {
    const measured = [3, { values: [1, 5], counts: [2, 1] }, { count: 4, sum: 10, min: 0, max: 6 }] as const;
    expect(of('SampleCount', ...measured)).toBe(8);
    expect(of('Sum', ...measured)).toBe(20);
    expect(of('Average', ...measured)).toBe(2.5);
    expect(of('Minimum', ...measured)).toBe(0);
    expect(of('Maximum', ...measured)).toBe(6);
  });

  test('percentiles are within the stated error, and exact where all values are the same', () => {
    expectNear(of('p50', ...oneTo100), 50);
    expectNear(of('p99', ...oneTo100), 99);
    expect(of('p0', { values: [-100, 0, 100] })).toBe(-100);
    expect(of('p100', ...oneTo100)).toBe(100);
    expect(of('p99.9', { count: 7, sum: 14, min: 2, max: 2 })).toBe(2);
  });

  test('nothing is said about the distribution of what came as sums', () => {
    expect(of('p50', { count: 2, sum: 3, min: 1, max: 2 }, 1)).toBeUndefined();
    expect(of('Average', { count: 2, sum: 3, min: 1, max: 2 })).toBe(1.5);
  });

  test('trimmed ones look at a part of the values, by rank or by value', () => {
    expectNear(of('tm90', ...oneTo100), 45.5);
    expectNear(of('TM(10%:90%)', ...oneTo100), 50.5);
    expectNear(of('IQM', ...oneTo100), 50.5);
    expectNear(of('TC(10%:90%)', ...oneTo100), 80);
    expectNear(of('TS(:50%)', ...oneTo100), 1275);
    expectNear(of('WM(10%:90%)', ...oneTo100), 50.5);
    expect(of('PR(2:200)', 1, 10, 100, 1000)).toBe(50);
    expect(of('PR(:20)', 1, 10, 100, 1000)).toBe(50);
  });

  test.each([
    '',
    'p',
    'p101',
    'p-1',
    'average',
    'TM(:)',
    'TM(90%:10%)',
    'TM(1:2%)',
    'PR(1%:2%)',
    'tm100.5',
    'constructor',
    'p9'.padEnd(200, '9'),
  ])('%j is none', (name) => {
    expect(statisticOf(name)).toBeUndefined();
  });
});
