import {
  type Arbitrary,
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  integer,
  oneof,
  record,
} from 'fast-check';
import { expect, test } from 'vitest';

import type { Sample } from './contract.ts';
import { MemoryMetrics } from './testing/memory-metrics.ts';
import { account, openedMetrics, upkeep } from './testing/opened.ts';

const day = 86_400_000;
const sizes: Readonly<Record<string, number>> = { nightly: 1000, release: 5000 };
const numRuns = sizes[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 60;

const whole = integer({ min: -1000, max: 1000 });
const measured = oneof(
  whole,
  array(whole, { minLength: 1, maxLength: 5 }).map((values) => ({ values })),
  integer({ min: 1, max: 5 }).map((count) => ({ count, sum: 3 * count, min: 2, max: 4 })),
);
/** Seconds before now: many of the same minutes, some of other days. */
const ago = oneof(integer({ min: 0, max: 300 }), integer({ min: 0, max: (16 * day) / 1000 }));
const sample: Arbitrary<Given> = record({
  name: constantFrom('a', 'b'),
  host: constantFrom('', '1', '2'),
  unit: constantFrom('None', 'Count'),
  resolution: constantFrom<1 | 60>(1, 60),
  ago,
  measured,
});
type Step = { readonly put: readonly Given[] } | 'upkeep' | 'pass' | 'restart';
interface Given {
  readonly name: string;
  readonly host: string;
  readonly unit: string;
  readonly resolution: 1 | 60;
  readonly ago: number;
  readonly measured: Sample['measured'];
}
const step: Arbitrary<Step> = oneof(
  {
    weight: 6,
    arbitrary: array(sample, { minLength: 1, maxLength: 6 }).map((put) => ({ put })),
  },
  { weight: 4, arbitrary: constantFrom('upkeep' as const, 'pass' as const, 'restart' as const) },
);
const question = record({
  period: constantFrom(1, 10, 60, 120, 300, 900, 3600, 86_400),
  from: ago,
  to: ago,
  unit: constantFrom(undefined, 'Count'),
  distributions: boolean(),
});

test('whatever is put and compacted in whatever order, what is read is what a list in memory has', async () => {
  await assert(
    asyncProperty(
      array(step, { maxLength: 20 }),
      array(question, { minLength: 5, maxLength: 10 }),
      async (steps, questions) => {
        const opened = openedMetrics();
        const memory = new MemoryMetrics(opened.clock.now);
        // Files are merged with the second of a size.
        const options = { compaction: { fanIn: 2 } };
        let store = opened.server(options);
        for (const one of steps) {
          if (one === 'upkeep') await upkeep(await opened.compaction(store));
          else if (one === 'pass') opened.clock.time += 7 * 60_000;
          else if (one === 'restart') store = opened.server(options);
          else {
            const samples = one.put.map((given): Sample => ({
              namespace: 'App',
              name: given.name,
              dimensions: given.host === '' ? [] : [{ name: 'Host', value: given.host }],
              timestamp: opened.clock.time - 1000 * given.ago,
              unit: given.unit,
              resolution: given.resolution,
              measured: given.measured,
            }));
            await Promise.all([store.put(account, samples), memory.put(account, samples)]);
          }
        }
        const series = ['a', 'b'].flatMap((name) =>
          [[], [{ name: 'Host', value: '1' }]].map((dimensions) => ({ namespace: 'App', name, dimensions })),
        );
        for (const { period, from, to, unit, distributions } of questions) {
          const { time } = opened.clock;
          const range = {
            from: time - 1000 * Math.max(from, to),
            to: time - 1000 * Math.min(from, to) + 1,
            period,
            unit,
            distributions,
          };
          expect(await store.read(account, series, range)).toEqual(await memory.read(account, series, range));
        }
        const all = { limit: 100 };
        const sorted = async (of: { list: MemoryMetrics['list'] }) =>
          (await of.list(account, all)).series.map((one) => JSON.stringify(one)).toSorted();
        expect(await sorted(store)).toEqual(await sorted(memory));
        await store.close();
      },
    ),
    { numRuns },
  );
}, 600_000);
