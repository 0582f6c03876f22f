import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import {
  type Fence,
  type Json,
  type RecordStore,
  scan,
  scanAll,
  StoreUnavailable,
  type Stored,
} from '@slipway/storage/records';
import type { RandomBytes } from '../../../state/index.ts';
import type { Counts } from '../filters/index.ts';
import type { Owing } from '../subscriptions/index.ts';
import { Changes } from './changes.ts';
import { LogsDamaged } from './contract.ts';
import { type EventBlobs, isGone } from './event-blobs.ts';
import { type Block, compareRows, type FileStream, type FileTable, type Packing } from './event-file.ts';
import { deadStreams } from './files.ts';
import { dayOf, logKeys, logsPartition } from './keys.ts';
import { joinedStreams, mergedRows, placesIn, renumbered, streamsOf } from './merge.ts';
import type { ChunkRecord, EventsRecord, GroupRecord, SegmentRecord } from './records.ts';
import type { Row, Rows } from './rows.ts';

export interface CompactionLimits {
  /** Chunks wait so long, milliseconds, or until there are so many of them. */
  readonly age: number;
  readonly chunks: number;
  /** Those younger than this are left to their followers. */
  readonly settle: number;
  /** Of one round: chunks, bytes of messages, streams. */
  readonly roundChunks: number;
  readonly roundBytes: number;
  readonly roundStreams: number;
  /** Segments of one size that become one. */
  readonly fanIn: number;
  /** Bytes of messages of the largest segments; those from half of it on are left as they are. */
  readonly segmentBytes: number;
}

export const compactionLimits: CompactionLimits = {
  age: 60_000,
  chunks: 64,
  settle: 10_000,
  roundChunks: 128,
  roundBytes: 16 * 1024 * 1024,
  roundStreams: 4000,
  fanIn: 8,
  segmentBytes: 64 * 1024 * 1024,
};

/**
 * Of zstd: segments of chunks are written again soon; large ones, and those of days that have passed, are kept for weeks as they are. What is
 * little altogether (`littleBytes` of messages) is packed for as long as many times as much would be otherwise.
 */
const packings = {
  soon: { level: 3, isSearched: true },
  kept: { level: 9, isSearched: true },
  little: { level: 15, isSearched: true },
};
const littleBytes = 2 * 1024 * 1024;

export interface CompactionPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
}

/** A group's day of which something was written. */
export interface GroupDay {
  readonly group: string;
  readonly day: number;
}

/** Makes segments of chunks, and large segments of small ones. One process at a time does it: its commits carry a fence. */
export class Compaction {
  readonly #ports: CompactionPorts;
  readonly #blobs: EventBlobs;
  readonly #limits: CompactionLimits;
  readonly #account: string;
  readonly #fence: Fence;
  readonly #counts: Pick<Counts, 'of' | 'room'>;
  readonly #owing: Pick<Owing, 'of'>;
  /** Files that cannot be read, by generation: they stay where they are, and reads say so. */
  readonly #damaged = new Set<string>();

  constructor(
    account: string,
    ports: CompactionPorts,
    blobs: EventBlobs,
    limits: CompactionLimits,
    fence: Fence,
    counts: Pick<Counts, 'of' | 'room'>,
    owing: Pick<Owing, 'of'>,
  ) {
    this.#owing = owing;
    this.#counts = counts;
    this.#account = account;
    this.#ports = ports;
    this.#blobs = blobs;
    this.#limits = limits;
    this.#fence = fence;
  }

