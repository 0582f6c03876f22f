import { assert, property } from 'fast-check';
import { expect, test } from 'vitest';

import { evaluate, parseExpression, resultOf, type TimeSeries, Work } from './index.ts';
import { type Dense, expressions, length, metricIds, metricsOf, period } from './testing/generated.ts';

const numRuns = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 3000 : 100_000;
const from = 1_800_000_000_000;

const seriesOf = (values: Dense): TimeSeries => ({
  kind: 'series',
  label: '',
  period,
  points: new Map(
    values.flatMap((value, index) => (value === undefined ? [] : [[from + 1000 * period * index, value]])),
  ),
});

/** The same but for the last digits, which the order of additions decides. */
const near = (one: number | undefined, other: number | undefined): boolean =>
  one === undefined || other === undefined
    ? one === other
    : Math.abs(one - other) <= 1e-9 * Math.max(1, Math.abs(one), Math.abs(other));

test('expressions come to what a slow reading of them comes to, point by point', () => {
  assert(
    property(expressions, metricsOf, ({ text, of }, dense) => {
      const metrics = metricIds.map((id) => ({ id, series: seriesOf(dense[id] as Dense) }));
      const [found] = resultOf(
        evaluate(parseExpression(text), {
          valueOf: (id) => metrics.find((one) => one.id === id)?.series,
          metrics: () => metrics,
          from,
          to: from + 1000 * period * length,
          period,
          work: new Work(1_000_000),
        }),
      );
      const values = Array.from({ length }, (_, index) => found?.points.get(from + 1000 * period * index));
      const wanted = of(dense);
      const isSame = values.every((value, index) => near(value, wanted[index]));
      expect(isSame, `${text} is ${JSON.stringify({ values, wanted, dense })}`).toBe(true);
    }),
    { numRuns },
  );
}, 600_000);
