import type { Log } from '@slipway/auth/contract';
import type { HeldLease } from '@slipway/storage/leases';
import { scanAll, StaleEpoch, transact, type Transaction } from '@slipway/storage/records';

import { toJson } from '../../state/index.ts';
import { beginActivity, desiredFor, groupKeys, type GroupsPorts, groupsPartition } from '../groups/index.ts';
import type { ScheduleRecord } from './records.ts';
import { lastDue, runSchedule } from './schedules.ts';

export interface FollowPorts extends GroupsPorts {
  readonly log: Log;
}

/** Others that change the group meanwhile: a change is tried so often. */
const attempts = 100;

/**
 * Has the groups of an account follow their schedules, beside whoever keeps them and under its lease. What is wrong with one action keeps no other one
 * from being run.
 * @throws StaleEpoch
 */
export async function followSchedules(ports: FollowPorts, account: string, fence: HeldLease): Promise<void> {
  const { records, clock, log, random } = ports;
  const partition = groupsPartition(account);
  const all = await scanAll<ScheduleRecord>(records, partition, { prefix: groupKeys.schedules, limit: 1000 });
  const seen = clock.now();
  const due = all.flatMap(({ value: action }) =>
    action.next <= seen ? [{ action, since: sinceOf(action, seen) }] : [],
  );
  for (const { action } of due.toSorted((a, b) => a.since - b.since || (a.action.name < b.action.name ? -1 : 1))) {
    try {
      const work = async (tx: Transaction) => {
        const now = clock.now();
        const ran = await runSchedule(tx, action, now);
        if (ran === undefined) return undefined;
        const { group, after, isOutside } = ran;
        const { min, max, desired } = after;
        if (isOutside) {
          const message = `The scheduled action ${action.name} would set min: ${min}, max: ${max}, desired: ${desired}, which contradict each other.`;
          beginActivity(tx, random, {
            group: group.name,
            description: `Failed to run the scheduled action ${action.name}.`,
            cause: message,
            status: 'Failed',
            message,
            startedAt: now,
            endedAt: now,
          });
          return message;
        }
        const why = `a scheduled action update of AutoScalingGroup constraints to min: ${min}, max: ${max}, desired: ${desired}`;
        tx.put(groupKeys.group(group.name), toJson(desiredFor(group, after, why, now)));
        return why;
      };
      const said = await transact(records, partition, work, { fence, attempts });
      if (said !== undefined)
        log.info({ account, group: action.group, action: action.name, said }, 'ran a scheduled action of a group');
    } catch (err) {
      if (err instanceof StaleEpoch) throw err;
      log.warn(
        { err, account, group: action.group, action: action.name },
        'cannot run a scheduled action of a group now; trying again',
      );
    }
  }
}

/** What is wrong with one action is said when it is run. */
function sinceOf(action: ScheduleRecord, now: number): number {
  try {
    return lastDue(action, now);
  } catch {
    return action.next;
  }
}
