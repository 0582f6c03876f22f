import type { Transaction } from '@slipway/storage/records';

import { newEventId, type RandomBytes, toJson } from '../../state/index.ts';
import { scalingKeys } from './keys.ts';
import type { ActivityRecord } from './records.ts';

/** Milliseconds for which an activity is told of: six weeks (API reference, DescribeScalingActivities). */
export const activitiesKept = 42 * 86_400_000;

/** The newest activities of a service that are kept. */
export const mostActivities = 2000;

/** Tells of something in the commit that does it. Activities of a service are a millisecond apart at least: they are listed in the order they happened. */
export async function tell(tx: Transaction, random: RandomBytes, activity: Omit<ActivityRecord, 'id'>): Promise<void> {
  const { service } = activity;
  const [newest] = (await tx.list<ActivityRecord>({ prefix: scalingKeys.activitiesOf(service), limit: 1 })).records;
  const at = Math.max(activity.at, (newest?.value.at ?? 0) + 1);
  const id = newEventId(random);
  tx.put(scalingKeys.activity(service, at, id), toJson({ ...activity, at, id }));
}
