import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../clock/index.ts';
import type { AnnouncedEvent, AnnouncedStream, EventSource } from '../announced.ts';
import { Bell } from '../bell.ts';
import { compareKeys, encodeBatch, type EncodedBatch, fenceKey, limits, pageCharacters, pageLimit } from '../encode.ts';
import {
  type Batch,
  type Change,
  type Committed,
  type Condition,
  ConditionFailed,
  type FollowOptions,
  type Json,
  type ListOptions,
  type Page,
  type RecordStore,
  StaleEpoch,
  type Stored,
  StoreUnavailable,
} from '../record-store.ts';
import { SortedKeys } from './sorted-keys.ts';

interface Row {
  readonly json: string;
  readonly version: number;
  /** What `json` says, frozen in depth, once somebody has asked: all readers of a version share it, and none can change it. */
  value: Json | undefined;
}

interface Partition {
  version: number;
  readonly rows: Map<string, Row>;
  /** The keys of `rows`. */
  readonly sorted: SortedKeys;
  readonly removed: Map<string, number>;
  /** Which key was written or removed by which version, oldest first; entries that a later one made void are dropped now and then. */
  log: { readonly version: number; readonly key: string }[];
  readonly events: Map<string, AnnouncedEvent[]>;
  /** Rings at each change of the partition. */
  readonly bell: Bell;
}

/** What outlives the servers of a simulation: open it anew after a crash, or in several servers at once. */
export interface MemoryData {
  readonly partitions: Map<string, Partition>;
  /** Rings when events were announced, in whichever partition. */
  readonly announced: Bell;
  /** How often it was put back to an earlier state. */
  losses: number;
}

export function memoryData(): MemoryData {
  return { partitions: new Map(), announced: new Bell(), losses: 0 };
}

/** Remembers the data as it is now. @returns puts it back: what was committed since is lost, as in a failover to a replica that lagged */
export function checkpoint(data: MemoryData): () => void {
  const kept = Array.from(data.partitions, ([name, held]): [string, Partition] => [name, copyOf(held)]);
  return () => {
    const lost = [...data.partitions.values()];
    data.partitions.clear();
    for (const [name, held] of kept) data.partitions.set(name, copyOf(held));
    data.losses += 1;
    for (const { bell } of lost) bell.ring();
    data.announced.ring();
  };
}

function copyOf({ version, rows, sorted, removed, log, events }: Partition): Partition {
  return {
    version,
    rows: new Map(rows),
    sorted: sorted.copy(),
    removed: new Map(removed),
    log: [...log],
    events: new Map(Array.from(events, ([topic, list]) => [topic, [...list]])),
    bell: new Bell(),
  };
}

/**
 * A record store in memory for simulations and tests: the contract of the durable drivers without their disk, threads and timers.
 * Every call settles without the passing of time.
 */
export function memoryRecords(clock: Clock, data: MemoryData = memoryData()): RecordStore & EventSource {
  return new MemoryRecords(clock, data);
}

class MemoryRecords implements RecordStore, EventSource {
  readonly #clock: Clock;
  readonly #data: MemoryData;
  readonly #partitions: Map<string, Partition>;
  readonly #closing = new AbortController();

  constructor(clock: Clock, data: MemoryData) {
    this.#clock = clock;
    this.#data = data;
    this.#partitions = data.partitions;
  }

  async get<T = Json>(partition: string, key: string): Promise<Stored<T> | undefined> {
    const row = this.#partition(partition).rows.get(key);
    return row && toStored<T>(key, row);
  }

  async getMany<T = Json>(partition: string, keys: readonly string[]): Promise<ReadonlyMap<string, Stored<T>>> {
    const { rows } = this.#partition(partition);
    return new Map(keys.flatMap((key) => (rows.has(key) ? [[key, toStored<T>(key, rows.get(key)!)]] : [])));
  }

