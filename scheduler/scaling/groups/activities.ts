import type { HeldLease } from '@slipway/storage/leases';
import { scanPages, type Transaction } from '@slipway/storage/records';

import { newEventId, type RandomBytes, toJson } from '../../state/index.ts';
import type { GroupsPorts } from './groups.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import type { ActivityRecord, ActivityStatus, RefreshRecord } from './records.ts';

/** Milliseconds for which activities are told of (six weeks), and how many of a group at most. */
export const activitiesKept = 42 * 86_400_000;
export const mostActivities = 1000;

/** A moment as activities write it. */
export const moment = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** Writes that something began. @returns its key, by which {@link endActivity} finds it */
export function beginActivity(tx: Transaction, random: RandomBytes, activity: Omit<ActivityRecord, 'id'>): string {
  const id = newEventId(random);
  const key = groupKeys.activity(activity.group, activity.startedAt, id);
  // As ASG: no cause is longer.
  tx.put(key, toJson({ ...activity, id, cause: activity.cause.slice(0, 1023) }));
  return key;
}

/** Writes how something ended. One that is not there any more, as it was long ago, is left alone. */
export async function endActivity(
  tx: Transaction,
  key: string | undefined,
  status: ActivityStatus,
  now: number,
  message?: string,
): Promise<void> {
  if (key === undefined) return;
  const found = await tx.get<ActivityRecord>(key);
  if (found === undefined || found.endedAt !== undefined) return;
  const told = message === undefined ? {} : { message: message.slice(0, 255) };
  tx.put(key, toJson({ ...found, ...told, status, endedAt: now }));
}

/** Writes that what began waits for hooks. */
export async function markWaiting(tx: Transaction, key: string): Promise<void> {
  const found = await tx.get<ActivityRecord>(key);
  if (found !== undefined && found.endedAt === undefined)
    tx.put(key, toJson({ ...found, status: 'MidLifecycleAction' }));
}

/** Takes away what is told of no longer: refreshes and activities that ended long ago, and the oldest of a group that has too many. */
export async function sweepActivities(
  { records, clock }: Pick<GroupsPorts, 'records' | 'clock'>,
  account: string,
  fence: HeldLease,
): Promise<void> {
  const partition = groupsPartition(account);
  const before = clock.now() - activitiesKept;
  let group = '';
  let count = 0;
  for await (const page of scanPages<ActivityRecord>(records, partition, { prefix: groupKeys.activities })) {
    const remove: string[] = [];
    // Those of one group follow each other, the newest first.
    for (const { key, value } of page.records) {
      count = value.group === group ? count + 1 : 1;
      ({ group } = value);
      if (value.endedAt !== undefined && (value.endedAt <= before || count > mostActivities)) remove.push(key);
    }
    if (remove.length > 0) await records.commit(partition, { remove, fence });
  }
  for await (const page of scanPages<RefreshRecord>(records, partition, { prefix: groupKeys.refreshes })) {
    const remove = page.records.flatMap(({ key, value: { endedAt = 0 } }) => (endedAt <= before ? [key] : []));
    if (remove.length > 0) await records.commit(partition, { remove, fence });
  }
}
