import { Counter, type Registry } from '@prometheus-io/client';
import type { CollectReport } from '@slipway/registry/collector';
import type { RegistryMeter } from '@slipway/registry/part';

/** The registry's own numbers; requests are counted by the gateway. */
export class RegistryMetrics implements RegistryMeter {
  readonly #received: Counter;
  readonly #sent: Counter;
  readonly #lookups: Counter<'result'>;
  readonly #freed: Counter;
  readonly #removed: Counter;
  readonly #kept: Counter<'reason'>;
  readonly #upstream: Counter<'upstream' | 'cause'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
    this.#received = counter('slipway_registry_received_bytes_total', 'Bytes of blobs that uploads brought');
    this.#sent = counter('slipway_registry_sent_bytes_total', 'Bytes of blobs sent from here, redirects not counted');
    this.#lookups = new Counter({
      name: 'slipway_registry_manifest_lookups_total',
      help: 'Pulls of manifests by whether the bytes were in memory',
      labelNames: ['result'],
      registers,
    });
    this.#freed = counter('slipway_registry_collector_freed_bytes_total', 'Bytes that the collector freed');
    this.#removed = counter('slipway_registry_collector_removed_total', 'Blobs that the collector removed');
    this.#kept = new Counter({
      name: 'slipway_registry_collector_kept_total',
      help: 'Blobs that the collector looked at and kept, by reason',
      labelNames: ['reason'],
      registers,
    });
    this.#upstream = new Counter({
      name: 'slipway_registry_upstream_failures_total',
      help: 'Times that the registry of a pull-through cache rule did not give what it was asked for, by cause',
      labelNames: ['upstream', 'cause'],
      registers,
    });
    // There from the start, so that a first one is an increase.
    for (const result of ['hit', 'miss']) this.#lookups.inc({ result }, 0);
    for (const reason of ['referenced', 'leased', 'grace']) this.#kept.inc({ reason }, 0);
  }

  received(bytes: number): void {
    this.#received.inc(bytes);
  }

  sent(bytes: number): void {
    this.#sent.inc(bytes);
  }

  looked(hit: boolean): void {
    this.#lookups.inc({ result: hit ? 'hit' : 'miss' });
  }

  upstreamFailed(upstream: string, cause: string): void {
    this.#upstream.inc({ upstream, cause });
  }

  collected({ referenced, leased, released, removed, freedBytes }: CollectReport): void {
    this.#freed.inc(freedBytes);
    this.#removed.inc(removed);
    this.#kept.inc({ reason: 'referenced' }, referenced);
    this.#kept.inc({ reason: 'leased' }, leased);
    this.#kept.inc({ reason: 'grace' }, released);
  }
}
