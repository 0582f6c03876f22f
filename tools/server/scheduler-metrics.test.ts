import { readFileSync } from 'node:fs';
import { Registry } from '@prometheus-io/client';
import { schedulerGauges } from '@slipway/scheduler/part';
import { usageGauges } from '@slipway/scheduler/signals/usage';
import { expect, test } from 'vitest';
import { registerGauges } from './gauges.ts';
import { SchedulerMetrics } from './scheduler-metrics.ts';

test('decisions and passes appear in the text that is scraped, every kind of decision from the start', async () => {
  const registry = new Registry();
  const metrics = new SchedulerMetrics(registry);
  expect(await registry.metrics()).toContain('slipway_scheduler_decisions_total{what="rollback"} 0');
  metrics.decided('start');
  metrics.decided('start');
  metrics.decided('deployment-failed');
  metrics.hooked('webhook', 'FAILED');
  metrics.passed(4);
  metrics.passed(700);
  const text = await registry.metrics();
  for (const line of [
    'slipway_scheduler_decisions_total{what="start"} 2',
    'slipway_scheduler_decisions_total{what="deployment-failed"} 1',
    'slipway_scheduler_hooks_total{kind="webhook",outcome="FAILED"} 1',
    'slipway_scheduler_hooks_total{kind="task",outcome="SUCCEEDED"} 0',
    'slipway_scheduler_pass_seconds_bucket{le="0.005"} 1',
    'slipway_scheduler_pass_seconds_bucket{le="2"} 2',
    'slipway_scheduler_pass_seconds_count 2',
  ])
    expect(text).toContain(line);
});

test('the page about metrics says each metric with its labels and no other, and names are as Prometheus wants them', async () => {
  const registry = new Registry();
  new SchedulerMetrics(registry);
  const gauges = [...schedulerGauges({ clusters: () => [] }), ...usageGauges({ newest: () => [] })];
  registerGauges(registry, gauges, true);
  const labelsOf = new Map(gauges.map(({ name, labels }) => [name, labels]));
  labelsOf.set('slipway_scheduler_decisions_total', ['what']);
  labelsOf.set('slipway_scheduler_hooks_total', ['kind', 'outcome']);
  const metrics = registry.getMetricsAsArray().map(({ name, type }) => ({ name, type: String(type) }));
  for (const { name, type } of metrics) {
    expect(name).toMatch(/^slipway_(?:scheduler|task)_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(/(?<!per)_seconds$/.test(name)).toBe(type === 'histogram');
  }
  const page = readFileSync(new URL('../../scheduler/signals.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `(slipway_(?:scheduler|task_(?!log_))[^`]+)` \| [^|]+ \|[^|]+ \|$/gm)].map(
    ([, row]) => row,
  );
  const expected = metrics.map(({ name }) => {
    const labels = labelsOf.get(name) ?? [];
    return labels.length === 0 ? name : `${name}{${labels.join(',')}}`;
  });
  expect(new Set(rows)).toEqual(new Set(expected));
});
