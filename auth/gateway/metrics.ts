import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';
import type { Exchange } from './exchange.ts';

/** The gateway's own numbers. Label values come from the tables of operations and routes, never from requests. */
export class GatewayMetrics {
  readonly #requests: Counter<'service' | 'operation' | 'status'>;
  readonly #seconds: Histogram<'service'>;
  readonly #denied: Counter<'service'>;

  constructor(registry: Registry, connections: () => number) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'slipway_requests_total',
      help: 'Requests answered, by service, operation and status',
      labelNames: ['service', 'operation', 'status'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'slipway_request_seconds',
      help: 'Time from the head of a request to the end of its answer',
      labelNames: ['service'],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60],
      registers,
    });
    this.#denied = new Counter({
      name: 'slipway_requests_denied_total',
      help: 'Requests that a policy refused',
      labelNames: ['service'],
      registers,
    });
    const open: Gauge = new Gauge({
      name: 'slipway_connections',
      help: 'Open client connections',
      registers,
      collect: () => open.set(connections()),
    });
  }

  record(exchange: Exchange, milliseconds: number): void {
    const { service, operation, status, judged } = exchange;
    this.#requests.inc({ service, operation, status: String(status) });
    this.#seconds.observe({ service }, milliseconds / 1000);
    if (judged.length > 0 && judged.at(-1)?.decision.allowed !== true) this.#denied.inc({ service });
  }
}
