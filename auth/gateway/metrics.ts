import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';
import type { Exchange } from './exchange.ts';

/** The gateway's own numbers. Label values come from the tables of operations and routes, never from requests. */
export class GatewayMetrics {
  /** Requests by service, operation and status since metrics were last read: the library looks for a counter by a text of all its labels. */
  readonly #counted = new Map<string, Map<string, Map<number, number>>>();
  readonly #seconds: Histogram<'service'>;
  readonly #denied: Counter<'service'>;

  constructor(registry: Registry, connections: () => number) {
    const registers = [registry];
    const requests: Counter<'service' | 'operation' | 'status'> = new Counter({
      name: 'slipway_requests_total',
      help: 'Requests answered, by service, operation and status',
      labelNames: ['service', 'operation', 'status'],
      registers,
      collect: () => this.#tell(requests),
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
    const { service, operation, status, decisive } = exchange;
    this.#count(service, operation, status);
    this.#seconds.observe({ service }, milliseconds / 1000);
    if (decisive?.decision.allowed === false) this.#denied.inc({ service });
  }

  #count(service: string, operation: string, status: number): void {
    let operations = this.#counted.get(service);
    if (operations === undefined) this.#counted.set(service, (operations = new Map()));
    let statuses = operations.get(operation);
    if (statuses === undefined) operations.set(operation, (statuses = new Map()));
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }

  #tell(requests: Counter<'service' | 'operation' | 'status'>): void {
    for (const [service, operations] of this.#counted)
      for (const [operation, statuses] of operations)
        for (const [status, count] of statuses) requests.inc({ service, operation, status: String(status) }, count);
    this.#counted.clear();
  }
}
