import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../testbed/command.ts';
import { brokenOrder, missingEvents } from './soak-events.ts';
import { growthOf, heldBy, median, quantile, slope } from './soak-processes.ts';

const size = process.env['SLIPWAY_TEST_SIZE'];

test('growth is seen through noise, and noise is not taken for growth', () => {
  const watch = (memory: (minute: number) => number) =>
    growthOf(Array.from({ length: 60 }, (_, minute) => ({ at: minute * 60, memoryMiB: memory(minute), files: 40 })));
  const steady = watch((minute) => 200 + (minute % 7) * 3);
  expect(Math.abs(steady?.memoryMiB.perHour ?? 99)).toBeLessThan(3);
  expect(Math.abs((watch((minute) => 200 + minute + (minute % 7) * 3)?.memoryMiB.perHour ?? 0) - 60)).toBeLessThan(3);
  expect(growthOf([{ at: 0, memoryMiB: 1, files: 1 }])).toBeUndefined();
});

test('slopes, medians and quantiles', () => {
  expect(
    slope([
      [0, 1],
      [1, 3],
      [2, 5],
    ]),
  ).toBe(2);
  expect(slope([[1, 1]])).toBe(0);
  expect([median([3, 1, 2]), quantile([1, 2, 3, 4], 0.99), quantile([], 0.5)]).toEqual([2, 4, 0]);
});

test('what a process holds is read from the system; one that is gone holds nothing known', () => {
  expect(heldBy(process.pid, 7)).toMatchObject({ at: 7 });
  expect(heldBy(process.pid, 7)?.memoryMiB).toBeGreaterThan(20);
  expect(heldBy(process.pid, 7)?.files).toBeGreaterThan(2);
  expect(heldBy(undefined, 7)).toBeUndefined();
  expect(heldBy(2 ** 22 + 1, 7)).toBeUndefined();
});

test('a push without an event, one with two, and a tag that jumps are found', () => {
  const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const manifest = (text: string) => ({ tag: 'v1', manifest: Buffer.from(text) });
  const a = { tag: 'v1', digest: digestOf('a'), previous: null };
  const b = { tag: 'v1', digest: digestOf('b'), previous: digestOf('a') };
  expect([missingEvents([a, b], [manifest('a'), manifest('b')]), brokenOrder([a, b])]).toEqual([[], []]);
  expect(missingEvents([a, b], [manifest('c')])).toEqual([`0 events for the push of v1 ${digestOf('c')}`]);
  expect(missingEvents([a, a], [manifest('a')])).toEqual([`2 events for the push of v1 ${digestOf('a')}`]);
  expect(brokenOrder([a, { ...b, previous: digestOf('x') }])).toHaveLength(1);
});

test.skipIf(size === undefined)(
  'a soak of two minutes on files finds nothing wrong',
  { timeout: 600_000 },
  async () => {
    const soak = join(import.meta.dirname, 'soak.ts');
    const options = ['--minutes', '2', '--engine', 'sqlite', '--kill-every', '20'];
    const { code, stdout } = await run(process.execPath, [soak, ...options], { timeout: 390_000 });
    expect(stdout).toContain('soak: nothing is wrong');
    expect(code).toBe(0);
  },
);
