import type { BlobLocation } from '@slipway/storage/blobs';
import { type Json, type RecordStore, scan, scanPartitions } from '@slipway/storage/records';

import { metricKeys, metricsPartition } from './keys.ts';
import type { GarbageRecord, SegmentRecord, StoredBlob } from './records.ts';

/** Every blob that the metrics of some account are in. */
export async function* blobsOfMetrics(
  records: RecordStore,
): AsyncGenerator<StoredBlob & { readonly by: string }, void> {
  for await (const partition of scanPartitions(records, metricsPartition(''))) {
    for await (const { key, value } of scan<SegmentRecord>(records, partition, { prefix: metricKeys.segments }))
      yield { ...value.blob, by: `${partition}: ${key}` };
  }
}

/** Tells which blobs belong to metrics, as of now; as `knownBlobsOfLogs` does for logs. */
export async function knownBlobsOfMetrics(records: RecordStore): Promise<(blob: BlobLocation) => boolean> {
  const known = new Set<string>();
  const nameOf = ({ digest, generation }: BlobLocation): string => `${digest} ${generation}`;
  for await (const blob of blobsOfMetrics(records)) known.add(nameOf(blob));
  for await (const partition of scanPartitions(records, metricsPartition(''))) {
    for await (const { value } of scan<GarbageRecord>(records, partition, { prefix: metricKeys.garbage }))
      known.add(nameOf(value.blob));
  }
  return (blob) => known.has(nameOf(blob));
}

/** Puts the new place of its blob into a record of metrics when an installation moves; every other record stays as it is. */
export async function relocateMetrics(
  partition: string,
  key: string,
  value: Json,
  where: (blob: BlobLocation) => Promise<BlobLocation | undefined>,
): Promise<Json> {
  const isFile = key.startsWith(metricKeys.segments) || key.startsWith(metricKeys.garbage);
  if (!partition.startsWith(metricsPartition('')) || !isFile) return value;
  const record = value as unknown as { readonly blob: BlobLocation };
  const moved = await where(record.blob);
  if (moved === undefined) return value;
  return { ...record, blob: { ...record.blob, generation: moved.generation } } as unknown as Json;
}
