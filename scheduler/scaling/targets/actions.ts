import { AwsError } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import type { EcsPorts } from '../../cluster/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import { clusterPartition, newEventId, toJson } from '../../state/index.ts';
import { lastMissed, nextRun, parseSchedule, ScheduleError } from '../rules/index.ts';
import { invalid, tooMany } from './errors.ts';
import { scalingKeys } from './keys.ts';
import type { ActionRecord } from './records.ts';
import { keysOf, requireTarget } from './targets.ts';

/** Scheduled actions of one target (Application Auto Scaling quotas). */
const mostActions = 200;

/** What a request says of a scheduled action; what it leaves out stays as it is. */
export type ActionDraft = {
  readonly [K in 'schedule' | 'timezone' | 'startTime' | 'endTime' | 'min' | 'max']: ActionRecord[K] | undefined;
};

/**
 * Makes a scheduled action of a target, or changes the one of that name.
 * @throws ObjectNotFoundException without the target, ValidationException for what no schedule or action is, LimitExceededException
 */
export function putAction(
  { records, clock, random }: Pick<EcsPorts, 'records' | 'clock' | 'random'>,
  ref: ServiceRef,
  name: string,
  draft: ActionDraft,
): Promise<ActionRecord> {
  return transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    await requireTarget(tx, ref);
    const key = scalingKeys.action(ref.service, name);
    const before = await tx.get<ActionRecord>(key);
    if (before === undefined && (await countOf(keysOf(tx, scalingKeys.actionsOf(ref.service)))) >= mostActions)
      throw tooMany(`A scalable target has at most ${mostActions} scheduled actions: delete one first.`);
    const now = clock.now();
    const { schedule, timezone, startTime, endTime, min, max } = { ...before, ...given(draft) };
    if (schedule === undefined) throw invalid('Schedule must be specified when a new scheduled action is created.');
    if (min === undefined && max === undefined)
      throw invalid('ScalableTargetAction must have MinCapacity, MaxCapacity or both.');
    if (min !== undefined && max !== undefined && max < min)
      throw invalid('Maximum capacity cannot be less than minimum capacity');
    if (startTime !== undefined && endTime !== undefined && endTime <= startTime)
      throw invalid('EndTime must be later than StartTime.');
    const createdAt = before?.createdAt ?? now;
    const next = nextOf({ schedule, timezone, startTime, endTime, createdAt }, now);
    const action: ActionRecord = {
      service: ref.service,
      name,
      id: before?.id ?? newEventId(random),
      schedule,
      ...given({ timezone, startTime, endTime, min, max, next }),
      createdAt,
    };
    tx.put(key, toJson(action));
    return action;
  });
}

type Scheduled = { readonly [K in 'schedule' | 'createdAt']: ActionRecord[K] } & {
  readonly [K in 'timezone' | 'startTime' | 'endTime']?: ActionRecord[K] | undefined;
};

/** When an action is due after a moment; undefined: never again. @throws ValidationException for what is no schedule */
export function nextOf({ schedule, timezone, ...bounds }: Scheduled, after: number): number | undefined {
  try {
    return nextRun(parseSchedule(schedule, timezone), bounds, after);
  } catch (error) {
    if (error instanceof ScheduleError) throw invalid(error.message);
    throw error;
  }
}

/** When an action that is due should have run last. @param next the first time at which it did not */
export const dueSince = ({ schedule, timezone, ...bounds }: Scheduled, next: number, now: number): number =>
  lastMissed(parseSchedule(schedule, timezone), bounds, next, now);

/** @throws ObjectNotFoundException */
export function deleteAction({ records }: Pick<EcsPorts, 'records'>, ref: ServiceRef, name: string): Promise<void> {
  return transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const key = scalingKeys.action(ref.service, name);
    if ((await tx.get(key)) === undefined)
      throw new AwsError(
        'ObjectNotFoundException',
        `No scheduled action found for service namespace: ecs, resource ID: service/${ref.cluster}/${ref.service}, scheduled action name: ${name}`,
      );
    tx.remove(key);
  });
}

const given = <T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

export async function countOf(all: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of all) count++;
  return count;
}
