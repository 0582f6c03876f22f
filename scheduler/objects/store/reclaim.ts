import { scan, scanPartitions, transact } from '@slipway/storage/records';

import { bucketPartition, objectKeys } from './keys.ts';
import type { StorePorts } from './ports.ts';
import type { EndedRecord, GarbageRecord, PartRecord, UploadRecord } from './records.ts';
import { end } from './steps.ts';

const hour = 3_600_000;
/** For so long, bytes that nobody refers to stay for those who began to read them. */
const readingTime = hour;
/** Uploads that nobody completed are aborted after this. */
const uploadTime = 7 * 24 * hour;
const batch = 200;

export interface Reclaimed {
  readonly blobs: number;
  readonly uploads: number;
}

/**
 * Removes what is nobody's any more, in every bucket and in what is left of those that are gone. The bytes go first: a record goes when
 * they are gone, so that a stop in between is made up for.
 */
export async function reclaim(ports: StorePorts, signal: AbortSignal): Promise<Reclaimed> {
  const total = { blobs: 0, uploads: 0 };
  for await (const partition of scanPartitions(ports.records, bucketPartition(''))) {
    signal.throwIfAborted();
    total.uploads += await expire(ports, partition);
    for await (const { key, value } of scan<EndedRecord>(ports.records, partition, { prefix: objectKeys.endings }))
      if (isOver(ports, value.at)) total.blobs += await removeParts(ports, partition, key, signal);
    total.blobs += await removeGarbage(ports, partition, signal);
  }
  return total;
}

const isOver = ({ clock }: StorePorts, at: number): boolean => clock.now() - at >= readingTime;

async function expire({ records, clock }: StorePorts, partition: string): Promise<number> {
  let count = 0;
  for await (const { key, value } of scan<UploadRecord>(records, partition, { prefix: objectKeys.uploads })) {
    if (clock.now() - value.startedAt < uploadTime) continue;
    await transact(records, partition, async (tx) => {
      if ((await tx.get(key)) !== undefined) end(tx, key.slice(objectKeys.uploads.length), clock.now());
    });
    count++;
  }
  return count;
}

async function removeParts(ports: StorePorts, partition: string, key: string, signal: AbortSignal): Promise<number> {
  const { records, blobs } = ports;
  const prefix = objectKeys.partsOf(key.slice(objectKeys.endings.length));
  let count = 0;
  for (;;) {
    signal.throwIfAborted();
    const { records: rows } = await records.list<PartRecord>(partition, { prefix, limit: batch });
    if (rows.length === 0) break;
    for (const { value } of rows) if (value.blob !== undefined) await blobs.remove(value.blob);
    await records.commit(partition, { remove: rows.map((row) => row.key) });
    count += rows.length;
  }
  await records.commit(partition, { remove: [key] });
  return count;
}

async function removeGarbage(ports: StorePorts, partition: string, signal: AbortSignal): Promise<number> {
  const { records, blobs } = ports;
  let gone: string[] = [];
  let count = 0;
  const note = async (): Promise<void> => {
    if (gone.length > 0) await records.commit(partition, { remove: gone });
    count += gone.length;
    gone = [];
  };
  for await (const { key, value } of scan<GarbageRecord>(records, partition, { prefix: objectKeys.garbage })) {
    if (!isOver(ports, value.at)) continue;
    signal.throwIfAborted();
    await blobs.remove(value.blob);
    gone.push(key);
    if (gone.length >= batch) await note();
  }
  await note();
  return count;
}
