import { BlobMissing } from '@slipway/storage/blobs';
import {
  type EventDraft,
  type Fence,
  type Json,
  scan,
  scanAll,
  scanPages,
  type Stored,
} from '@slipway/storage/records';

import type { RandomBytes } from '../../../state/index.ts';

import { Accumulator } from './accumulator.ts';
import { ByteReader } from './bytes.ts';
import { type CapPorts, capMetrics } from './capping.ts';
import { MetricsDamaged } from './contract.ts';
import { identityOf } from './identity.ts';
import { metricKeys, metricsPartition, placeOfSegment } from './keys.ts';
import { mergedRuns } from './merge.ts';
import type { MetricBlobs } from './metric-blobs.ts';
import type { Run } from './metric-file.ts';
import type { ChunkRecord, CountRecord, GarbageRecord, SegmentRecord, SeriesRecord } from './records.ts';
import { type Buckets, readBuckets, type RunKey } from './runs.ts';
import { isKept, periodOf, type Resolution, resolutions } from './times.ts';

export interface CompactionLimits {
  /** Chunks wait so long, milliseconds, or until there are so many rows of them. */
  readonly age: number;
  readonly chunks: number;
  /** Bytes of runs that one round takes out of chunks: in memory each is added up once for each resolution, as tens of bytes. */
  readonly roundBytes: number;
  /** Segments of one size that become one. */
  readonly fanIn: number;
  /** Bytes of runs of the largest segments; those from half of it on are left as they are. */
  readonly segmentBytes: number;
}
export const compactionLimits: CompactionLimits = {
  age: 60_000,
  chunks: 128,
  roundBytes: 8 * 1024 * 1024,
  fanIn: 8,
  segmentBytes: 32 * 1024 * 1024,
};

/** How long those who began to read a file that was replaced may take. */
const readGrace = 5 * 60_000;
/** A series is forgotten, and no longer counted, when it has not reported for so long. Its buckets are kept. */
export const forgottenAfter = 15 * 24 * 3_600_000;
/** For how long samples that were taken under a name are known by it, so that they are not taken again. */
const namesKept = 15 * 24 * 3_600_000;
/** Rows of one round and of one commit. */
const atOnce = 500;

export interface CompactionPorts extends CapPorts {
  readonly random: RandomBytes;
}
type Put = { readonly key: string; readonly value: Json };
/** Where a file belongs. */
interface Place {
  readonly kept: Resolution;
  readonly span: number;
}

/** Makes segments of chunks, large ones of small ones, and lets go of what is over. One process at a time: its commits carry a fence. */
export class Compaction {
  readonly #account: string;
  readonly #ports: CompactionPorts;
  readonly #blobs: MetricBlobs;
  readonly #limits: CompactionLimits;
  readonly #fence: Fence;
  /** Chunks that cannot be read, by key: they stay where they are, and reads say so. */
  readonly #damaged = new Set<string>();

  constructor(account: string, ports: CompactionPorts, blobs: MetricBlobs, limits: CompactionLimits, fence: Fence) {
    this.#account = account;
    this.#ports = ports;
    this.#blobs = blobs;
    this.#limits = limits;
    this.#fence = fence;
  }

