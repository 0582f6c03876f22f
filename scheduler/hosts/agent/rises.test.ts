import { expect, test } from 'vitest';
import { Rises } from './rises.ts';

const set = (value: number) => ({ min: value, max: value, sum: value, sampleCount: 1 });
const use = (taskArn: string, cpu: number | undefined, memory = 100) => ({
  taskArn,
  taskDefinitionFamily: 'web',
  taskDefinitionVersion: '1',
  containerMetrics: [
    {
      containerName: 'web',
      ...(cpu === undefined ? {} : { cpuStatsSet: set(cpu) }),
      memoryStatsSet: set(memory),
    },
  ],
});
const looks = (...cpus: (number | undefined)[]): number[] => {
  const rises = new Rises(10_000);
  return cpus.map((cpu) => rises.next([use('a', cpu)]));
};

test('a task that uses much more is looked at twice more soon, and then as often as before', () => {
  expect(looks(5, 5, 20, 20, 20, 20)).toEqual([10_000, 10_000, 3_000, 3_000, 10_000, 10_000]);
  expect(looks(5, 20, 40, 41, 41)).toEqual([10_000, 3_000, 3_000, 3_000, 10_000]);
});

test('what is new, sinks, or rises by little changes nothing', () => {
  expect(looks(undefined, 50, 50, 10, 11, 12.9)).toEqual(Array.from({ length: 6 }, () => 10_000));
  const rises = new Rises(10_000);
  expect([rises.next([use('a', 1)]), rises.next([use('a', 1), use('b', 90)]), rises.next([])]).toEqual([
    10_000, 10_000, 10_000,
  ]);
});

test('memory counts as well, and a shorter pace is kept', () => {
  const rises = new Rises(1_000);
  expect([rises.next([use('a', 1, 100)]), rises.next([use('a', 1, 130)])]).toEqual([1_000, 1_000]);
  const slow = new Rises(10_000);
  expect([slow.next([use('a', 1, 100)]), slow.next([use('a', 1, 115)]), slow.next([use('a', 1, 140)])]).toEqual([
    10_000, 10_000, 3_000,
  ]);
});
