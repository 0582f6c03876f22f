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
const timeout = { nightly: 1_800_000, release: 4 * 3_600_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 480_000;

type Figure = 'idleMinute' | 'busyMinute' | 'takeover' | 'memory' | 'connect' | 'roll';

/** How many times as much each figure may be in the larger cluster. */
const bounds: Readonly<Record<Figure, number>> = {
  // Work is processor time: twice what the size would say is far from its square, and far from noise.
  idleMinute: 2 * times,
  busyMinute: 2 * times,
  takeover: 2 * times,
  memory: 2 * times,
  connect: 2,
  roll: 2,
};

/** A busy machine and a collection of garbage add to a figure and never take from it: of several measurements the least counts. */
const attempts = 4;

test(
  'a cluster of many times the size costs so many times as much, and a change in it no more',
  { timeout },
  async () => {
    const ofSmall: Measured[] = [];
    const ofLarge: Measured[] = [];
    const least = (sample: readonly Measured[], figure: Figure): number =>
      Math.min(...sample.map((measured) => measured[figure]));
    const tooMuch = (): readonly Figure[] =>
      (Object.keys(bounds) as Figure[]).filter(
        (figure) => least(ofLarge, figure) >= bounds[figure] * least(ofSmall, figure),
      );
    do {
      const one = await measureScale(small);
      const many = await measureScale(large);
      // What a change writes is counted, and is the same in a cluster of any size.
      for (const what of ['commits', 'rows'] as const) expect(many.written[what]).toBeLessThan(one.written[what] * 1.1);
      expect(many.written.bytes).toBeLessThan(one.written.bytes * 1.1);
      ofSmall.push(one);
      ofLarge.push(many);
    } while (tooMuch().length > 0 && ofSmall.length < attempts);
    expect(tooMuch(), JSON.stringify({ small: ofSmall, large: ofLarge })).toEqual([]);
  },
);
