import type { Clock } from '../clock/index.ts';
import { ConditionFailed, fenceKey, type RecordStore, StaleEpoch, type Stored } from '../records/index.ts';
import type { HeldLease, LeaseOptions, Leases } from './lease.ts';

const defaultTtl = 5000;

/** Who holds a lease. The row changes at each renewal; candidates watch it change and compare no clocks. */
interface Holder {
  readonly id: string;
  readonly epoch: number;
  /** How long, in milliseconds, the holder may stay silent. */
  readonly ttl: number;
  readonly renewals: number;
}

const holderKey = (name: string): string => `$lease/${name}/holder`;

/**
 * Leases over any record store. Time passes on each side's own monotonic clock: a candidate takes the lease after having seen the
 * holder's row unchanged for its whole time-out, and a holder stops earlier by its own clock. Where that fails, because a
 * process was stopped for instance, the epoch in every commit (`Batch.fence`) does not.
 * @param random numbers in [0, 1), for the holder's name and for spreading candidates in time
 */
export function openLeases(records: RecordStore, clock: Clock, random: () => number): Leases {
  return new RecordLeases(records, clock, random);
}

class RecordLeases implements Leases {
  readonly #records: RecordStore;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(records: RecordStore, clock: Clock, random: () => number) {
    this.#records = records;
    this.#clock = clock;
    this.#random = random;
  }

  async acquire(partition: string, name: string, options: LeaseOptions): Promise<HeldLease> {
    const ttl = options.ttl ?? defaultTtl;
    let seen: { version: number; since: number } | undefined;
    const spread = (ms: number): number => ms * (0.5 + this.#random());
    for (;;) {
      options.signal.throwIfAborted();
      const startedAt = this.#clock.monotonic();
      const rows = await this.#read(partition, name);
      const { holder } = rows;
      const renewed = holder !== undefined && seen !== undefined && holder.version !== seen.version;
      if (holder?.version !== seen?.version)
        seen = holder && { version: holder.version, since: this.#clock.monotonic() };
      const silent = seen === undefined ? Infinity : startedAt - seen.since;
      // A holder whose epoch is not the current one has already lost: its commits fail.
      if (holder === undefined || holder.value.epoch !== rows.epoch?.value || silent >= holder.value.ttl) {
        const taken = await this.#take(partition, name, ttl, rows);
        if (taken !== undefined) return taken;
      }
      // A row that has just changed changes next when the holder renews it again. Only from then on it is worth looking often.
      await this.#clock.sleep(spread(ttl / 12) + (renewed ? holder.value.ttl / 4 : 0), options.signal);
    }
  }

  async observe(partition: string, name: string, epoch: number): Promise<void> {
    if (!Number.isSafeInteger(epoch) || epoch < 0) throw new RangeError(`an epoch is a whole number, not ${epoch}`);
    for (;;) {
      const key = fenceKey(name);
      const current = await this.#records.get<number>(partition, key);
      if (epoch <= (current?.value ?? 0)) return;
      try {
        await this.#records.commit(partition, {
          require: [current === undefined ? { key, exists: false } : { key, version: current.version }],
          put: [{ key, value: epoch }],
        });
        return;
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error;
      }
    }
  }

  async #read(partition: string, name: string): Promise<{ epoch?: Stored<number>; holder?: Stored<Holder> }> {
    const rows = await this.#records.getMany(partition, [fenceKey(name), holderKey(name)]);
    const epoch = rows.get(fenceKey(name)) as Stored<number> | undefined;
    const holder = rows.get(holderKey(name)) as unknown as Stored<Holder> | undefined;
    return { ...(epoch && { epoch }), ...(holder && { holder }) };
  }

  async #take(
    partition: string,
    name: string,
    ttl: number,
    rows: { epoch?: Stored<number>; holder?: Stored<Holder> },
  ): Promise<HeldLease | undefined> {
    const epoch = (rows.epoch?.value ?? 0) + 1;
    const id = Math.floor(this.#random() * 2 ** 48).toString(16);
    const unchanged = (key: string, row: Stored<unknown> | undefined) =>
      row === undefined ? { key, exists: false } : { key, version: row.version };
    const at = this.#clock.monotonic();
    try {
      await this.#records.commit(partition, {
        require: [unchanged(fenceKey(name), rows.epoch), unchanged(holderKey(name), rows.holder)],
        put: [
          { key: fenceKey(name), value: epoch },
          { key: holderKey(name), value: { id, epoch, ttl, renewals: 0 } },
        ],
      });
    } catch (error) {
      if (error instanceof ConditionFailed) return undefined;
      throw error;
    }
    return new Held(this.#records, this.#clock, { partition, name, holder: { id, epoch, ttl, renewals: 0 }, at });
  }
}

class Held implements HeldLease {
  readonly partition: string;
  readonly name: string;
  readonly epoch: number;
  readonly #records: RecordStore;
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  readonly #renewing: Promise<void>;
  #holder: Holder;
  /** Monotonic time at which the newest successful renewal was begun. */
  #renewedAt: number;

  constructor(
    records: RecordStore,
    clock: Clock,
    taken: { partition: string; name: string; holder: Holder; at: number },
  ) {
    this.#records = records;
    this.#clock = clock;
    this.partition = taken.partition;
    this.name = taken.name;
    this.epoch = taken.holder.epoch;
    this.#holder = taken.holder;
    this.#renewedAt = taken.at;
    this.#renewing = this.#renew();
    void this.#expire();
  }

  get lost(): AbortSignal {
    return this.#ended.signal;
  }

  async release(): Promise<void> {
    this.#end('released');
    // A renewal on its way would otherwise put the row back.
    await this.#renewing;
    try {
      await this.#records.commit(this.partition, {
        fence: { name: this.name, epoch: this.epoch },
        remove: [holderKey(this.name)],
      });
    } catch (error) {
      if (!(error instanceof StaleEpoch)) throw error;
    }
  }

  /** Writes the holder's row every third of its time-out. What fails for a passing reason is tried again until the time is over. */
  async #renew(): Promise<void> {
    let pause = this.#holder.ttl / 3;
    while (!this.lost.aborted) {
      try {
        await this.#clock.sleep(pause, this.lost);
        pause = this.#holder.ttl / 12;
        const at = this.#clock.monotonic();
        const holder = { ...this.#holder, renewals: this.#holder.renewals + 1 };
        await this.#records.commit(this.partition, {
          fence: { name: this.name, epoch: this.epoch },
          put: [{ key: holderKey(this.name), value: holder }],
        });
        this.#holder = holder;
        this.#renewedAt = at;
        pause = this.#holder.ttl / 3;
      } catch (error) {
        if (error instanceof StaleEpoch) this.#end('taken by another holder');
      }
    }
  }

  /** Ends the lease before anybody else may take it, whatever the renewals are waiting for. */
  async #expire(): Promise<void> {
    try {
      for (;;) {
        const left = this.#renewedAt + (this.#holder.ttl * 5) / 6 - this.#clock.monotonic();
        if (left <= 0) break;
        await this.#clock.sleep(left, this.lost);
      }
      this.#end('not renewed in time');
    } catch {
      // Ended already.
    }
  }

  #end(reason: string): void {
    if (!this.lost.aborted) this.#ended.abort(new Error(`lease ${this.name} of ${this.partition}: ${reason}`));
  }
}
