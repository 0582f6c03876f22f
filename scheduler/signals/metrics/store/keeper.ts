import { type HeldLease, leadEach, type Leases } from '@slipway/storage/leases';

import { Compaction, type CompactionLimits, type CompactionPorts } from './compaction.ts';
import { metricKeys, metricsPartition } from './keys.ts';
import type { MetricBlobs } from './metric-blobs.ts';

/** Milliseconds between looks, between looks at everything, and between looks for accounts that have metrics. */
const pace = 10_000;
const thoroughPace = 3_600_000;
const searchPace = 30_000;

/** Looks after the files of every account, for each on one server at a time. */
export class Keeper {
  readonly #ports: CompactionPorts & { readonly leases: Leases };
  readonly #blobs: MetricBlobs;
  readonly #limits: CompactionLimits;

  constructor(ports: CompactionPorts & { readonly leases: Leases }, blobs: MetricBlobs, limits: CompactionLimits) {
    this.#ports = ports;
    this.#blobs = blobs;
    this.#limits = limits;
  }

  /** Works until the signal aborts; it never rejects. */
  run(signal: AbortSignal): Promise<void> {
    const { records, leases, clock, log } = this.#ports;
    return leadEach(
      leases,
      {
        records,
        prefix: metricsPartition(''),
        name: metricKeys.keeper,
        clock,
        signal,
        searchPace,
        waiting: (err) => log.warn({ err }, 'the upkeep of metrics waits for the store'),
        interrupted: (err, account) => log.warn({ err, account }, 'the upkeep of metrics failed; it begins anew'),
        retryAfter: pace,
        retryAtMost: 60_000,
      },
      (lease, held, account) => this.#keep(this.compaction(account, lease), held),
    );
  }

  /** What a holder of the lease does; for tests as well. */
  compaction(account: string, { name, epoch }: Pick<HeldLease, 'name' | 'epoch'>): Compaction {
    return new Compaction(account, this.#ports, this.#blobs, this.#limits, { name, epoch });
  }

  async #keep(compaction: Compaction, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    let thoroughAt = -Infinity;
    while (!signal.aborted) {
      while (!signal.aborted && (await compaction.chunks()));
      await compaction.collectGarbage();
      if (clock.monotonic() - thoroughAt >= thoroughPace) {
        await compaction.thorough(signal);
        thoroughAt = clock.monotonic();
      }
      await clock.sleep(pace, signal).catch(() => undefined);
    }
  }
}
