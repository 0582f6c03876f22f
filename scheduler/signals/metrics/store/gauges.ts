import type { PartGauge } from '@slipway/auth/contract';

import { roomGauges } from '../room-gauges.ts';

import type { StoredMetrics } from './stored-metrics.ts';

/** What the metric store does, for `/metrics`. A scrape reads no store. */
export function metricGauges(store: Pick<StoredMetrics, 'counts' | 'waiting' | 'room'>): readonly PartGauge[] {
  const line = (name: string, help: string, kind: 'gauge' | 'counter', read: () => number): PartGauge => ({
    name,
    help,
    kind,
    labels: [],
    across: 'sum',
    read: async () => [{ labels: {}, value: read() }],
  });
  const { counts } = store;
  return [
    line('slipway_metrics_samples_total', 'Samples that were taken in', 'counter', () => counts.samples),
    line(
      'slipway_metrics_buckets_total',
      'What samples were added up to and written as',
      'counter',
      () => counts.buckets,
    ),
    line('slipway_metrics_commits_total', 'Commits that wrote metrics', 'counter', () => counts.commits),
    line('slipway_metrics_buckets_waiting', 'Buckets that wait to be written', 'gauge', () => store.waiting),
    ...roomGauges(store, 'metrics'),
  ];
}
