import { Gauge, type Registry } from '@prometheus-io/client';
import type { PartGauge } from '@slipway/auth/contract';

/**
 * Serves the gauges of a part, each read when somebody asks.
 * @param first whether this process says what every process of the machine would say
 */
export function registerGauges(registry: Registry, gauges: readonly PartGauge[], first: boolean): void {
  for (const { name, help, labels, across, read } of gauges) {
    if (across === 'one' && !first) continue;
    const gauge: Gauge<string> = new Gauge({
      name,
      help,
      labelNames: [...labels],
      aggregator: across === 'max' ? 'max' : 'sum',
      registers: [registry],
      collect: async () => {
        const found = await read();
        gauge.reset();
        for (const one of found) gauge.set({ ...one.labels }, one.value);
      },
    });
  }
}
