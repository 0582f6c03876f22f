import { LRUCache } from 'lru-cache';
import type { Clock } from '@slipway/storage/clock';
import type { Json, RecordStore } from '@slipway/storage/records';
import { usageKeys, usagePartition as partition } from './keys.ts';
import type { LimitName, LocalRates } from './rates.ts';

/** Who has the buckets: this process, or another one that is asked. */
export interface UsageSource extends Pick<LocalRates, 'usedElsewhere'> {
  used(): ReturnType<LocalRates['used']> | Promise<ReturnType<LocalRates['used']>>;
}

export interface SharedUsageOptions {
  readonly rates: UsageSource;
  readonly records: RecordStore;
  readonly clock: Clock;
  /** The holder of these buckets, unlike every other and every earlier one: a random id. */
  readonly server: string;
  /** Milliseconds between two exchanges. Default 500. */
  readonly interval?: number;
  readonly onError?: (error: unknown) => void;
}

/** What one server's callers have used since it started, by `<limit> <key>`. */
interface UsageRecord {
  readonly used: Readonly<Record<string, number>>;
}

/** Keys in one record: those that were used last. */
const mostKeys = 2000;
/** A server that wrote nothing for this long is gone or idle; either way its record is of no use. Milliseconds. */
const forgottenAfter = 600_000;

/**
 * Lets servers on one store count together. Each writes what its callers used, at most once an interval and only when it
 * changed, and takes what the others wrote from its own buckets, which may owe: no request waits for the store, and in the
 * long run a caller gets its rate once, however many servers it asks. At once it can get its burst from each server, for the
 * length of an interval; it is paid for afterwards.
 */
export class SharedUsage {
  readonly #options: SharedUsageOptions;
  readonly #stop = new AbortController();
  /** What was last read of other servers, key by key, and when it last changed. */
  readonly #others = new Map<string, { used: LRUCache<string, number>; version: number; changedAt: number }>();
  #written = '';
  #version = -1;
  #first = true;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SharedUsageOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends the exchange and takes this server's record away. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    const { records, server } = this.#options;
    if (this.#written !== '')
      await records.commit(partition, { remove: [usageKeys.of(server)] }).catch(() => undefined);
  }

  /** One exchange: tells the others what was used here, and counts what they told. */
  async exchange(): Promise<void> {
    await this.#write();
    await this.#read();
    this.#first = false;
  }

  async #run(): Promise<void> {
    const { clock, interval = 500, onError } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.exchange().catch((error: unknown) => onError?.(error));
      await clock.sleep(interval, signal).catch(() => undefined);
    }
  }

  async #write(): Promise<void> {
    const { rates, records, server } = this.#options;
    const used = Object.fromEntries([...(await rates.used())].slice(0, mostKeys));
    const text = JSON.stringify(used);
    if (text === this.#written || (this.#written === '' && text === '{}')) return;
    await records.commit(partition, { put: [{ key: usageKeys.of(server), value: { used } }] });
    this.#written = text;
  }

  async #read(): Promise<void> {
    const { records, server, clock } = this.#options;
    const version = await records.version(partition);
    if (version !== this.#version) {
      const { records: found } = await records.list<UsageRecord & Json>(partition, { prefix: usageKeys.all });
      for (const { key, value, version: changed } of found) {
        const id = key.slice(usageKeys.all.length);
        if (id !== server) this.#count(id, value.used, changed);
      }
      this.#version = version;
    }
    const gone = [...this.#others].filter(([, { changedAt }]) => clock.monotonic() - changedAt > forgottenAfter);
    if (gone.length === 0) return;
    for (const [id] of gone) this.#others.delete(id);
    await records.commit(partition, { remove: gone.map(([id]) => usageKeys.of(id)) });
  }

  #count(server: string, used: Readonly<Record<string, number>>, version: number): void {
    const { rates, clock } = this.#options;
    const known = this.#others.get(server);
    if (known?.version === version) return;
    const counts = known?.used ?? new LRUCache<string, number>({ max: 10_000 });
    this.#others.set(server, { used: counts, version, changedAt: clock.monotonic() });
    for (const [name, count] of Object.entries(used)) {
      // What others' callers used before this server started is none of its concern. Less than before: a process gave tokens back.
      const more = this.#first ? 0 : count - (counts.get(name) ?? 0);
      counts.set(name, count);
      const space = name.indexOf(' ');
      if (more !== 0) rates.usedElsewhere(name.slice(0, space) as LimitName, name.slice(space + 1), more);
    }
  }
}
