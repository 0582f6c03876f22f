import { type HeldLease, leadEach, type Leases } from '@slipway/storage/leases';

import { Compaction, type CompactionLimits, type CompactionPorts } from './compaction.ts';
import { metricKeys, metricsPartition } from './keys.ts';
import type { MetricBlobs } from './metric-blobs.ts';

/** Milliseconds between looks, between looks at everything, and between looks for accounts that have metrics. */
const pace = 10_000;
const thoroughPace = 3_600_000;
const searchPace = 30_000;
/** Between looks at how much room metrics take, and for how long what was found counts. */
const capPace = 60_000;
const roomGrace = 3 * capPace;

type KeeperPorts = Omit<CompactionPorts, 'measured'> & { readonly leases: Leases };

/** Looks after the files of every account, for each on one server at a time. */
export class Keeper {
  readonly #ports: KeeperPorts;
  readonly #blobs: MetricBlobs;
  readonly #limits: CompactionLimits;

  #room: { readonly stored: number; readonly limit: number; readonly at: number } | undefined;

  constructor(ports: KeeperPorts, blobs: MetricBlobs, limits: CompactionLimits) {
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
    const measured: CompactionPorts['measured'] = (room) => {
      this.#room = { ...room, at: this.#ports.clock.monotonic() };
    };
    return new Compaction(account, { ...this.#ports, measured }, this.#blobs, this.#limits, { name, epoch });
  }

  /** What metrics take and may take, bytes, as it was found within three minutes; undefined where another server looks after them. */
  room(): { readonly stored: number; readonly limit: number } | undefined {
    const room = this.#room;
    return room === undefined || this.#ports.clock.monotonic() - room.at > roomGrace ? undefined : room;
  }

  async #keep(compaction: Compaction, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    let thoroughAt = -Infinity;
    let cappedAt = -Infinity;
    while (!signal.aborted) {
      while (!signal.aborted && (await compaction.chunks()));
      if (clock.monotonic() - cappedAt >= capPace) {
        await compaction.cap();
        cappedAt = clock.monotonic();
      }
      await compaction.collectGarbage();
      if (clock.monotonic() - thoroughAt >= thoroughPace) {
        await compaction.thorough(signal);
        thoroughAt = clock.monotonic();
      }
      await clock.sleep(pace, signal).catch(() => undefined);
    }
  }
}
