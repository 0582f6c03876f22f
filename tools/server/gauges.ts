import { Gauge, type Registry } from '@prometheus-io/client';
import type { PartGauge } from '@slipway/auth/contract';

/** Serves the gauges of a part, each read when somebody asks: register them in one process of an installation only. */
export function registerGauges(registry: Registry, gauges: readonly PartGauge[]): void {
  for (const { name, help, labels, read } of gauges) {
    const gauge: Gauge<string> = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [registry],
      collect: async () => {
        const found = await read();
        gauge.reset();
        for (const one of found) gauge.set({ ...one.labels }, one.value);
      },
    });
  }
}
