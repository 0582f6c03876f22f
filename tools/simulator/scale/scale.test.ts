import { expect, test } from 'vitest';
import { measureScale, type Measured } from './measure.ts';

/** Two sizes of a cluster; what the larger one costs must grow with its size. */
const { small, large } = {
  nightly: { small: { instances: 1_000, tasks: 10_000 }, large: { instances: 10_000, tasks: 100_000 } },
  release: { small: { instances: 10_000, tasks: 100_000 }, large: { instances: 100_000, tasks: 1_000_000 } },
}[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? {
  small: { instances: 300, tasks: 3_000 },
  large: { instances: 1_200, tasks: 12_000 },
};
const times = large.tasks / small.tasks;
const timeout = { nightly: 1_800_000, release: 4 * 3_600_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 240_000;

test(
  'a cluster of many times the size costs so many times as much, and a change in it no more',
  { timeout },
  async () => {
    const one = await measureScale(small);
    const many = await measureScale(large);
    // What a change writes is counted, and is the same in a cluster of any size.
    for (const what of ['commits', 'rows'] as const) expect(many.written[what]).toBeLessThan(one.written[what] * 1.1);
    expect(many.written.bytes).toBeLessThan(one.written.bytes * 1.1);
    // Work is processor time: twice what the size would say is far from its square, and far from noise.
    const growth = (what: 'idleMinute' | 'busyMinute' | 'takeover' | 'memory'): number => many[what] / one[what];
    const seen: Partial<Record<keyof Measured, number>> = {};
    for (const what of ['idleMinute', 'busyMinute', 'takeover', 'memory'] as const) seen[what] = growth(what);
    expect(seen, JSON.stringify({ one, many })).toSatisfy(() =>
      Object.values(seen).every((grown) => grown < 2 * times),
    );
    expect(many.connect).toBeLessThan(one.connect * 2);
    expect(many.roll).toBeLessThan(one.roll * 2);
  },
);
