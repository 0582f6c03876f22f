import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { ConditionFailed, type Json, type RecordStore, StoreUnavailable } from '@slipway/storage/records';
import { LogsThrottled, type ShippedMark } from './contract.ts';
import type { EventBlobs } from './event-blobs.ts';
import { compareRows, compareStreams, type FileStream, type Packing } from './event-file.ts';
import { logKeys, logsPartition } from './keys.ts';
import type { ChunkRecord } from './records.ts';
import type { Row } from './rows.ts';

export interface IntakeLimits {
  /** How long events wait for others, milliseconds. */
  readonly linger: number;
  /** Bytes, and streams, with which a chunk goes at once. */
  readonly chunkBytes: number;
  readonly chunkStreams: number;
  /** Bytes that wait to be written, of all accounts; beyond them calls are refused. */
  readonly waitingBytes: number;
}

export const intakeLimits: IntakeLimits = {
  linger: 100,
  chunkBytes: 4 * 1024 * 1024,
  chunkStreams: 1000,
  waitingBytes: 32 * 1024 * 1024,
};

/** Chunks of one account on their way at a time. */
const flights = 2;
/** Chunks are read for a minute, then compacted: quick to write matters more than small, or quickly searched. */
const packing: Packing = { level: 1, isSearched: false };

export interface TakenEvent {
  readonly timestamp: number;
  /** UTF-8. */
  readonly message: Uint8Array;
}

/** How far a sender has come, to be committed with its events in place of what was read. */
export interface Mark {
  readonly key: string;
  /** The version of the record that was read; 0: there was none. */
  readonly version: number;
  readonly value: ShippedMark;
}

/** Somebody else has moved a mark; nothing of what it stood for was taken. */
export class MarkMoved extends Error {
  override readonly name = 'MarkMoved';
}

interface Chunk {
  readonly marks: Set<TakenMark>;
  readonly streams: Map<string, { readonly stream: FileStream; readonly rows: TakenRow[] }>;
  readonly done: PromiseWithResolvers<void>;
  bytes: number;
  /** What it takes of the memory that is given for waiting. */
  weight: number;
}

/** Its place among the streams of the file is known when the chunk is full. */
type TakenRow = Row & { stream: number; readonly mark: TakenMark | undefined };

interface TakenMark extends Mark {
  moved: boolean;
}

/** Bytes of memory that an event takes beside its message, roughly: an endless stream of empty lines must not pass for nothing. */
const eventWeight = 200;

/** Memory that all accounts share. */
export class Waiting {
  readonly limit: number;
  bytes = 0;
  constructor(limit: number) {
    this.limit = limit;
  }
}

/**
 * Takes in the events of one account: those of a tenth of a second become one chunk, one blob and one commit, and only then their
 * callers are answered.
 */
export class Intake {
  readonly #account: string;
  readonly #ports: { readonly records: RecordStore; readonly clock: Clock; readonly log: Log };
  readonly #blobs: EventBlobs;
  readonly #limits: IntakeLimits;
  readonly #waiting: Waiting;
  /** This process among all that write: part of the events' ids. */
  readonly #writer: number;
  readonly #stop = new AbortController();
  #open: Chunk | undefined;
  readonly #flights = new Set<Promise<void>>();
  /** Chunks that are full or whose time is over, until there is room for another flight. */
  readonly #queue: Chunk[] = [];
  #chunks = 0;
  #sequence = 0;
  /** The wall clock may go back; ids may not. */
  #lastIngestion = 0;

  constructor(
    account: string,
    ports: { readonly records: RecordStore; readonly clock: Clock; readonly log: Log },
    blobs: EventBlobs,
    writer: number,
    limits: IntakeLimits,
    waiting: Waiting,
  ) {
    this.#account = account;
    this.#ports = ports;
    this.#blobs = blobs;
    this.#writer = writer;
    this.#limits = limits;
    this.#waiting = waiting;
  }

