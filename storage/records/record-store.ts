/**
 * Facts. Ordered records in partitions, like one DynamoDB table: a partition is the unit of atomicity and order,
 * and is large on purpose (one account's registry, one ECS cluster).
 */

/** What a record may hold: JSON. `undefined` members are dropped, as JSON does. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

export interface Stored<T = Json> {
  readonly key: string;
  readonly value: T;
  /** The partition's version at which this record was last written; use it in a `require` condition. */
  readonly version: number;
}

export interface ListOptions {
  /** Only keys that start with this. */
  readonly prefix?: string | undefined;
  /** Only keys strictly greater than this (resume a page with the last key seen). */
  readonly after?: string | undefined;
  /** At most this many records. Default 1000, at most 10,000. */
  readonly limit?: number | undefined;
  /**
   * The page ends with the record whose value takes it past so many characters of JSON, so that a page of large values is a short
   * one; every page but an empty one has a record. Default and at most 16 Mi.
   */
  readonly characters?: number | undefined;
}

export interface Page<T = Json> {
  /** In ascending order of the key's UTF-8 bytes. */
  readonly records: readonly Stored<T>[];
  /** Whether a further page exists, which does not mean that this one has as many records as were asked for. */
  readonly more: boolean;
}

/** One condition of a commit; all must hold at the instant of the commit. */
export type Condition =
  | { readonly key: string; readonly version: number }
  | { readonly key: string; readonly exists: boolean }
  | { readonly key: string; readonly equals: Json }
  /** No record's key starts with `prefix`. */
  | { readonly prefix: string; readonly empty: true };

/** An event to append to the log in the same commit. */
export interface EventDraft {
  /** The stream of the log that consumers subscribe to, e.g. `registry`. */
  readonly topic: string;
  /** What happened, e.g. `image.pushed`. */
  readonly type: string;
  readonly data: Json;
}

/** Proof of leadership: the commit fails when the lease `name` of this partition has moved to another epoch. */
export interface Fence {
  readonly name: string;
  readonly epoch: number;
}

/** What one atomic commit does. A key may appear once in `put` or `remove`, not in both. */
export interface Batch {
  readonly require?: readonly Condition[];
  readonly put?: readonly { readonly key: string; readonly value: Json }[];
  /** Removing an absent key is not an error. */
  readonly remove?: readonly string[];
  readonly announce?: readonly EventDraft[];
  readonly fence?: Fence;
  /**
   * The answer need not wait for the disk: every reader sees the commit at once and a crash of the process does not lose it, but a
   * power failure may, until a later commit of the store is durable. For progress that a client can make again.
   */
  readonly lazy?: boolean;
}

export interface Committed {
  /** The partition's new version; every record written by the commit carries it. Strictly increasing. */
  readonly version: number;
}

/** One changed record, as the feed reports it: the newest state at the time of reading, not every step. */
export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly value: Json; readonly version: number }
  | { readonly kind: 'removed'; readonly key: string; readonly version: number }
  /** The feed no longer reaches back to where the reader was: list the partition anew, then go on from `version`. */
  | { readonly kind: 'reset'; readonly version: number };

export interface FollowOptions {
  /** Report changes after this version of the partition. Default: from now on. */
  readonly after?: number;
  readonly signal: AbortSignal;
}

export interface RecordStore {
  /** The newest committed record, or undefined. */
  get<T = Json>(partition: string, key: string): Promise<Stored<T> | undefined>;
  /** Several records in one round trip, from one snapshot; absent ones are left out of the map. */
  getMany<T = Json>(partition: string, keys: readonly string[]): Promise<ReadonlyMap<string, Stored<T>>>;
  list<T = Json>(partition: string, options?: ListOptions): Promise<Page<T>>;
  /** How many records have a prefix, at most so many: no value is read. */
  count(partition: string, prefix: string, most: number): Promise<number>;
  /**
   * All of the batch or nothing. Resolves only when the commit is durable (unless it is `lazy`).
   * @throws ConditionFailed when a condition does not hold (nothing was written)
   * @throws StaleEpoch when the fence's lease has moved on (nothing was written)
   * @throws StoreUnavailable when the store cannot be reached or refuses writes; the outcome may be unknown when `.outcome` says so
   */
  commit(partition: string, batch: Batch): Promise<Committed>;
  /** The version of the partition's newest commit; 0 when there is none. */
  version(partition: string): Promise<number>;
  /** Batches of changes in commit order, as they happen, in every process on the same store. Ends when the signal aborts. */
  follow(partition: string, options: FollowOptions): AsyncIterable<readonly Change[]>;
  /** Names of partitions that hold at least one record, ascending, for administration and sweepers. */
  partitions(options?: ListOptions): Promise<{ readonly names: readonly string[]; readonly more: boolean }>;
  /**
   * Another number than before whenever anything in the store may have changed in between, in any partition and by any process.
   * There only where it costs next to nothing (no wait, no round trip): for what is worked out from records and asked for again.
   */
  readonly stamp?: () => number;
  /** Flushes what is under way and releases everything held. */
  close(): Promise<void>;
}

/** A commit's condition did not hold. Read again and decide anew. */
export class ConditionFailed extends Error {
  override readonly name = 'ConditionFailed';
  readonly failed: readonly Condition[];
  constructor(failed: readonly Condition[]) {
    super(`condition failed: ${failed.map((condition) => JSON.stringify(condition)).join(', ')}`);
    this.failed = failed;
  }
}

/** The writer is no longer the leader it believed to be. */
export class StaleEpoch extends Error {
  override readonly name = 'StaleEpoch';
  readonly fence: Fence;
  constructor(fence: Fence) {
    super(`lease ${fence.name} has moved on from epoch ${fence.epoch}`);
    this.fence = fence;
  }
}

/** The store cannot answer now. `outcome` is `unknown` when a commit may or may not have happened. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  readonly outcome: 'not-committed' | 'unknown';
  constructor(message: string, outcome: 'not-committed' | 'unknown', options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}