  /**
   * One round: takes the oldest chunks, if they are old or many enough.
   * @returns which days were written, and whether another round has work; undefined when there was nothing to do
   */
  async chunks(): Promise<{ readonly days: readonly GroupDay[]; readonly more: boolean } | undefined> {
    const { records, clock } = this.#ports;
    const startedAt = clock.now();
    const { roundChunks, roundBytes, roundStreams, age, settle, chunks } = this.#limits;
    const page = await records.list<ChunkRecord>(this.#partition, {
      prefix: logKeys.chunks,
      limit: roundChunks + this.#damaged.size,
    });
    // A clock that was set back must not keep chunks for good.
    const settled = page.records.filter(
      ({ key, value }) => Math.abs(startedAt - chunkTime(key)) >= settle && !this.#damaged.has(value.blob.generation),
    );
    const oldest = settled[0];
    if (oldest === undefined) return undefined;
    if (settled.length < chunks && Math.abs(startedAt - chunkTime(oldest.key)) < age) return undefined;
    const taken: { readonly chunk: Stored<ChunkRecord>; readonly table: FileTable }[] = [];
    let bytes = 0;
    let streams = 0;
    for (const chunk of settled) {
      const table = await this.#readable(chunk.value);
      if (table === undefined) continue;
      bytes += chunk.value.raw;
      streams += table.streams.length;
      if (taken.length > 0 && (bytes > roundBytes || streams > roundStreams)) break;
      taken.push({ chunk, table });
    }
    if (taken.length === 0) return undefined;
    const days = await this.#unlessDamaged(() => this.#writeChunks(taken, startedAt));
    if (days === undefined) return { days: [], more: true };
    return { days, more: page.more || taken.length < settled.length };
  }

  /** Makes segments of one group's day fewer, if there are enough of a size, or (`all`) if there are two small ones. */
  async segments({ group, day }: GroupDay, all = false): Promise<boolean> {
    const { segmentBytes, fanIn } = this.#limits;
    const prefix = logKeys.segment(group, day, '');
    const found = await scanAll<SegmentRecord>(this.#ports.records, this.#partition, { prefix });
    const small = found
      .filter(({ value }) => value.raw < segmentBytes / 2 && !this.#damaged.has(value.blob.generation))
      .toSorted((one, other) => one.value.raw - other.value.raw);
    const sizes = Map.groupBy(small, ({ value }) => (all ? 0 : sizeOf(value.raw)));
    for (const alike of sizes.values()) {
      if (alike.length < (all ? 2 : fanIn)) continue;
      let bytes = 0;
      const taken = alike.filter(({ value }) => (bytes += value.raw) <= segmentBytes);
      if (taken.length < 2) continue;
      const raw = taken.reduce((sum, { value }) => sum + value.raw, 0);
      const isKept = all || raw >= segmentBytes / 4;
      const packing = !isKept ? packings.soon : raw <= littleBytes ? packings.little : packings.kept;
      await this.#unlessDamaged(() => this.#mergeSegments(group, day, taken, packing));
      return true;
    }
    return false;
  }

  async #writeChunks(
    taken: readonly { readonly chunk: Stored<ChunkRecord>; readonly table: FileTable }[],
    startedAt: number,
  ): Promise<readonly GroupDay[]> {
    const isKept = await this.#living(taken.map(({ table }) => table));
    const changes = new Changes(
      taken.map(({ chunk }) => chunk),
      startedAt,
    );
    const days: GroupDay[] = [];
    const written: EventsRecord[] = [];
    const groups = new Set(taken.flatMap(({ chunk }) => Object.keys(chunk.value.groups)));
    let room = await this.#counts.room();
    try {
      for (const group of groups) {
        const streams = joinedStreams(
          taken.map(({ table }) => table),
          (stream) => stream.group === group && isKept(stream),
        );
        if (streams.length === 0) continue;
        const rows = await this.#rowsOf(taken, streams);
        for (const [day, some] of Map.groupBy(rows, ({ timestamp }) => dayOf(timestamp))) {
          const segment = {
            ...(await this.#blobs.write(streamsOf(some, streams), [renumbered(some, streams)], packings.soon)),
            writtenAt: startedAt,
          };
          written.push(segment);
          changes.segment(logKeys.segment(group, day, this.#newId()), group, segment);
          days.push({ group, day });
        }
        changes.saw(group, streams, rows);
        // A chunk is made a segment of once: that is when its events are counted.
        const counted = await this.#counts.of(group, rows, this.#newId(), room);
        room -= counted.length;
        changes.add(counted);
        const owed = await this.#owing.of(group, streams, (after) =>
          this.#rowsOf(
            taken.filter(({ chunk }) => chunk.version > after && group in chunk.value.groups),
            streams,
          ),
        );
        written.push(...owed.map(({ value }) => value));
        changes.add(owed.map(({ key, value }) => ({ key, value: { ...value } as unknown as Json })));
      }
      await changes.commit(this.#ports.records, this.#partition, this.#fence);
    } catch (error) {
      await this.#forget(error, written);
      throw error;
    }
    return days;
  }

  /** The rows of some streams, sorted. */
  async #rowsOf(
    taken: readonly { readonly chunk: Stored<ChunkRecord>; readonly table: FileTable }[],
    streams: readonly FileStream[],
  ): Promise<Row[]> {
    const found: Row[] = [];
    for (const { chunk, table } of taken) {
      const places = placesIn(table.streams, streams);
      for (const block of table.blocks) {
        if (!places.some((place, at) => place !== -1 && at >= block.firstStream && at <= block.lastStream)) continue;
        const rows = await this.#ofFile(chunk.value, this.#blobs.rows(chunk.value, block));
        while (rows.next()) {
          const stream = places[rows.stream] ?? -1;
          const { timestamp, ingestionTime, writer, sequence, message } = rows;
          if (stream !== -1) found.push({ stream, timestamp, ingestionTime, writer, sequence, message });
        }
      }
    }
    return found.sort(compareRows);
  }

  /** The table of a file; undefined when it cannot be read, now and ever. */
  async #readable(file: EventsRecord): Promise<FileTable | undefined> {
    try {
      return await this.#ofFile(file, this.#blobs.table(file));
    } catch (error) {
      if (this.#damaged.has(file.blob.generation)) return undefined;
      throw error;
    }
  }

  /** Remembers a file that turns out to be damaged. */
  async #ofFile<T>(file: EventsRecord, reading: Promise<T>): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      if (error instanceof LogsDamaged || isGone(error)) {
        this.#damaged.add(file.blob.generation);
        this.#ports.log.error(
          { err: error, account: this.#account },
          'log events cannot be read; they are left as they lie',
        );
      }
      throw error;
    }
  }

  /** What the work answers; undefined when a file turned out to be damaged: the next round goes on without that one. */
  async #unlessDamaged<T>(work: () => Promise<T>): Promise<T | undefined> {
    const known = this.#damaged.size;
    try {
      return await work();
    } catch (error) {
      if (this.#damaged.size === known) throw error;
      return undefined;
    }
  }

  async #mergeSegments(
    group: string,
    day: number,
    taken: readonly Stored<SegmentRecord>[],
    packing: Packing,
  ): Promise<void> {
    const startedAt = this.#ports.clock.now();
    const read = await Promise.all(taken.map(({ value }) => this.#readable(value)));
    const tables = read.filter((table) => table !== undefined);
    if (tables.length < taken.length) return;
    const isKept = await this.#living(tables);
    const streams = joinedStreams(tables, isKept);
    const changes = new Changes(taken, startedAt);
    for (const { value } of taken) changes.lost(group, value);
    const written: EventsRecord[] = [];
    try {
      if (streams.length > 0) {
        const files = taken.map(({ value }, index) => {
          const { blocks, streams: own } = tables[index]!;
          return { file: value, blocks, places: placesIn(own, streams) };
        });
        const read = (file: EventsRecord, block: Block): Promise<Rows> =>
          this.#ofFile(file, this.#blobs.rowsOnce(file, block));
        const segment = {
          ...(await this.#blobs.write(streams, mergedRows(read, files), packing)),
          writtenAt: startedAt,
        };
        written.push(segment);
        changes.segment(logKeys.segment(group, day, this.#newId()), group, segment);
      }
      await changes.commit(this.#ports.records, this.#partition, this.#fence);
    } catch (error) {
      await this.#forget(error, written);
      throw error;
    }
  }

  /** Whether a stream and its group are still there. */
  async #living(tables: readonly FileTable[]): Promise<(stream: FileStream) => boolean> {
    const groups = new Set<string>();
    for await (const { value } of scan<GroupRecord>(this.#ports.records, this.#partition, { prefix: logKeys.groups }))
      groups.add(value.id);
    const dead = new Map<string, ReadonlySet<string>>();
    for (const group of new Set(tables.flatMap(({ streams }) => streams.map((stream) => stream.group))))
      dead.set(group, await deadStreams(this.#ports.records, this.#account, group));
    return ({ group, id }) => groups.has(group) && dead.get(group)?.has(id) !== true;
  }

  /** What was written and not committed goes at once; where that is unknown, or the process ends here, the audit of blobs finds it. */
  async #forget(reason: unknown, written: readonly EventsRecord[]): Promise<void> {
    if (reason instanceof StoreUnavailable && reason.outcome === 'unknown') return;
    await Promise.allSettled(written.map((file) => this.#blobs.remove(file)));
  }

  get #partition(): string {
    return logsPartition(this.#account);
  }

  /** Later ones sort behind earlier ones of their day: who pages through them misses none that became part of another. */
  #newId(): string {
    const time = String(this.#ports.clock.now()).padStart(14, '0');
    return `${time}-${Buffer.from(this.#ports.random(4)).toString('hex')}`;
  }
}

const chunkTime = (key: string): number => Number(key.slice(logKeys.chunks.length).split('/')[0]);

/** Segments within a factor of four are of one size. */
const sizeOf = (raw: number): number => Math.max(0, Math.floor(Math.log(raw / (256 * 1024)) / Math.log(4)));
