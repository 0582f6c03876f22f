import { AggregatorRegistry, Registry } from '@prometheus-io/client';
import type { PartGauge } from '@slipway/auth/contract';
import { expect, test } from 'vitest';
import { registerGauges } from './gauges.ts';

test('a gauge is read when somebody asks, and forgets what is gone', async () => {
  const registry = new Registry();
  let found = [
    { labels: { repository: 'a' }, value: 1 },
    { labels: { repository: 'b' }, value: 2 },
  ];
  const gauges: PartGauge[] = [
    { name: 'images', help: 'Images', labels: ['repository'], across: 'one', read: async () => found },
    { name: 'uploads', help: 'Uploads', labels: [], across: 'one', read: async () => [{ labels: {}, value: 7 }] },
  ];
  registerGauges(registry, gauges, true);
  expect(await registry.metrics()).toContain('images{repository="b"} 2');
  found = [{ labels: { repository: 'a' }, value: 3 }];
  const text = await registry.metrics();
  expect(text).toContain('images{repository="a"} 3');
  expect(text).not.toContain('repository="b"');
  expect(text).toMatch(/^uploads 7$/m);
});

test('processes make one number: what one says for all, the sum, or the greatest', async () => {
  const process = (value: number, first: boolean): Registry => {
    const registry = new Registry();
    const gauge = (across: PartGauge['across']): PartGauge => ({
      name: `of_${across}`,
      help: 'x',
      labels: [],
      across,
      read: async () => [{ labels: {}, value }],
    });
    registerGauges(registry, [gauge('one'), gauge('sum'), gauge('max')], first);
    return registry;
  };
  const all = await Promise.all([process(3, true), process(5, false)].map((one) => one.getMetricsAsJSON()));
  const text = await AggregatorRegistry.aggregate(all as unknown as object[][]).metrics();
  expect(text).toMatch(/^of_one 3$/m);
  expect(text).toMatch(/^of_sum 8$/m);
  expect(text).toMatch(/^of_max 5$/m);
});

test('counters and histograms that were counted elsewhere are written as Prometheus has them, once for a machine', async () => {
  const process = (first: boolean): Registry => {
    const registry = new Registry();
    registerGauges(
      registry,
      [
        {
          name: 'requests_total',
          help: 'x',
          labels: ['of'],
          kind: 'counter',
          across: 'one',
          read: async () => [{ labels: { of: 'a' }, value: 5 }],
        },
        {
          name: 'took_seconds',
          help: 'x',
          labels: ['of'],
          across: 'one',
          bounds: [0.1, 1],
          read: async () => [{ labels: { of: 'a' }, classes: [3, 0, 2], sum: 7.5 }],
        },
      ],
      first,
    );
    return registry;
  };
  const registries = [process(true), process(false)];
  const all = await Promise.all(registries.map((one) => one.getMetricsAsJSON()));
  const together = await AggregatorRegistry.aggregate(all as unknown as object[][]).metrics();
  for (const text of [await registries[0]?.metrics(), await registries[0]?.metrics(), together]) {
    expect(text).toContain('# TYPE requests_total counter\nrequests_total{of="a"} 5\n');
    expect(text).toContain('# TYPE took_seconds histogram\n');
    const lines = text?.split('\n').filter((line) => line.startsWith('took_seconds'));
    expect(lines).toEqual([
      'took_seconds_bucket{of="a",le="0.1"} 3',
      'took_seconds_bucket{of="a",le="1"} 3',
      'took_seconds_bucket{of="a",le="+Inf"} 5',
      'took_seconds_sum{of="a"} 7.5',
      'took_seconds_count{of="a"} 5',
    ]);
  }
});
