import type { BlobLocation } from '@slipway/storage/blobs';
import { type Json, type RecordStore, scan, scanPartitions } from '@slipway/storage/records';
import { logKeys, logsPartition } from './keys.ts';
import type { EventsRecord, GarbageRecord, StoredBlob } from './records.ts';

const files = [logKeys.chunks, logKeys.segments, logKeys.owed, logKeys.queries];

/** Every blob that the logs of some account, or the answers of queries, are in. */
export async function* blobsOfLogs(records: RecordStore): AsyncGenerator<StoredBlob & { readonly by: string }, void> {
  for await (const partition of scanPartitions(records, logsPartition(''))) {
    for (const prefix of files) {
      for await (const { key, value } of scan<Partial<EventsRecord>>(records, partition, { prefix }))
        if (value.blob !== undefined) yield { ...value.blob, by: `${partition}: ${key}` };
    }
  }
}

/**
 * Tells which blobs belong to logs, as of now: for whoever is about to remove blobs that nobody knows. One that is sealed later, or
 * whose commit is under way, is not among them: such a blob is young.
 */
export async function knownBlobsOfLogs(records: RecordStore): Promise<(blob: BlobLocation) => boolean> {
  const known = new Set<string>();
  for await (const blob of blobsOfLogs(records)) known.add(nameOf(blob));
  for await (const partition of scanPartitions(records, logsPartition(''))) {
    for await (const { value } of scan<GarbageRecord>(records, partition, { prefix: logKeys.garbage }))
      known.add(nameOf(value.blob));
  }
  return (blob) => known.has(nameOf(blob));
}

/** Puts new places of blobs into a record of logs when an installation moves; every other record stays as it is. */
export async function relocateLogs(
  partition: string,
  key: string,
  value: Json,
  where: (blob: BlobLocation) => Promise<BlobLocation | undefined>,
): Promise<Json> {
  if (!partition.startsWith(logsPartition(''))) return value;
  // Versions are another installation's: what is still in chunks is told once more.
  if (key.startsWith(logKeys.deliveries)) return { ...(value as { readonly [key: string]: Json }), version: 0 };
  if (![...files, logKeys.garbage].some((prefix) => key.startsWith(prefix))) return value;
  const record = value as unknown as { readonly blob?: BlobLocation };
  // A query that has no answer yet.
  if (record.blob === undefined) return value;
  const moved = await where(record.blob);
  const blob = moved && { ...record.blob, generation: moved.generation };
  return blob === undefined ? value : ({ ...record, blob } as unknown as Json);
}

const nameOf = ({ digest, generation }: BlobLocation): string => `${digest} ${generation}`;
