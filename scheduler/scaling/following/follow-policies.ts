import type { HeldLease } from '@slipway/storage/leases';
import { type RecordStore, scanAll, StaleEpoch, transact } from '@slipway/storage/records';

import type { AlarmRecord, Alarms, PointReader } from '../../signals/alarms/index.ts';
import { toJson } from '../../state/index.ts';
import {
  desiredFor,
  type GroupRecord,
  groupKeys,
  groupsPartition,
  isPooled,
  type MachineRecord,
  unitsOf,
} from '../groups/index.ts';
import { decideGroup, type GroupWish } from '../rules/index.ts';
import { dropGroupAlarms, groupAlarmNames, groupPolicyArn, keepGroupAlarms } from './alarms.ts';
import type { FollowPorts } from './follow.ts';
import type { GroupPolicyPorts } from './policies.ts';
import type { GroupPolicyRecord } from './records.ts';

export interface FollowPolicyPorts extends FollowPorts, GroupPolicyPorts {
  readonly alarms: GroupPolicyPorts['alarms'] & Pick<Alarms, 'all'>;
  /** The datapoints of alarms. */
  readonly points: PointReader;
}

const attempts = 100;
/** Periods of a metric in which its newest point is looked for. */
const periods = 5;

/**
 * Has the groups of an account follow their policies, beside whoever keeps them and under its lease. What is wrong with one group, or with the alarms of one
 * policy, keeps no other one from being followed.
 * @throws StaleEpoch
 */
export async function followGroupPolicies(ports: FollowPolicyPorts, account: string, fence: HeldLease): Promise<void> {
  const { records, log } = ports;
  const partition = groupsPartition(account);
  const read = async <T>(prefix: string): Promise<readonly T[]> =>
    (await scanAll<T>(records, partition, { prefix, limit: 1000 })).map(({ value }) => value);
  if ((await records.list(partition, { prefix: groupKeys.policies, limit: 1 })).records.length === 0) return;
  // Alarms first: those of a policy that is deleted meanwhile are not missed, and not made again.
  const alarms = await ports.alarms.all(account);
  const policies = await read<GroupPolicyRecord>(groupKeys.policies);
  const groups = new Map((await read<GroupRecord>(groupKeys.groups)).map((group) => [group.name, group]));
  const machines = Map.groupBy(await read<MachineRecord>(groupKeys.machines), ({ group }) => group);
  for (const [name, own] of Map.groupBy(policies, ({ group }) => group)) {
    const group = groups.get(name);
    try {
      const [mine, others] = [
        own.filter(({ groupId }) => groupId === group?.id),
        own.filter(({ groupId }) => groupId !== group?.id),
      ];
      for (const policy of others) {
        await forget(records, account, fence, policy);
        await dropGroupAlarms(ports.alarms, account, policy);
      }
      if (group === undefined || group.deleting === true) continue;
      let believed: ReadonlyMap<string, AlarmRecord> = alarms;
      for (const policy of mine)
        await keepGroupAlarms(ports, account, policy, alarms).catch((err: unknown) => {
          // What may not go out again lets nothing go in, whatever its other alarm says; it keeps no other one from going out.
          const { low } = groupAlarmNames(policy);
          believed = new Map([...believed].filter(([of]) => of !== low));
          log.warn(
            { err, account, group: name, policy: policy.name },
            'cannot keep the alarms of a policy; trying again',
          );
        });
      if (group.suspended.includes('AlarmNotification')) continue;
      await followGroup(ports, account, fence, {
        group,
        policies: mine,
        alarms: believed,
        machines: machines.get(name) ?? [],
      });
    } catch (err) {
      if (err instanceof StaleEpoch) throw err;
      log.warn({ err, account, group: name }, 'cannot scale a group by its policies now; trying again');
    }
  }
}

/** Takes away the policy of a group that is gone; not one that the group has that was made under its name meanwhile. */
const forget = (records: RecordStore, account: string, fence: HeldLease, gone: GroupPolicyRecord): Promise<void> =>
  transact(
    records,
    groupsPartition(account),
    async (tx) => {
      const key = groupKeys.policy(gone.group, gone.name);
      if ((await tx.get<GroupPolicyRecord>(key))?.id === gone.id) tx.remove(key);
    },
    { fence, attempts },
  );

interface Sight {
  readonly group: GroupRecord;
  readonly policies: readonly GroupPolicyRecord[];
  /** The account's, but those that are not believed. */
  readonly alarms: ReadonlyMap<string, AlarmRecord>;
  readonly machines: readonly MachineRecord[];
}

