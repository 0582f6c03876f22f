import { BlobMissing } from '@slipway/storage/blobs';
import { type RecordStore, scanAll } from '@slipway/storage/records';

import { Accumulator } from './accumulator.ts';
import { ByteReader } from './bytes.ts';
import { type Bucket, MetricsDamaged, type ReadRange, type Series } from './contract.ts';
import { seriesId } from './identity.ts';
import { metricKeys, metricsPartition, placeOfSegment } from './keys.ts';
import type { MetricBlobs, OpenBlock } from './metric-blobs.ts';
import type { PlacedRun } from './metric-file.ts';
import type { ChunkRecord, SegmentRecord } from './records.ts';
import { readBuckets, unitOfRun } from './runs.ts';
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
class Wanted {
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
      .map(([time, { added, unit }]) => added.bucket(time, units[unit ?? 0] as string));
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
    const wanted = series.map((one) => new Wanted(one, range, now));
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
    if (table.length === 0) continue;
    for (const one of wanted) {
      for (const block of await blobs.blocks(value, one.id))
        for (const run of runsOf(block, one.id)) one.add(block, run, kept.seconds);
    }
  }
  for (const { key, value } of chunks) {
    const block = await blobs.chunk(key, value.data);
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
