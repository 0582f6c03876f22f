import { Registry } from '@prometheus-io/client';
import { expect, test } from 'vitest';
import { RegistryMetrics } from './registry-metrics.ts';

test('bytes, lookups and collections appear in the text that is scraped', async () => {
  const registry = new Registry();
  const metrics = new RegistryMetrics(registry);
  metrics.received(1000);
  metrics.received(24);
  metrics.sent(7);
  metrics.looked(true);
  metrics.looked(true);
  metrics.looked(false);
  metrics.upstreamFailed('gone.test', 'unavailable');
  metrics.collected({
    reviewed: 9,
    referenced: 4,
    leased: 3,
    released: 1,
    removed: 1,
    freedBytes: 500,
    stoppedAtMaximum: false,
  });
  const text = await registry.metrics();
  for (const line of [
    'slipway_registry_received_bytes_total 1024',
    'slipway_registry_sent_bytes_total 7',
    'slipway_registry_manifest_lookups_total{result="hit"} 2',
    'slipway_registry_manifest_lookups_total{result="miss"} 1',
    'slipway_registry_upstream_failures_total{upstream="gone.test",cause="unavailable"} 1',
    'slipway_registry_collector_freed_bytes_total 500',
    'slipway_registry_collector_removed_total 1',
    'slipway_registry_collector_kept_total{reason="referenced"} 4',
    'slipway_registry_collector_kept_total{reason="leased"} 3',
    'slipway_registry_collector_kept_total{reason="grace"} 1',
  ])
    expect(text).toContain(line);
});
