import type { BlobStore } from '@slipway/storage/blobs';
import type { Clock } from '@slipway/storage/clock';
import { type HeldLease, leadEach, type Leases } from '@slipway/storage/leases';
import { type RecordStore, scan } from '@slipway/storage/records';
import { Counts } from '../filters/index.ts';
import { Deliveries, type DeliveriesPorts, type DeliveryNumbers, noDeliveries, Owing } from '../subscriptions/index.ts';
import { Compaction, type CompactionLimits } from './compaction.ts';
import type { EventBlobs } from './event-blobs.ts';
import { dayOf, logKeys, logsPartition } from './keys.ts';
import type { SegmentRecord } from './records.ts';
import { Retention } from './retention.ts';

export interface KeeperPorts extends DeliveriesPorts {
  readonly blobs: BlobStore;
  readonly leases: Leases;
}

/** Milliseconds between looks, and between looks at everything. */
const pace = 5000;
/** Between looks for accounts that have logs. */
const searchPace = 30_000;
const thoroughPace = 60 * 60_000;
/** For how long what was measured counts. */
const roomGrace = 60_000;

/** Compacts, and lets go of what is over: for each account on one server at a time. */
export class Keeper {
  readonly #ports: KeeperPorts;
  readonly #blobs: EventBlobs;
  readonly #limits: CompactionLimits;
  /** What was done for subscription filters. */
  readonly deliveries: DeliveryNumbers = noDeliveries();
  #room: { readonly stored: number; readonly limit: number; readonly at: number } | undefined;

  constructor(ports: KeeperPorts, blobs: EventBlobs, limits: CompactionLimits) {
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
        prefix: logsPartition(''),
        name: logKeys.keeper,
        clock,
        signal,
        searchPace,
        waiting: (err) => log.warn({ err }, 'the upkeep of logs waits for the store'),
        interrupted: (err, account) => log.warn({ err, account }, 'the upkeep of logs failed; it begins anew'),
        retryAfter: pace,
        retryAtMost: 60_000,
      },
      (lease, held, account) => this.#keep(account, lease, held),
    );
  }

  /** What logs take and may take, bytes, as it was found within a minute; undefined where another server looks after them. */
  room(): { readonly stored: number; readonly limit: number } | undefined {
    const room = this.#room;
    return room === undefined || this.#ports.clock.monotonic() - room.at > roomGrace ? undefined : room;
  }

  #measured(room: { readonly stored: number; readonly limit: number }): void {
    this.#room = { ...room, at: this.#ports.clock.monotonic() };
  }

  async #keep(account: string, lease: HeldLease, signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const until = AbortSignal.any([signal, ended.signal]);
    const telling = this.tell(account, lease, until);
    try {
      await this.#rounds(account, lease, until);
    } finally {
      ended.abort(signal.reason ?? new Error('the upkeep ended'));
      await telling;
    }
  }

  /** Tells receivers of subscription filters what comes, as a holder of the lease; for tests as well. */
  tell(account: string, lease: Pick<HeldLease, 'name' | 'epoch'>, signal: AbortSignal): Promise<void> {
    const fence = { name: lease.name, epoch: lease.epoch };
    return new Deliveries(account, this.#ports, this.#blobs, fence, this.deliveries).run(signal);
  }

  async #rounds(account: string, lease: HeldLease, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const round = this.round(account, lease);
    for (let thoroughAt = -Infinity; !signal.aborted;) {
      await round.quick(signal);
      if (clock.monotonic() - thoroughAt >= thoroughPace) {
        await round.thorough(signal);
        thoroughAt = clock.monotonic();
      }
      await clock.sleep(pace, signal).catch(() => undefined);
    }
  }

  /** What a holder of the lease does again and again; for tests as well. */
  round(account: string, lease: Pick<HeldLease, 'name' | 'epoch'>): KeeperRound {
    const fence = { name: lease.name, epoch: lease.epoch };
    const counts = new Counts(account, this.#ports, fence);
    return new KeeperRound(
      this.#ports.records,
      account,
      this.#ports.clock,
      new Compaction(
        account,
        this.#ports,
        this.#blobs,
        this.#limits,
        fence,
        counts,
        new Owing(account, this.#ports, this.#blobs),
      ),
      new Retention(account, { ...this.#ports, measured: (room) => this.#measured(room) }, fence),
      counts,
    );
  }
}

export class KeeperRound {
  readonly #records: RecordStore;
  readonly #account: string;
  readonly #clock: Clock;
  readonly #compaction: Compaction;
  readonly #retention: Retention;
  readonly #counts: Pick<Counts, 'tell'>;

  constructor(
    records: RecordStore,
    account: string,
    clock: Clock,
    compaction: Compaction,
    retention: Retention,
    counts: Pick<Counts, 'tell'>,
  ) {
    this.#counts = counts;
    this.#records = records;
    this.#account = account;
    this.#clock = clock;
    this.#compaction = compaction;
    this.#retention = retention;
  }

  async quick(signal: AbortSignal): Promise<void> {
    for (;;) {
      const done = await this.#compaction.chunks();
      for (const day of done?.days ?? []) {
        while (!signal.aborted && (await this.#compaction.segments(day)));
      }
      await this.#retention.cap();
      await this.#counts.tell(signal);
      if (done?.more !== true || signal.aborted) break;
    }
    await this.#retention.forget();
    await this.#retention.collectGarbage();
  }

  /** Looks at all there is: what is over goes, and small segments of days that have passed become one. */
  async thorough(signal: AbortSignal): Promise<void> {
    await this.#retention.expire();
    await this.#retention.forgetStreams();
    const today = dayOf(this.#clock.now());
    const segments = scan<SegmentRecord>(this.#records, logsPartition(this.#account), { prefix: logKeys.segments });
    let last = '';
    for await (const { key, value } of segments) {
      signal.throwIfAborted();
      const [group = ''] = key.slice(logKeys.segments.length).split('/');
      const day = dayOf(value.minTimestamp);
      if (last === `${group} ${day}` || day >= today) continue;
      last = `${group} ${day}`;
      while (!signal.aborted && (await this.#compaction.segments({ group, day }, true)));
    }
  }
}
