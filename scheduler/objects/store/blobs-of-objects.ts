import type { BlobLocation } from '@slipway/storage/blobs';
import { type Json, type RecordStore, scan, scanPartitions } from '@slipway/storage/records';

import { bucketPartition, objectKeys } from './keys.ts';
import type { GarbageRecord, ObjectRecord, StoredBlob } from './records.ts';

const owners = [objectKeys.objects, 'part/'];

/** Every blob that an object, or a part of one, is in. */
export async function* blobsOfObjects(
  records: RecordStore,
): AsyncGenerator<StoredBlob & { readonly by: string }, void> {
  for await (const partition of scanPartitions(records, bucketPartition(''))) {
    for (const prefix of owners) {
      for await (const { key, value } of scan<Pick<ObjectRecord, 'blob'>>(records, partition, { prefix }))
        if (value.blob !== undefined) yield { ...value.blob, by: `${partition}: ${key}` };
    }
  }
}

/**
 * Tells which blobs belong to objects, as of now: for whoever is about to remove blobs that nobody knows. One that is sealed later, or
 * whose commit is under way, is not among them: such a blob is young.
 */
export async function knownBlobsOfObjects(records: RecordStore): Promise<(blob: BlobLocation) => boolean> {
  const known = new Set<string>();
  for await (const blob of blobsOfObjects(records)) known.add(nameOf(blob));
  for await (const partition of scanPartitions(records, bucketPartition(''))) {
    for await (const { value } of scan<GarbageRecord>(records, partition, { prefix: objectKeys.garbage }))
      known.add(nameOf(value.blob));
  }
  return (blob) => known.has(nameOf(blob));
}

/** Puts new places of blobs into a record of objects when an installation moves; every other record stays as it is. */
export async function relocateObjects(
  partition: string,
  key: string,
  value: Json,
  where: (blob: BlobLocation) => Promise<BlobLocation | undefined>,
): Promise<Json> {
  if (!partition.startsWith(bucketPartition(''))) return value;
  if (![...owners, objectKeys.garbage].some((prefix) => key.startsWith(prefix))) return value;
  const record = value as unknown as { readonly blob?: BlobLocation };
  const moved = record.blob && (await where(record.blob));
  return moved === undefined
    ? value
    : ({ ...record, blob: { ...record.blob, generation: moved.generation } } as unknown as Json);
}

const nameOf = ({ digest, generation }: BlobLocation): string => `${digest} ${generation}`;