async function followGroup(ports: FollowPolicyPorts, account: string, fence: HeldLease, sight: Sight): Promise<void> {
  const { records, clock, log } = ports;
  const { group, policies } = sight;
  const wishes = await wishesOf(ports, account, sight);
  if (wishes.length === 0) return;
  const wanting = new Set(
    wishes.flatMap((wish) => (wish.kind === 'tracking' && wish.side === 'low' ? [wish.policy] : [])),
  );
  const holding = policies.filter(
    (policy) =>
      policy.type === 'tracking' && policy.noScaleIn !== true && policy.disabled !== true && !wanting.has(policy.name),
  ).length;
  const done = await transact(
    records,
    groupsPartition(account),
    async (tx) => {
      const now = clock.now();
      const before = await tx.get<GroupRecord>(groupKeys.group(group.name));
      // What was decided about is another one by now: the next look decides.
      if (
        before === undefined ||
        before.id !== group.id ||
        before.desired !== group.desired ||
        before.deleting === true
      )
        return undefined;
      const { min, max, desired, scaledAt } = before;
      const decision = decideGroup({ min, max, desired, scaledAt }, wishes, holding, now);
      if (decision === undefined) return undefined;
      const key = groupKeys.policy(group.name, decision.policy);
      const policy = await tx.get<GroupPolicyRecord>(key);
      if (policy === undefined || policy.groupId !== group.id) return undefined;
      tx.put(key, toJson({ ...policy, actedOn: decision.point }));
      const why = `${decision.by} triggered policy ${decision.policy}`;
      tx.put(
        groupKeys.group(group.name),
        toJson(desiredFor(before, { ...before, desired: decision.desired }, why, now)),
      );
      return { ...decision, from: desired };
    },
    { fence, attempts },
  );
  if (done === undefined) return;
  const { policy, by, from, desired } = done;
  log.info({ account, group: group.name, policy, by, from, desired }, 'scaled a group');
}

/** What policies say that an alarm acts on, with the newest points of the metrics. */
async function wishesOf(
  ports: FollowPolicyPorts,
  account: string,
  { group, policies, alarms, machines }: Sight,
): Promise<readonly GroupWish[]> {
  const now = ports.clock.now();
  const asked = policies.flatMap((policy) => {
    const acting = policy.disabled === true ? undefined : actingOn(ports.region, account, policy, alarms);
    return acting?.alarm.subject.kind === 'metric' ? [{ policy, ...acting, subject: acting.alarm.subject }] : [];
  });
  const read = await ports.points.read(
    account,
    asked.map(({ subject: { source, rule } }) => {
      const length = rule.period * 1000;
      const end = Math.floor(now / length) * length;
      return { source, start: end - periods * length, end, period: rule.period };
    }),
  );
  return asked.flatMap(({ policy, alarm, side, subject }, index): GroupWish[] => {
    const point = read[index]?.at(-1);
    if (point === undefined) return [];
    const base = {
      policy: policy.name,
      by: `a monitor alarm ${alarm.name} in state ${alarm.state}`,
      point,
      ...warmthOf(
        group,
        machines,
        (policy.warmup ?? group.cooldown) * 1000,
        now,
        point.at + subject.rule.period * 1000,
      ),
    };
    if (policy.type === 'tracking') return [{ ...base, kind: 'tracking', target: policy.target, side: side ?? 'high' }];
    const { type: kind, rule, actedOn } = policy;
    const cooldown = (policy.cooldown ?? group.cooldown) * 1000;
    return [{ ...base, kind, rule, threshold: subject.rule.threshold, actedOn, cooldown }];
  });
}

/** Capacity whose warm-up was over when a point was measured, and capacity that is on its way now: also what is wanted and not yet begun. */
function warmthOf(
  group: GroupRecord,
  machines: readonly MachineRecord[],
  warmup: number,
  now: number,
  measured: number,
): Pick<GroupWish, 'warm' | 'warming'> {
  const serving = machines.filter((machine) => machine.state === 'InService' && !isPooled(machine));
  const warmAt = (at: number): number => unitsOf(serving.filter(({ stateAt }) => stateAt + warmup <= at));
  return { warm: warmAt(measured), warming: Math.max(group.desired - warmAt(now), 0) };
}

function actingOn(
  region: string,
  account: string,
  policy: GroupPolicyRecord,
  alarms: ReadonlyMap<string, AlarmRecord>,
): { readonly alarm: AlarmRecord; readonly side?: 'high' | 'low' } | undefined {
  if (policy.type === 'tracking') {
    const names = groupAlarmNames(policy);
    // Of one that scales in no more, the alarm may still have been there when all were read.
    for (const side of policy.noScaleIn === true ? (['high'] as const) : (['high', 'low'] as const)) {
      const alarm = alarms.get(names[side]);
      if (alarm?.state === 'ALARM' && alarm.actionsEnabled) return { alarm, side };
    }
    return undefined;
  }
  const arn = groupPolicyArn(region, account, policy);
  for (const alarm of alarms.values())
    if (alarm.actionsEnabled && alarm.actions[alarm.state].includes(arn)) return { alarm };
  return undefined;
}
