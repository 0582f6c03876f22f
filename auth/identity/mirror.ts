import type { Clock } from '@slipway/storage/clock';
import { type Change, type Json, type RecordStore, scanPages, StoreUnavailable } from '@slipway/storage/records';
import type { Entity } from './entities.ts';
import type { Key } from './keys.ts';

/** A mirror that was not compared with the store for this long is compared again, in the background. Milliseconds. */
const refreshAfter = 1500;
/** A mirror that was not compared with the store for this long is not believed. Milliseconds. */
const staleAfter = 4500;

/**
 * An account's records in memory, kept current by the partition's change feed, for decisions that must not wait for a
 * read. It never answers from a state older than five seconds: when the store cannot be asked, it throws instead.
 */
export class Mirror {
  readonly #records: RecordStore;
  readonly #clock: Clock;
  readonly #partition: string;
  readonly #closing = new AbortController();
  #rows = new Map<string, Json>();
  #byId = new Map<string, string>();
  #version = 0;
  #verifiedAt = Number.NEGATIVE_INFINITY;
  #verifying: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #feed = new AbortController();
  /** Moves with every change; what was derived from the rows is valid while it stands still. */
  generation = 0;

  constructor(records: RecordStore, clock: Clock, partition: string) {
    this.#records = records;
    this.#clock = clock;
    this.#partition = partition;
  }

  /** Undefined when the mirror may be read at once, otherwise a promise to wait for. @throws StoreUnavailable */
  ready(): Promise<void> | undefined {
    const age = this.#clock.monotonic() - this.#verifiedAt;
    if (age < refreshAfter) return undefined;
    const verifying = this.verify();
    if (age < staleAfter) {
      verifying.catch(() => undefined); // Whoever asks after the limit gets the error.
      return undefined;
    }
    return verifying;
  }

  /** Brings the mirror up to the store's present state. @throws StoreUnavailable */
  verify(): Promise<void> {
    this.#verifying ??= this.#verify().finally(() => {
      this.#verifying = undefined;
    });
    return this.#verifying;
  }

  get<T>(key: Key<T>): T | undefined {
    return this.#rows.get(key) as T | undefined;
  }

  /** The record that carries a unique id. */
  byId(id: string): Entity | undefined {
    const key = this.#byId.get(id);
    return key === undefined ? undefined : (this.#rows.get(key) as Entity | undefined);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#feed.abort();
    await this.#following;
  }

  async #verify(): Promise<void> {
    if (this.#closing.signal.aborted) throw new StoreUnavailable('the identity store is closed', 'not-committed');
    const asked = this.#clock.monotonic();
    const version = await this.#records.version(this.#partition);
    if (this.#following === undefined || version !== this.#version) await this.#load();
    this.#verifiedAt = asked;
  }

  /** Reads everything. The version is taken first: what is written during the listing is reported by the feed again. */
  async #load(): Promise<void> {
    const version = await this.#records.version(this.#partition);
    const rows = new Map<string, Json>();
    for await (const page of scanPages(this.#records, this.#partition, { limit: 10_000 })) {
      for (const record of page.records) rows.set(record.key, record.value);
    }
    this.#feed.abort();
    this.#feed = new AbortController();
    this.#rows = rows;
    this.#byId = new Map();
    for (const [key, value] of rows) this.#index(key, value);
    this.#version = version;
    this.generation++;
    this.#following = this.#follow(AbortSignal.any([this.#feed.signal, this.#closing.signal]), version);
  }

  async #follow(signal: AbortSignal, after: number): Promise<void> {
    try {
      for await (const changes of this.#records.follow(this.#partition, { after, signal })) {
        if (signal.aborted) return;
        if (!this.#apply(changes)) break;
      }
    } catch {
      // The next look at the version finds the difference, loads anew and follows again; until then nothing stale is believed.
    }
    if (!signal.aborted) {
      this.#version = -1;
      this.#verifiedAt = Math.min(this.#verifiedAt, this.#clock.monotonic() - refreshAfter);
    }
  }

  /** False when the feed lost its place. */
  #apply(changes: readonly Change[]): boolean {
    for (const change of changes) {
      if (change.kind === 'reset') return false;
      const old = this.#rows.get(change.key) as { id?: string } | undefined;
      if (old?.id !== undefined) this.#byId.delete(old.id);
      if (change.kind === 'put') {
        this.#rows.set(change.key, change.value);
        this.#index(change.key, change.value);
      } else this.#rows.delete(change.key);
      this.#version = Math.max(this.#version, change.version);
    }
    this.generation++;
    return true;
  }

  #index(key: string, value: Json): void {
    const { id } = value as { id?: unknown };
    if (typeof id === 'string') this.#byId.set(id, key);
  }
}