  /**
   * Resolves when the events are durable.
   * @param bytes of the events, as they count for the limits
   * @param mark is committed with them; another one of its key must not be on its way
   * @throws LogsThrottled when too much is waiting; MarkMoved
   */
  take(stream: FileStream, events: readonly TakenEvent[], bytes: number, mark?: Mark): Promise<void> {
    const weight = bytes + eventWeight * events.length;
    if (this.#waiting.bytes > 0 && this.#waiting.bytes + weight > this.#waiting.limit)
      return Promise.reject(
        new LogsThrottled('log events arrive faster than they can be stored; send them again', 2 * this.#limits.linger),
      );
    this.#waiting.bytes += weight;
    const chunk = this.#chunk();
    const found = chunk.streams.get(stream.id) ?? { stream, rows: [] };
    chunk.streams.set(stream.id, found);
    const taken = mark && { ...mark, moved: false };
    if (taken !== undefined) chunk.marks.add(taken);
    this.#lastIngestion = Math.max(this.#lastIngestion, this.#ports.clock.now());
    for (const { timestamp, message } of events) {
      found.rows.push({
        stream: 0,
        timestamp,
        ingestionTime: this.#lastIngestion,
        writer: this.#writer,
        sequence: ++this.#sequence,
        message,
        mark: taken,
      });
    }
    chunk.bytes += bytes;
    chunk.weight += weight;
    if (chunk.bytes >= this.#limits.chunkBytes || chunk.streams.size >= this.#limits.chunkStreams) this.#close(chunk);
    if (taken === undefined) return chunk.done.promise;
    return chunk.done.promise.then(() => {
      if (taken.moved) throw new MarkMoved('another sender of the stream has come further');
    });
  }

  /** Writes what was taken, and ends. */
  async close(): Promise<void> {
    if (this.#open !== undefined) this.#close(this.#open);
    this.#stop.abort();
    while (this.#flights.size > 0) await Promise.allSettled(this.#flights);
  }

  #chunk(): Chunk {
    if (this.#open !== undefined) return this.#open;
    const chunk: Chunk = {
      streams: new Map(),
      marks: new Set(),
      done: Promise.withResolvers(),
      bytes: 0,
      weight: 0,
    };
    this.#open = chunk;
    const over = (): void => this.#close(chunk);
    // What is taken after the end goes at once.
    this.#ports.clock.sleep(this.#limits.linger, this.#stop.signal).then(over, over);
    return chunk;
  }

  /** Nothing more comes into a chunk; again: nothing. */
  #close(chunk: Chunk): void {
    if (this.#open !== chunk) return;
    this.#open = undefined;
    this.#queue.push(chunk);
    this.#fly();
  }

  #fly(): void {
    if (this.#flights.size >= flights) return;
    const chunk = this.#queue.shift();
    if (chunk === undefined) return;
    const flight = this.#store(chunk)
      .finally(() => {
        this.#waiting.bytes -= chunk.weight;
        this.#flights.delete(flight);
        this.#fly();
      })
      .then(chunk.done.resolve, chunk.done.reject);
    this.#flights.add(flight);
  }

  /** Writes a chunk; without the events of marks that have moved, which are found when the commit fails. */
  async #store(chunk: Chunk): Promise<void> {
    while (!(await this.#commit(chunk)))
      for (const [id, { rows, stream }] of chunk.streams) {
        const left = rows.filter(({ mark }) => mark?.moved !== true);
        if (left.length === 0) chunk.streams.delete(id);
        else chunk.streams.set(id, { stream, rows: left });
      }
  }

  /** @returns whether it is written; else marks have moved */
  async #commit({ streams, marks }: Chunk): Promise<boolean> {
    const { records, clock, log } = this.#ports;
    if (streams.size === 0) return true;
    const held = [...streams.values()].toSorted((one, other) => compareStreams(one.stream, other.stream));
    const groups: { [group: string]: [number, number] } = {};
    for (const [place, { stream, rows }] of held.entries()) {
      for (const row of rows) row.stream = place;
      rows.sort(compareRows);
      const [first, last] = [rows[0]!.timestamp, rows.at(-1)!.timestamp];
      const span = groups[stream.group];
      groups[stream.group] = span === undefined ? [first, last] : [Math.min(span[0], first), Math.max(span[1], last)];
    }
    const written = await this.#blobs.write(
      held.map(({ stream }) => stream),
      held.map(({ rows }) => rows),
      packing,
    );
    const record: ChunkRecord = { ...written, groups };
    const key = logKeys.chunk(clock.now(), this.#writer, ++this.#chunks);
    const moving = [...marks].filter(({ moved }) => !moved);
    try {
      await records.commit(logsPartition(this.#account), {
        require: [
          { key, exists: false },
          ...moving.map((mark) =>
            mark.version === 0 ? { key: mark.key, exists: false } : { key: mark.key, version: mark.version },
          ),
        ],
        put: [
          { key, value: { ...record } as unknown as Json },
          ...moving.map((mark) => ({
            key: mark.key,
            value: { ...mark.value } satisfies { [Name in keyof ShippedMark]: Json },
          })),
        ],
      });
      return true;
    } catch (error) {
      // An unknown outcome may be a commit: the blob stays, and if it was none, the audit of blobs finds it.
      if (!(error instanceof StoreUnavailable && error.outcome === 'unknown'))
        await this.#blobs
          .remove(record)
          .catch((err: unknown) => log.warn({ err }, 'a chunk of log events stays behind'));
      if (!(error instanceof ConditionFailed)) throw error;
      const current = await records.getMany(
        logsPartition(this.#account),
        moving.map((mark) => mark.key),
      );
      let some = false;
      for (const mark of moving) if ((current.get(mark.key)?.version ?? 0) !== mark.version) some = mark.moved = true;
      if (!some) throw error;
      return false;
    }
  }
}
