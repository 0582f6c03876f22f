import { type RecordStore, scan, scanAll } from '@slipway/storage/records';
import { dayOf, logKeys, logsPartition } from './keys.ts';
import type { ChunkRecord, EventsRecord, SegmentRecord } from './records.ts';

/**
 * The files that may have events of a group from `start` up to before `end`. Chunks come first: what is compacted meanwhile is found
 * twice (the ids of events tell) rather than not at all.
 */
export async function filesOf(
  records: RecordStore,
  account: string,
  group: string,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<EventsRecord[]> {
  const partition = logsPartition(account);
  const found: EventsRecord[] = [];
  for await (const { value } of scan<ChunkRecord>(records, partition, { prefix: logKeys.chunks })) {
    const span = value.groups[group];
    if (span !== undefined && span[0] < end && span[1] >= start)
      found.push({ ...value, minTimestamp: span[0], maxTimestamp: span[1] });
  }
  const prefix = logKeys.segmentsOf(group);
  const segments = scan<SegmentRecord>(records, partition, { prefix, after: logKeys.segment(group, dayOf(start), '') });
  for await (const { value } of segments) {
    if (dayOf(value.minTimestamp) > dayOf(end)) break;
    if (value.minTimestamp < end && value.maxTimestamp >= start) found.push(value);
  }
  return found;
}

/** The ids of streams of a group that were deleted while events of theirs may still lie in files. */
export async function deadStreams(records: RecordStore, account: string, group: string): Promise<ReadonlySet<string>> {
  const prefix = logKeys.deadOf(group);
  const rows = await scanAll(records, logsPartition(account), { prefix });
  return new Set(rows.map(({ key }) => key.slice(prefix.length)));
}