  /** One round of everything that is due often. @returns whether another one has work */
  async chunks(): Promise<boolean> {
    const { records, clock, log } = this.#ports;
    const { age, chunks, roundBytes } = this.#limits;
    const page = await records.list<ChunkRecord>(this.#partition, {
      prefix: metricKeys.chunks,
      limit: atOnce + this.#damaged.size,
    });
    const rows = page.records.filter(({ key }) => !this.#damaged.has(key));
    const [oldest] = rows;
    if (oldest === undefined) return false;
    // A clock that was set back must not keep chunks for good.
    const waited = Math.abs(clock.now() - Number(oldest.key.split('/')[1]));
    if (rows.length < chunks && waited < age) return false;
    const files = new Map<string, { readonly place: Place; readonly runs: Map<RunKey, Buckets> }>();
    const taken: Stored<ChunkRecord>[] = [];
    let bytes = 0;
    let looked = 0;
    for (const row of rows) {
      if (bytes >= roundBytes) break;
      looked++;
      try {
        bytes += await this.#spread(row, files);
        taken.push(row);
      } catch (err) {
        if (!(err instanceof MetricsDamaged)) throw err;
        this.#damaged.add(row.key);
        log.warn({ err, account: this.#account, key: row.key }, 'metrics of a moment cannot be read');
      }
    }
    const put: Put[] = [];
    for (const { place, runs } of files.values()) put.push(await this.#written(place, inOrder(runs)));
    await this.#commit(taken, put);
    for (const { place } of files.values()) while (await this.#mergeAt(place, false));
    return page.more || looked < rows.length;
  }

  /** Looks at all there is: what is over goes, and small files of spans that have passed become one. */
  async thorough(signal: AbortSignal): Promise<void> {
    const now = this.#ports.clock.now();
    for (const kept of resolutions) {
      const spans = new Set<number>();
      const over: Stored<SegmentRecord>[] = [];
      for await (const segment of scan<SegmentRecord>(this.#ports.records, this.#partition, {
        prefix: metricKeys.segmentsAt(kept.seconds),
      })) {
        const { span } = placeOfSegment(segment.key);
        if (isKept((span + 1) * kept.span, kept, now)) spans.add(span);
        else over.push(segment);
      }
      for (let from = 0; from < over.length; from += atOnce) await this.#commit(over.slice(from, from + atOnce), []);
      for (const span of spans) {
        signal.throwIfAborted();
        if ((span + 1) * kept.span > now) continue;
        while (!signal.aborted && (await this.#mergeAt({ kept, span }, true)));
      }
    }
    await this.#forgetSeries(signal);
    await this.#forgetNames(signal);
  }

  /** Keeps the metrics of all accounts within the room that they have. */
  cap(): Promise<void> {
    return capMetrics(this.#ports, this.#account, (files, data) =>
      this.#commit(files, [], [{ topic: 'metrics', type: 'metrics.dropped', data }]),
    );
  }

  /** Removes blobs that were replaced a while ago. */
  async collectGarbage(): Promise<void> {
    const { records, clock } = this.#ports;
    const garbage = await scanAll<GarbageRecord>(records, this.#partition, { prefix: metricKeys.garbage });
    const over = garbage.filter(({ value }) => Math.abs(clock.now() - value.at) >= readGrace).slice(0, atOnce);
    for (const { value } of over) await this.#blobs.removeBlob(value.blob);
    if (over.length > 0)
      await records.commit(this.#partition, { remove: over.map(({ key }) => key), fence: this.#fence });
  }

  /** Puts the buckets of a chunk where they belong, once for each resolution. @returns bytes of its runs */
  async #spread(
    { key, value }: Stored<ChunkRecord>,
    files: Map<string, { readonly place: Place; readonly runs: Map<RunKey, Buckets> }>,
  ): Promise<number> {
    const now = this.#ports.clock.now();
    const block = await this.#blobs.chunk(this.#account, key, value.data);
    for (const [index, run] of block.runs.entries()) {
      const seconds = index % 2 === 0 ? 1 : 60;
      for (const kept of resolutions) {
        if (kept.seconds < seconds) continue;
        readBuckets(new ByteReader(block.bytes, run.at, run.end), seconds, (begin) => {
          const time = periodOf(begin, kept.seconds);
          if (!isKept(time, kept, now)) return undefined;
          const span = Math.floor(time / kept.span);
          const name = `${kept.seconds}/${span}`;
          const file = files.get(name) ?? { place: { kept, span }, runs: new Map<RunKey, Buckets>() };
          files.set(name, file);
          const buckets = file.runs.get(run.key) ?? new Map<number, Accumulator>();
          file.runs.set(run.key, buckets);
          const bucket = buckets.get(time) ?? new Accumulator();
          buckets.set(time, bucket);
          return bucket;
        });
      }
    }
    return block.bytes.length;
  }

  /** Makes files of one place fewer, if there are enough of a size, or (`all`) if there are two small ones. */
  async #mergeAt(place: Place, all: boolean): Promise<boolean> {
    const { fanIn, segmentBytes } = this.#limits;
    const prefix = metricKeys.segmentsOf(place.kept.seconds, place.span);
    const found = await scanAll<SegmentRecord>(this.#ports.records, this.#partition, { prefix });
    const small = found
      .filter(({ value }) => value.raw < segmentBytes / 2)
      .toSorted((one, other) => one.value.raw - other.value.raw);
    const sizes = Map.groupBy(small, ({ value }) => (all ? 0 : Math.floor(Math.log2(value.raw) / 3)));
    for (const alike of sizes.values()) {
      if (alike.length < (all ? 2 : fanIn)) continue;
      let bytes = 0;
      const taken = alike.filter(({ value }) => (bytes += value.raw) <= segmentBytes);
      if (taken.length < 2) continue;
      const runs = mergedRuns(
        this.#blobs,
        taken.map(({ value }) => value),
        place.kept.seconds,
      );
      try {
        await this.#commit(taken, [await this.#written(place, runs)]);
        return true;
      } catch (err) {
        // One that is damaged stays as it is until it is over, and keeps nothing else from being looked after.
        if (!(err instanceof MetricsDamaged) && !(err instanceof BlobMissing)) throw err;
        this.#ports.log.warn({ err, account: this.#account }, 'files of metrics cannot be made fewer');
      }
    }
    return false;
  }

  async #written({ kept, span }: Place, runs: AsyncIterable<Run>): Promise<Put> {
    const { clock, random } = this.#ports;
    const segment = await this.#blobs.write(runs, kept.seconds, clock.now());
    const id = Buffer.from(random(8)).toString('hex');
    return { key: metricKeys.segment(kept.seconds, span, id), value: segment as unknown as Json };
  }

  /** Files and chunks go, others take their place. @throws ConditionFailed when somebody else replaced one; StaleEpoch */
  async #commit(
    gone: readonly Stored<ChunkRecord | SegmentRecord>[],
    put: readonly Put[],
    announce: readonly EventDraft[] = [],
  ): Promise<void> {
    const { records, clock } = this.#ports;
    const at = clock.now();
    const garbage = gone.flatMap(({ value }) =>
      'blob' in value
        ? [{ key: metricKeys.garbageOf(value.blob.generation), value: garbageOf(value, at) as unknown as Json }]
        : [],
    );
    await records.commit(this.#partition, {
      require: gone.map(({ key, version }) => ({ key, version })),
      put: [...put, ...garbage, { key: metricKeys.files, value: at }],
      remove: gone.map(({ key }) => key),
      announce,
      fence: this.#fence,
    });
  }

  /** Names of samples that nobody sends again. */
  async #forgetNames(signal: AbortSignal): Promise<void> {
    const { records, clock } = this.#ports;
    const until = clock.now() - namesKept;
    for await (const page of scanPages<number>(records, this.#partition, { prefix: metricKeys.names, limit: atOnce })) {
      signal.throwIfAborted();
      const remove = page.records.filter(({ value }) => value < until).map(({ key }) => key);
      if (remove.length > 0) await records.commit(this.#partition, { remove, fence: this.#fence });
    }
  }

  /** Series that have not reported for long are counted no longer. */
  async #forgetSeries(signal: AbortSignal): Promise<void> {
    const { records, clock } = this.#ports;
    const until = clock.now() - forgottenAfter;
    for (let after: string | undefined; !signal.aborted;) {
      const page = await records.list<SeriesRecord>(this.#partition, {
        prefix: metricKeys.series,
        ...(after === undefined ? {} : { after }),
        limit: atOnce,
      });
      const over = page.records.filter(({ value }) => value.seen < until);
      const count = await records.get<CountRecord>(this.#partition, metricKeys.count);
      if (over.length > 0 && count !== undefined) {
        await records.commit(this.#partition, {
          require: [...over, count].map(({ key, version }) => ({ key, version })),
          put: [{ key: metricKeys.count, value: { ...lessBy(count.value, over) } }],
          remove: over.map(({ key }) => key),
          fence: this.#fence,
        });
      }
      after = page.records.at(-1)?.key;
      if (!page.more) return;
    }
  }

  get #partition(): string {
    return metricsPartition(this.#account);
  }
}

const garbageOf = ({ blob: { digest, generation } }: SegmentRecord, at: number): GarbageRecord => ({
  blob: { digest, generation },
  at,
});

const lessBy = ({ series, characters }: CountRecord, gone: readonly Stored<SeriesRecord>[]): CountRecord => ({
  series: Math.max(0, series - gone.length),
  characters: Math.max(0, characters - gone.reduce((sum, { value }) => sum + identityOf(value).length, 0)),
});

async function* inOrder(runs: ReadonlyMap<RunKey, Buckets>): AsyncGenerator<Run> {
  for (const key of [...runs.keys()].sort()) yield { key, buckets: runs.get(key) as Buckets };
}
