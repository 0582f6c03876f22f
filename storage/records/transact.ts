import type { Condition, EventDraft, Fence, Json, ListOptions, Page, RecordStore, Stored } from './record-store.ts';
import { ConditionFailed } from './record-store.ts';

/** The view that {@link transact} hands to its function: reads are remembered as conditions, writes are collected. */
export interface Transaction {
  /** Reads a record and makes the commit depend on it not having changed (or on its staying absent). */
  get<T = Json>(key: string): Promise<T | undefined>;
  /** Reads without a condition: for rows so busy that depending on their version would only cause retries. */
  peek<T = Json>(key: string): Promise<Stored<T> | undefined>;
  /** Lists without a condition. */
  list<T = Json>(options: ListOptions): Promise<Page<T>>;
  /** Counts without a condition: the records of a prefix, at most so many. */
  count(prefix: string, most: number): Promise<number>;
  require(condition: Condition): void;
  put(key: string, value: Json): void;
  remove(key: string): void;
  announce(event: EventDraft): void;
}

export interface TransactOptions {
  /** How often to try when conditions fail because of other writers. Default 20. */
  readonly attempts?: number;
  readonly fence?: Fence;
  /** Told the partition's version when a commit stands, before `transact` returns; for whoever keeps a copy of what was written. */
  readonly committed?: (version: number) => void;
}

/**
 * Runs `work` against a partition and commits what it collected in one atomic commit; runs it again from the start
 * when another writer got in between (optimistic concurrency). `work` must have no side effect but through the transaction.
 * What `work` throws ends the transaction without a commit. A transaction that wrote nothing commits nothing.
 * @returns what `work` returned in the attempt that was committed
 */
export async function transact<T>(
  store: RecordStore,
  partition: string,
  work: (tx: Transaction) => Promise<T>,
  options: TransactOptions = {},
): Promise<T> {
  const attempts = options.attempts ?? 20;
  for (let attempt = 1; ; attempt++) {
    const tx = new Recorder(store, partition);
    const result = await work(tx);
    if (tx.isEmpty()) return result;
    try {
      const { version } = await store.commit(partition, tx.batch(options.fence));
      options.committed?.(version);
      return result;
    } catch (error) {
      if (!(error instanceof ConditionFailed) || attempt >= attempts) throw error;
    }
  }
}

class Recorder implements Transaction {
  readonly #store: RecordStore;
  readonly #partition: string;
  readonly #reads = new Map<string, Condition>();
  readonly #extra: Condition[] = [];
  readonly #writes = new Map<string, { value: Json } | 'removed'>();
  readonly #events: EventDraft[] = [];

  constructor(store: RecordStore, partition: string) {
    this.#store = store;
    this.#partition = partition;
  }

  async get<T = Json>(key: string): Promise<T | undefined> {
    const written = this.#writes.get(key);
    if (written !== undefined) return written === 'removed' ? undefined : (written.value as T);
    const stored = await this.#store.get<T>(this.#partition, key);
    const seen: Condition = stored === undefined ? { key, exists: false } : { key, version: stored.version };
    // The first read decides: a later read that differs makes the commit fail, as it must.
    if (!this.#reads.has(key)) this.#reads.set(key, seen);
    return stored?.value;
  }

  peek<T = Json>(key: string): Promise<Stored<T> | undefined> {
    return this.#store.get<T>(this.#partition, key);
  }

  list<T = Json>(options: ListOptions): Promise<Page<T>> {
    return this.#store.list<T>(this.#partition, options);
  }

  count(prefix: string, most: number): Promise<number> {
    return this.#store.count(this.#partition, prefix, most);
  }

  require(condition: Condition): void {
    this.#extra.push(condition);
  }

  put(key: string, value: Json): void {
    this.#writes.set(key, { value });
  }

  remove(key: string): void {
    this.#writes.set(key, 'removed');
  }

  announce(event: EventDraft): void {
    this.#events.push(event);
  }

  isEmpty(): boolean {
    return this.#writes.size === 0 && this.#events.length === 0;
  }

  batch(fence: Fence | undefined): Parameters<RecordStore['commit']>[1] {
    const put: { key: string; value: Json }[] = [];
    const remove: string[] = [];
    for (const [key, write] of this.#writes) {
      if (write === 'removed') remove.push(key);
      else put.push({ key, value: write.value });
    }
    return {
      require: [...this.#reads.values(), ...this.#extra],
      put,
      remove,
      announce: this.#events,
      ...(fence ? { fence } : {}),
    };
  }
}
