import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { type RecordStore, scan, scanPartitions, type Stored } from '@slipway/storage/records';

import { metricKeys, metricsPartition, placeOfSegment } from './keys.ts';
import type { SegmentRecord } from './records.ts';
import { resolutions } from './times.ts';

/** What metrics take on disk, bytes. */
export interface MetricRoom {
  /** Of all accounts. */
  readonly total: number;
  /** The account that takes most; undefined while there are none. */
  readonly largest: { readonly account: string; readonly stored: number } | undefined;
}

/** Adds up what the files of metrics of all accounts take: rows of chunks, a minute's, are in the record store. */
export async function metricRoom(records: RecordStore): Promise<MetricRoom> {
  let total = 0;
  let largest: MetricRoom['largest'];
  for await (const partition of scanPartitions(records, metricsPartition(''))) {
    let stored = 0;
    for await (const { value } of scan<SegmentRecord>(records, partition, { prefix: metricKeys.segments }))
      stored += value.blob.size;
    total += stored;
    if (stored > (largest?.stored ?? 0)) largest = { account: partition.slice(metricsPartition('').length), stored };
  }
  return { total, largest };
}

/** Files that go in one commit before it is counted anew. */
const atOnce = 100;

/**
 * Files of an account in the order in which they go when there is no room: the finest resolution first (it has the shortest history, and most
 * bytes for it; what is coarser says the same of its time), of one resolution the oldest span. The spans that are being written come last.
 */
export function inOrderOfLoss(files: readonly Stored<SegmentRecord>[], now: number): Stored<SegmentRecord>[] {
  const rankOf = ({ key }: Stored<SegmentRecord>): readonly [current: number, finest: number, span: number] => {
    const { resolution, span } = placeOfSegment(key);
    const finest = resolutions.findIndex(({ seconds }) => seconds === resolution);
    const length = resolutions[finest]?.span ?? 1;
    return [(span + 1) * length > now ? 1 : 0, finest, span];
  };
  return files
    .map((file) => ({ file, rank: rankOf(file) }))
    .sort(({ rank: one }, { rank: other }) => one[0] - other[0] || one[1] - other[1] || one[2] - other[2])
    .map(({ file }) => file);
}

export interface CapPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes on disk that the metrics of all accounts may take. */
  readonly maxBytes: () => number;
  /** Told what metrics take and may take, bytes, whenever it was added up. */
  readonly measured: (room: { readonly stored: number; readonly limit: number }) => void;
}

/** What went. */
export interface DroppedMetrics {
  readonly account: string;
  /** Seconds, of the coarsest that went. */
  readonly resolution: number;
  readonly files: number;
  readonly bytes: number;
  readonly buckets: number;
  readonly [name: string]: string | number;
}

/**
 * While the metrics of all accounts take more room than they may, drops files of this account, if no other one takes more.
 * @param drop removes files in a commit that announces what went
 */
export async function capMetrics(
  { records, clock, log, maxBytes, measured }: CapPorts,
  account: string,
  drop: (files: readonly Stored<SegmentRecord>[], what: DroppedMetrics) => Promise<void>,
): Promise<void> {
  for (;;) {
    const { total, largest } = await metricRoom(records);
    const limit = maxBytes();
    measured({ stored: total, limit });
    const over = total - limit;
    if (over <= 0 || largest?.account !== account) return;
    const files: Stored<SegmentRecord>[] = [];
    for await (const file of scan<SegmentRecord>(records, metricsPartition(account), { prefix: metricKeys.segments }))
      files.push(file);
    const gone: Stored<SegmentRecord>[] = [];
    let bytes = 0;
    for (const file of inOrderOfLoss(files, clock.now())) {
      if (bytes >= over || gone.length >= atOnce) break;
      gone.push(file);
      bytes += file.value.blob.size;
    }
    if (gone.length === 0) return;
    const what = {
      account,
      resolution: Math.max(...gone.map(({ key }) => placeOfSegment(key).resolution)),
      files: gone.length,
      bytes,
      buckets: gone.reduce((sum, { value }) => sum + value.buckets, 0),
    };
    await drop(gone, what);
    log.warn(
      what,
      'metrics were dropped: they are at SLIPWAY_METRICS_MAX; report fewer series, or give them more room',
    );
  }
}
