import { Counter, Gauge, type Registry } from '@prometheus-io/client';
import type { PartGauge, PartHistogram } from '@slipway/auth/contract';

/**
 * Serves the numbers of a part, each read when somebody asks.
 * @param first whether this process says what every process of the machine would say
 */
export function registerGauges(
  registry: Registry,
  gauges: readonly (PartGauge | PartHistogram)[],
  first: boolean,
): void {
  for (const one of gauges) {
    if (one.across === 'one' && !first) continue;
    if ('bounds' in one) registerHistogram(registry, one);
    else registerOne(registry, one);
  }
}

function registerOne(registry: Registry, { name, help, labels, kind, across, read }: PartGauge): void {
  const metric: Gauge<string> | Counter<string> = new (kind === 'counter' ? Counter<string> : Gauge<string>)({
    name,
    help,
    labelNames: [...labels],
    aggregator: across === 'max' ? 'max' : 'sum',
    registers: [registry],
    collect: async () => {
      const found = await read();
      metric.reset();
      for (const { labels, value } of found) metric.inc({ ...labels }, value);
    },
  });
}

/** The client's own histograms count by themselves; this one was counted elsewhere, and is written as they are. */
function registerHistogram(registry: Registry, { name, help, bounds, read }: PartHistogram): void {
  registry.registerMetric({
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    reset: () => undefined,
    get: async () => {
      const values = (await read()).flatMap(({ labels, classes, sum }) => {
        let count = 0;
        const buckets = [...bounds, '+Inf'].map((le, i) => {
          count += classes[i] ?? 0;
          return { labels: { ...labels, le }, value: count, metricName: `${name}_bucket` };
        });
        return [
          ...buckets,
          { labels: { ...labels }, value: sum, metricName: `${name}_sum` },
          { labels: { ...labels }, value: count, metricName: `${name}_count` },
        ];
      });
      return { name, help, type: 'histogram', values, aggregator: 'sum' };
    },
  } as unknown as Parameters<Registry['registerMetric']>[0]);
}
