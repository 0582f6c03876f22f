import type { Clock } from '../clock/index.ts';
import type { AnnouncedEvent, AnnouncedStream, EventSource } from './announced.ts';
import { Bells, settledOrAborted } from './bell.ts';
import { encodeBatch, pageCharacters, pageLimit } from './encode.ts';
import { GroupCommitter } from './group-committer.ts';
import type {
  Batch,
  Change,
  Committed,
  FollowOptions,
  Json,
  ListOptions,
  Page,
  RecordStore,
  Stored,
} from './record-store.ts';
import { SqliteReader } from './sqlite-reader.ts';

export interface SqliteRecordsConfig {
  /** The database file; made when it is absent. Its folder must exist. Beside it lie `-wal` and `-shm` files that belong to it. */
  readonly file: string;
  /** Milliseconds between looks for commits of other processes while somebody follows. Default 20. */
  readonly pollInterval?: number;
  /** Milliseconds a commit waits for another process's commit before it is refused. Default 10,000. */
  readonly busyTimeout?: number;
  /** Removed keys that the change feed remembers per partition; a reader further behind gets a `reset`. Default 10,000. */
  readonly keptTombstones?: number;
  /** Events kept per partition and topic. Default 100,000. */
  readonly keptEvents?: number;
}

/**
 * Facts in one SQLite file (WAL, `synchronous=FULL`): a resolved commit is on the disk. Several processes on one machine may open
 * the same file. Reads run on the calling thread, commits in a worker thread.
 * @throws StoreUnavailable when the file cannot be opened for writing
 * @throws FormatRefused when it has a newer format, or is not one of ours
 */
export async function openSqliteRecords(config: SqliteRecordsConfig, clock: Clock): Promise<RecordStore & EventSource> {
  const bells = new Bells();
  const committer = await GroupCommitter.open(
    {
      file: config.file,
      busyTimeout: config.busyTimeout ?? 10_000,
      retention: { tombstones: config.keptTombstones ?? 10_000, events: config.keptEvents ?? 100_000 },
    },
    (batch) => {
      bells.ring(ofPartition(batch.partition));
      for (const [topic] of batch.announce) bells.ring(ofTopic(topic));
    },
  );
  return new SqliteRecords(new SqliteReader(config.file), committer, bells, config.pollInterval ?? 20, clock);
}

/** What who follows a partition, or the streams of a topic, waits for. */
const ofPartition = (name: string): string => `partition ${name}`;
const ofTopic = (name: string): string => `topic ${name}`;

class SqliteRecords implements RecordStore, EventSource {
  readonly #reader: SqliteReader;
  readonly #committer: GroupCommitter;
  readonly #bells: Bells;
  readonly #pollInterval: number;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #polling = false;
  declare readonly stamp?: () => number;

  constructor(reader: SqliteReader, committer: GroupCommitter, bells: Bells, pollInterval: number, clock: Clock) {
    this.#reader = reader;
    this.#committer = committer;
    this.#bells = bells;
    this.#pollInterval = pollInterval;
    this.#clock = clock;
    if (reader.stamp !== undefined) this.stamp = reader.stamp;
  }

  async get<T = Json>(partition: string, key: string): Promise<Stored<T> | undefined> {
    return this.#reader.get(partition, key);
  }

  async getMany<T = Json>(partition: string, keys: readonly string[]): Promise<ReadonlyMap<string, Stored<T>>> {
    return this.#reader.getMany(partition, keys);
  }

  async list<T = Json>(partition: string, options: ListOptions = {}): Promise<Page<T>> {
    return this.#reader.list(
      partition,
      options.prefix ?? '',
      options.after,
      pageLimit(options.limit),
      pageCharacters(options.characters),
    );
  }

  async count(partition: string, prefix: string, most: number): Promise<number> {
    return this.#reader.count(partition, prefix, most);
  }

  async commit(partition: string, batch: Batch): Promise<Committed> {
    return this.#committer.commit(encodeBatch(partition, batch, this.#clock.now()));
  }

  async version(partition: string): Promise<number> {
    return this.#reader.version(partition);
  }

  async partitions(options: ListOptions = {}): Promise<{ readonly names: readonly string[]; readonly more: boolean }> {
    return this.#reader.partitions(options.prefix ?? '', options.after ?? '', pageLimit(options.limit));
  }

  async *follow(partition: string, options: FollowOptions): AsyncIterable<readonly Change[]> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    let after = options.after ?? this.#reader.version(partition);
    while (!signal.aborted) {
      const news = this.#news(ofPartition(partition));
      const changes = this.#reader.changes(partition, after);
      if (changes.length > 0) {
        after = changes.at(-1)!.version;
        yield changes;
      } else {
        await settledOrAborted(news, signal);
      }
    }
  }

  async announced(partition: string, topic: string, after: number, limit: number): Promise<readonly AnnouncedEvent[]> {
    return this.#reader.announced(partition, topic, after, limit);
  }

  async *streams(topic: string, until: AbortSignal): AsyncIterable<readonly AnnouncedStream[]> {
    const signal = AbortSignal.any([until, this.#closing.signal]);
    let mark = 0;
    while (!signal.aborted) {
      const news = this.#news(ofTopic(topic));
      const found = this.#reader.streams(topic, mark);
      mark = found.mark;
      if (found.streams.length > 0) yield found.streams;
      else await settledOrAborted(news, signal);
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#committer.close();
    this.#reader.close();
  }

  /** The next time something of that name was committed here, or something in another process. */
  #news(name: string): Promise<void> {
    const news = this.#bells.next(name);
    if (!this.#polling) void this.#poll();
    return news;
  }

  /** Looks for commits of other processes while somebody waits: what SQLite tells of them does not say of what they are. */
  async #poll(): Promise<void> {
    this.#polling = true;
    try {
      let seen = this.#reader.dataVersion();
      while (this.#bells.awaited && !this.#closing.signal.aborted) {
        await this.#clock.sleep(this.#pollInterval, this.#closing.signal);
        const now = this.#reader.dataVersion();
        if (now !== seen) this.#bells.ringAll();
        seen = now;
      }
    } catch {
      // Closed while waiting, or the file cannot be read now: let every waiter look for itself and get the error.
      this.#bells.ringAll();
    } finally {
      this.#polling = false;
    }
  }
}
