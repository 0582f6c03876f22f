import { type RecordStore, scan, scanPartitions } from '@slipway/storage/records';
import { logKeys, logsPartition } from './keys.ts';
import type { EventsRecord, UsageRecord } from './records.ts';

/** What logs take on disk, bytes. */
export interface LogRoom {
  /** Of all accounts. */
  readonly total: number;
  /** The group that takes most; undefined while none has more than chunks. */
  readonly largest: { readonly account: string; readonly group: string; readonly stored: number } | undefined;
}

/** Adds up what the logs of all accounts take; the group is named by its id. */
export async function logRoom(records: RecordStore): Promise<LogRoom> {
  let total = 0;
  let largest: LogRoom['largest'];
  for await (const partition of scanPartitions(records, logsPartition(''))) {
    const account = partition.slice(logsPartition('').length);
    for (const prefix of [logKeys.chunks, logKeys.owed])
      for await (const { value } of scan<EventsRecord>(records, partition, { prefix })) total += value.blob.size;
    for await (const { key, value } of scan<UsageRecord>(records, partition, { prefix: logKeys.usage('') })) {
      total += value.stored;
      if (value.stored > (largest?.stored ?? 0))
        largest = { account, group: key.slice(logKeys.usage('').length), stored: value.stored };
    }
  }
  return { total, largest };
}
