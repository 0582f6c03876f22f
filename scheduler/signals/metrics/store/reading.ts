import { BlobMissing } from '@slipway/storage/blobs';
import { type RecordStore, scanAll } from '@slipway/storage/records';

import { Accumulator } from './accumulator.ts';
import { ByteReader } from './bytes.ts';
import { type Bucket, MetricsDamaged, type ReadRange, type Series } from './contract.ts';
import { seriesId } from './identity.ts';
import { metricKeys, metricsPartition, placeOfSegment } from './keys.ts';
import type { MetricBlobs, OpenBlock } from './metric-blobs.ts';
import { type Block, blocksFor, type PlacedRun } from './metric-file.ts';
import type { ChunkRecord, SegmentRecord } from './records.ts';
import { readBuckets, readSums, unitOfRun } from './runs.ts';
import { isKept, periodOf, type Resolution, resolutionFor } from './times.ts';
import { unitCode, units } from './units.ts';

/** How often what changes under a reader is looked at anew. */
const attempts = 5;

interface Found {
  readonly added: Accumulator;
  /** A unit's code; undefined once it was several. */
  unit: number | undefined;
}

/** What is wanted of one series, and what was found of it. */
interface Wanted {
  readonly id: string;
  /** Adds what a run has. @param seconds of its buckets */
  add(block: OpenBlock, run: PlacedRun, seconds: number): void;
  buckets(): readonly Bucket[];
}

/** Periods that a read without distributions keeps side by side; more of them are kept one by one. */
const mostSlots = 20_000;

/** Sums of each period, side by side. */
class WantedSums implements Wanted {
  readonly id: string;
  readonly #length: number;
  readonly #first: number;
  readonly #slots: number;
  /** The first time that is still kept. */
  readonly #keptFrom: number;
  readonly #unit: number | undefined;
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;
  readonly #mins: Float64Array;
  readonly #maxs: Float64Array;
  /** One more than the unit's code; 0 where there is none yet, 1 (`None`) where there were several. */
  readonly #units: Uint8Array;

  constructor(series: Series, { from, to, period, unit }: ReadRange, now: number) {
    this.id = seriesId(series);
    this.#length = 1000 * period;
    this.#first = periodOf(from, period);
    this.#slots = slotsOf({ from, to, period });
    const kept = resolutionFor(period);
    const length = 1000 * kept.seconds;
    this.#keptFrom = length * (Math.floor((now - kept.keptFor) / length) + 1);
    this.#unit = unit === undefined ? undefined : (unitCode(unit) ?? -1);
    this.#counts = new Float64Array(this.#slots);
    this.#sums = new Float64Array(this.#slots);
    this.#mins = new Float64Array(this.#slots);
    this.#maxs = new Float64Array(this.#slots);
    this.#units = new Uint8Array(this.#slots);
  }

