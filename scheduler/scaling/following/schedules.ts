import { AwsError } from '@slipway/auth/contract';
import { hasRoom, transact, type Transaction } from '@slipway/storage/records';

import { newEventId, toJson } from '../../state/index.ts';
import {
  type GroupRecord,
  groupKeys,
  type GroupsPorts,
  groupsPartition,
  noGroup,
  validation,
} from '../groups/index.ts';
import { lastMissed, ScheduleError } from '../rules/index.ts';
import type { ScheduleRecord } from './records.ts';
import { nextOfRecurrence, parseRecurrence } from './recurrence.ts';

/** Scheduled actions of one group (EC2 Auto Scaling quotas). */
const mostSchedules = 125;
/** Others that change the group meanwhile: a change is tried so often. */
const attempts = 100;

/** What a request says of a scheduled action; what it leaves out stays as it is. */
export type ScheduleDraft = {
  readonly [K in 'recurrence' | 'timezone' | 'startTime' | 'endTime' | 'min' | 'max' | 'desired']:
    | ScheduleRecord[K]
    | undefined;
};

/**
 * Makes a scheduled action of a group, or changes the one of that name.
 * @throws ValidationError without the group, and for what no schedule or action is; AlreadyExists where another one is due at the same time; LimitExceeded
 */
export function putSchedule(
  { records, clock, random }: GroupsPorts,
  account: string,
  group: string,
  name: string,
  draft: ScheduleDraft,
): Promise<ScheduleRecord> {
  return transact(
    records,
    groupsPartition(account),
    async (tx) => {
      const of = await tx.get<GroupRecord>(groupKeys.group(group));
      if (of === undefined) throw noGroup(group);
      const key = groupKeys.schedule(group, name);
      const found = await tx.get<ScheduleRecord>(key);
      const before = found?.groupId === of.id ? found : undefined;
      if (before === undefined && !(await hasRoom(tx, groupKeys.schedulesOf(group), mostSchedules)))
        throw new AwsError(
          'LimitExceeded',
          `An Auto Scaling group has at most ${mostSchedules} scheduled actions: delete one first.`,
        );
      const merged = { ...before, ...given(draft) };
      checkSizes(merged);
      const next = nextOf(merged, clock.now());
      for (const other of await othersOf(tx, group, key))
        if (other.groupId === of.id && other.next === next)
          throw new AwsError(
            'AlreadyExists',
            `The scheduled action ${other.name} of ${group} is due at the same time: name another time.`,
          );
      const made: ScheduleRecord = {
        ...merged,
        group,
        groupId: of.id,
        name,
        id: before?.id ?? newEventId(random),
        next,
      };
      tx.put(key, toJson(made));
      return made;
    },
    { attempts },
  );
}

async function othersOf(tx: Transaction, group: string, key: string): Promise<readonly ScheduleRecord[]> {
  const { records } = await tx.list<ScheduleRecord>({ prefix: groupKeys.schedulesOf(group), limit: mostSchedules });
  return records.flatMap((row) => (row.key === key ? [] : [row.value]));
}

type Draft = { readonly [K in keyof ScheduleDraft]?: ScheduleDraft[K] };

function checkSizes({ min, max, desired }: Draft): void {
  if (min === undefined && max === undefined && desired === undefined)
    throw validation('At least one of MinSize, MaxSize and DesiredCapacity must be specified.');
  if (min !== undefined && max !== undefined && min > max)
    throw validation(`MinSize, ${min}, must not be greater than MaxSize, ${max}.`);
  if (desired !== undefined && (desired < (min ?? 0) || desired > (max ?? desired)))
    throw validation(`DesiredCapacity, ${desired}, must be between MinSize and MaxSize.`);
}

/** When an action is due after a moment. @throws ValidationError for what no schedule is, and for one that is never due */
function nextOf({ recurrence, timezone, startTime, endTime }: Draft, now: number): number {
  if (startTime !== undefined && endTime !== undefined && endTime <= startTime)
    throw validation('EndTime must be later than StartTime.');
  if (recurrence === undefined) {
    if (startTime === undefined) throw validation('StartTime or Recurrence must be specified.');
    if (startTime <= now) throw validation('Given start time is in the past');
    return startTime;
  }
  const next = dueAfter({ recurrence, timezone, startTime, endTime }, now);
  if (next === undefined) throw validation('The Recurrence has no time before EndTime, or none at all any more.');
  return next;
}

/** When what recurs is due after a moment; undefined: never again. @throws ValidationError for what no schedule is */
export function dueAfter({ recurrence, timezone, startTime, endTime }: Draft, after: number): number | undefined {
  if (recurrence === undefined) return undefined;
  try {
    return nextOfRecurrence(parseRecurrence(recurrence, timezone), { startTime, endTime, createdAt: 0 }, after);
  } catch (error) {
    if (error instanceof ScheduleError) throw validation(`Recurrence: ${error.message}`);
    throw error;
  }
}

/** When an action that is due should have run last: of runs that were missed, the last one counts beside those of others. */
export function lastDue({ recurrence, timezone, startTime, endTime, next }: ScheduleRecord, now: number): number {
  if (recurrence === undefined) return next;
  const bounds = { startTime, endTime, createdAt: 0 };
  return Math.max(...parseRecurrence(recurrence, timezone).map((one) => lastMissed(one, bounds, next, now)));
}

/** @throws ValidationError without the group or the action */
export function deleteSchedule(
  { records }: Pick<GroupsPorts, 'records'>,
  account: string,
  group: string,
  name: string,
): Promise<void> {
  return transact(records, groupsPartition(account), async (tx) => {
    if ((await tx.get(groupKeys.group(group))) === undefined) throw noGroup(group);
    const key = groupKeys.schedule(group, name);
    if ((await tx.get(key)) === undefined) throw validation(`Scheduled action name not found: ${name}`);
    tx.remove(key);
  });
}

/** Runs an action that is due: what it makes of its group is one commit with when it is due next. What is over is taken away, as on AWS. */
export async function runSchedule(tx: Transaction, due: ScheduleRecord, now: number): Promise<ScheduleRan | undefined> {
  const key = groupKeys.schedule(due.group, due.name);
  const action = await tx.get<ScheduleRecord>(key);
  const group = await tx.get<GroupRecord>(groupKeys.group(due.group));
  if (action === undefined || action.id !== due.id || action.next !== due.next) return undefined;
  if (group === undefined || group.id !== action.groupId || group.deleting === true) {
    tx.remove(key);
    return undefined;
  }
  const next = dueAfter(action, now);
  if (next === undefined) tx.remove(key);
  else tx.put(key, toJson({ ...action, next }));
  // What falls into a suspension is not made up for afterwards.
  if (group.suspended.includes('ScheduledActions')) return undefined;
  const [min, max] = [action.min ?? group.min, action.max ?? group.max];
  const desired = action.desired ?? Math.min(Math.max(group.desired, min), max);
  const isOutside = min > max || desired < min || desired > max;
  return { group, after: { ...group, min, max, desired }, isOutside };
}

/** What a scheduled action makes of its group. */
export interface ScheduleRan {
  readonly group: GroupRecord;
  readonly after: GroupRecord;
  /** It may not be that: bounds that cross, or a desired capacity outside them. */
  readonly isOutside: boolean;
}

const given = <T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