  async list<T = Json>(partition: string, options: ListOptions = {}): Promise<Page<T>> {
    const { prefix = '', after } = options;
    const limit = pageLimit(options.limit);
    const most = pageCharacters(options.characters);
    const { rows, sorted } = this.#partition(partition);
    const found: Stored<T>[] = [];
    let characters = 0;
    const start = after !== undefined && compareKeys(after, prefix) > 0 ? after : prefix;
    for (const key of sorted.from(start)) {
      if (key === after) continue;
      if (!key.startsWith(prefix)) break;
      if (found.length === limit || characters > most) return { records: found, more: true };
      const row = rows.get(key)!;
      found.push(toStored<T>(key, row));
      characters += row.json.length;
    }
    return { records: found, more: false };
  }

  async count(partition: string, prefix: string, most: number): Promise<number> {
    let found = 0;
    for (const key of this.#partition(partition).sorted.from(prefix)) {
      if (found >= most || !key.startsWith(prefix)) break;
      found += 1;
    }
    return found;
  }

  async commit(partition: string, batch: Batch): Promise<Committed> {
    const encoded = encodeBatch(partition, batch, this.#clock.now());
    if (this.#closing.signal.aborted) throw new StoreUnavailable('the store is closed', 'not-committed');
    const held = this.#partition(partition);
    const { fence } = encoded;
    if (fence !== undefined && held.rows.get(fenceKey(fence.name))?.json !== String(fence.epoch)) {
      throw new StaleEpoch(fence);
    }
    const failed = encoded.require.filter((condition) => !holds(held, condition));
    if (failed.length > 0) throw new ConditionFailed(failed);
    const version = write(held, encoded);
    held.bell.ring();
    if (encoded.announce.length > 0) this.#data.announced.ring();
    return { version };
  }

  async version(partition: string): Promise<number> {
    return this.#partition(partition).version;
  }

  async *follow(partition: string, options: FollowOptions): AsyncIterable<readonly Change[]> {
    const ring = (): void => this.#partition(partition).bell.ring();
    const over = this.#whenOver(options.signal, ring);
    let after = options.after ?? this.#partition(partition).version;
    let { losses } = this.#data;
    try {
      while (!over.is()) {
        const held = this.#partition(partition);
        const rung = held.bell.next();
        const lost = losses < this.#data.losses;
        losses = this.#data.losses;
        const changes: readonly Change[] = lost
          ? [{ kind: 'reset', version: held.version }]
          : changesAfter(held, after);
        if (changes.length > 0) {
          after = changes.at(-1)!.version;
          yield changes;
        } else {
          await rung;
        }
      }
    } finally {
      over.forget();
    }
  }

  async partitions(options: ListOptions = {}): Promise<{ readonly names: readonly string[]; readonly more: boolean }> {
    const { prefix = '', after } = options;
    const limit = pageLimit(options.limit);
    const names: string[] = [];
    for (const [name, { rows }] of this.#partitions) {
      if (rows.size === 0 || !name.startsWith(prefix)) continue;
      if (after === undefined || compareKeys(name, after) > 0) names.push(name);
    }
    names.sort(compareKeys);
    return { names: names.slice(0, limit), more: names.length > limit };
  }

  async announced(partition: string, topic: string, after: number, limit: number): Promise<readonly AnnouncedEvent[]> {
    const events = this.#partition(partition).events.get(topic) ?? [];
    return structuredClone(events.slice(after, after + limit));
  }

  async *streams(topic: string, until: AbortSignal): AsyncIterable<readonly AnnouncedStream[]> {
    const over = this.#whenOver(until, () => this.#data.announced.ring());
    const told = new Map<string, number>();
    try {
      while (!over.is()) {
        const rung = this.#data.announced.next();
        const grown: AnnouncedStream[] = [];
        for (const [partition, { events }] of this.#partitions) {
          const last = events.get(topic)?.length ?? 0;
          if (last === (told.get(partition) ?? 0)) continue;
          told.set(partition, last);
          grown.push({ partition, first: 1, last });
        }
        if (grown.length > 0) yield grown;
        else await rung;
      }
    } finally {
      over.forget();
    }
  }

  /** Rings for one that follows when it is to end: one listener for all its waiting. */
  #whenOver(signal: AbortSignal, ring: () => void): { is(): boolean; forget(): void } {
    const signals = [signal, this.#closing.signal];
    let over = signals.some(({ aborted }) => aborted);
    const end = (): void => {
      over = true;
      ring();
    };
    for (const one of signals) one.addEventListener('abort', end, { once: true });
    return {
      is: () => over,
      forget: () => {
        for (const one of signals) one.removeEventListener('abort', end);
      },
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
  }

  #partition(name: string): Partition {
    let held = this.#partitions.get(name);
    if (held === undefined) {
      held = {
        version: 0,
        rows: new Map(),
        sorted: new SortedKeys(),
        removed: new Map(),
        log: [],
        events: new Map(),
        bell: new Bell(),
      };
      this.#partitions.set(name, held);
    }
    return held;
  }
}

function write(held: Partition, batch: EncodedBatch): number {
  const version = ++held.version;
  for (const [key, json] of batch.put) {
    if (!held.rows.has(key)) held.sorted.add(key);
    held.rows.set(key, { json, version, value: undefined });
    held.removed.delete(key);
    held.log.push({ version, key });
  }
  for (const key of batch.remove) {
    if (!held.rows.delete(key)) continue;
    held.sorted.remove(key);
    held.removed.set(key, version);
    held.log.push({ version, key });
  }
  if (held.log.length > 2 * (held.rows.size + held.removed.size) + 1000) {
    held.log = held.log.filter((entry) => isNewest(held, entry));
  }
  for (const [topic, type, data] of batch.announce) {
    const events = held.events.get(topic) ?? [];
    held.events.set(topic, events);
    const position = events.length + 1;
    events.push({
      position,
      partition: batch.partition,
      topic,
      type,
      data: JSON.parse(data) as Json,
      time: batch.time,
    });
  }
  return version;
}

function holds(held: Partition, condition: Condition): boolean {
  if ('prefix' in condition) {
    const { value } = held.sorted.from(condition.prefix).next();
    return value?.startsWith(condition.prefix) !== true;
  }
  const row = held.rows.get(condition.key);
  if ('version' in condition) return row?.version === condition.version;
  if ('exists' in condition) return (row !== undefined) === condition.exists;
  return row !== undefined && isDeepStrictEqual(valueOf(row), JSON.parse(JSON.stringify(condition.equals)));
}

const isNewest = (held: Partition, { version, key }: { readonly version: number; readonly key: string }): boolean =>
  (held.rows.get(key)?.version ?? held.removed.get(key)) === version;

function changesAfter(held: Partition, after: number): readonly Change[] {
  if (after > held.version) return [{ kind: 'reset', version: held.version }];
  let from = held.log.length;
  while (from > 0 && held.log[from - 1]!.version > after) from--;
  const changes: Change[] = [];
  let characters = 0;
  for (const entry of held.log.slice(from)) {
    if (!isNewest(held, entry)) continue;
    const { key, version } = entry;
    if (characters > limits.pageCharacters && version !== changes.at(-1)?.version) break;
    const row = held.rows.get(key);
    characters += row?.json.length ?? 0;
    if (row === undefined) changes.push({ kind: 'removed', key, version });
    else changes.push({ kind: 'put', key, value: valueOf(row), version });
  }
  return changes;
}

function toStored<T>(key: string, row: Row): Stored<T> {
  return { key, value: valueOf(row) as T, version: row.version };
}

const valueOf = (row: Row): Json => (row.value ??= frozen(JSON.parse(row.json) as Json));

function frozen(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const part of value as readonly Json[]) frozen(part);
  } else {
    const members = value as Readonly<Record<string, Json>>;
    for (const name in members) frozen(members[name]!);
  }
  return Object.freeze(value);
}