  add({ bytes }: OpenBlock, { key, at, end }: PlacedRun, seconds: number): void {
    const unit = unitOfRun(key);
    if (this.#unit !== undefined && unit !== this.#unit) return;
    const [counts, sums, mins, maxs, units] = [this.#counts, this.#sums, this.#mins, this.#maxs, this.#units];
    const [first, length, keptFrom] = [this.#first, this.#length, this.#keptFrom];
    try {
      readSums(new ByteReader(bytes, at, end), seconds, (begin, count, sum, min, max) => {
        const slot = Math.floor((begin - first) / length);
        if (slot < 0 || slot >= counts.length || begin < keptFrom) return;
        const isFirst = units[slot] === 0;
        counts[slot] = (counts[slot] as number) + count;
        sums[slot] = (sums[slot] as number) + sum;
        if (isFirst || min < (mins[slot] as number)) mins[slot] = min;
        if (isFirst || max > (maxs[slot] as number)) maxs[slot] = max;
        units[slot] = isFirst || units[slot] === unit + 1 ? unit + 1 : 1;
      });
    } catch (error) {
      throw new MetricsDamaged('a run is none', { cause: error });
    }
  }

  buckets(): readonly Bucket[] {
    const found: Bucket[] = [];
    for (let slot = 0; slot < this.#slots; slot++) {
      const unit = this.#units[slot] as number;
      if (unit === 0) continue;
      found.push({
        time: this.#first + slot * this.#length,
        unit: units[unit - 1] as string,
        count: this.#counts[slot] as number,
        sum: this.#sums[slot] as number,
        min: this.#mins[slot] as number,
        max: this.#maxs[slot] as number,
      });
    }
    return found;
  }
}

/** The periods of a range. */
const slotsOf = ({ from, to, period }: ReadRange): number =>
  Math.max(0, Math.ceil((to - periodOf(from, period)) / (1000 * period)));

/** Everything that is known of each period. */
class WantedBuckets implements Wanted {
  readonly id: string;
  readonly #range: ReadRange;
  readonly #kept: Resolution;
  readonly #now: number;
  readonly #unit: number | undefined;
  readonly #found = new Map<number, Found>();

  constructor(series: Series, range: ReadRange, now: number) {
    this.id = seriesId(series);
    this.#range = range;
    this.#kept = resolutionFor(range.period);
    this.#now = now;
    this.#unit = range.unit === undefined ? undefined : (unitCode(range.unit) ?? -1);
  }

  /** Adds what a run has. @param seconds of its buckets */
  add({ bytes }: OpenBlock, { key, at, end }: PlacedRun, seconds: number): void {
    const unit = unitOfRun(key);
    if (this.#unit !== undefined && unit !== this.#unit) return;
    const { from, to, period } = this.#range;
    const first = periodOf(from, period);
    try {
      readBuckets(new ByteReader(bytes, at, end), seconds, (begin) => {
        const time = periodOf(begin, period);
        if (time < first || time >= to || !isKept(periodOf(begin, this.#kept.seconds), this.#kept, this.#now))
          return undefined;
        const found = this.#found.get(time);
        if (found === undefined) {
          const added = new Accumulator();
          this.#found.set(time, { added, unit });
          return added;
        }
        if (found.unit !== unit) found.unit = undefined;
        return found.added;
      });
    } catch (error) {
      throw new MetricsDamaged('a run is none', { cause: error });
    }
  }

  buckets(): readonly Bucket[] {
    return [...this.#found]
      .sort(([one], [other]) => one - other)
      .map(([time, { added, unit }]) =>
        added.bucket(time, units[unit ?? 0] as string, this.#range.distributions ?? true),
      );
  }
}

/** See `MetricStore.read`. */
export async function readMetrics(
  records: RecordStore,
  blobs: MetricBlobs,
  account: string,
  now: number,
  series: readonly Series[],
  range: ReadRange,
): Promise<readonly (readonly Bucket[])[]> {
  for (let attempt = 1; ; attempt++) {
    // Beyond what is kept there is nothing to keep a place for.
    const isPlain = range.distributions === false && slotsOf(range) <= mostSlots;
    const wanted = series.map((one) =>
      isPlain ? new WantedSums(one, range, now) : new WantedBuckets(one, range, now),
    );
    try {
      await collect(records, blobs, account, now, wanted, range);
      return wanted.map((one) => one.buckets());
    } catch (error) {
      // It was compacted while this was reading; what is missing again and again is lost.
      if (!(error instanceof BlobMissing)) throw error;
      if (attempt >= attempts) throw new MetricsDamaged(`metrics are missing: ${error.message}`, { cause: error });
    }
  }
}

async function collect(
  records: RecordStore,
  blobs: MetricBlobs,
  account: string,
  now: number,
  wanted: readonly Wanted[],
  { from, to, period }: ReadRange,
): Promise<void> {
  const kept = resolutionFor(period);
  const { chunks, segments } = await filesOf(records, account, kept);
  const first = Math.floor(Math.max(periodOf(from, period), now - kept.keptFor) / kept.span);
  const behind = periodOf(to - 1, period) + period * 1000;
  for (const { key, value } of segments) {
    const { span } = placeOfSegment(key);
    if (span < first || span * kept.span >= behind) continue;
    const table = await blobs.table(value);
    const needed = new Map<Block, Wanted[]>();
    for (const one of wanted) {
      for (const block of blocksFor(table, one.id)) {
        const others = needed.get(block);
        if (others === undefined) needed.set(block, [one]);
        else others.push(one);
      }
    }
    for (const [place, ones] of needed) {
      const block = await blobs.block(value, place);
      for (const one of ones) for (const run of runsOf(block, one.id)) one.add(block, run, kept.seconds);
    }
  }
  for (const { key, value } of chunks) {
    const block = await blobs.chunk(account, key, value.data);
    for (const one of wanted) {
      // Those of a key come in pairs: first its seconds, then its minutes.
      for (const [index, run] of runsOf(block, one.id).entries()) {
        if (index % 2 === 0 || kept.seconds > 1) one.add(block, run, index % 2 === 0 ? 1 : 60);
      }
    }
  }
}

/** What there is of a resolution at one moment: chunks become segments in one commit, which must not be seen by half. */
async function filesOf(records: RecordStore, account: string, kept: Resolution) {
  const partition = metricsPartition(account);
  for (let attempt = 1; ; attempt++) {
    const before = await records.get(partition, metricKeys.files);
    const segments = await scanAll<SegmentRecord>(records, partition, {
      prefix: metricKeys.segmentsAt(kept.seconds),
    });
    const chunks = await scanAll<ChunkRecord>(records, partition, { prefix: metricKeys.chunks });
    const after = await records.get(partition, metricKeys.files);
    if (before?.version === after?.version || attempt >= attempts) return { segments, chunks };
  }
}

/** The runs of a series in a block. @param runs in the order of their keys */
function runsOf({ runs }: OpenBlock, id: string): readonly PlacedRun[] {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle] as PlacedRun).key < id) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < runs.length && (runs[end] as PlacedRun).key.startsWith(id)) end++;
  return runs.slice(low, end);
}
