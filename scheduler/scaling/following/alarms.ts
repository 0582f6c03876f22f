import { arnOf } from '@slipway/auth/kit';
import { scanAll } from '@slipway/storage/records';

import {
  type AlarmConfiguration,
  AlarmInRule,
  AlarmMissing,
  type AlarmRecord,
  type Alarms,
} from '../../signals/alarms/index.ts';
import { sameRecord } from '../../state/index.ts';
import { noRequestLabel, requestMetric } from '../rules/index.ts';
import { groupKeys, type GroupsPorts, groupsPartition, unsupported, validation } from '../groups/index.ts';
import type { GroupMetric, GroupPolicyRecord, GroupTrackingPolicy } from './records.ts';

export type PolicyAlarms = Pick<Alarms, 'put' | 'delete' | 'states'>;

/** The ARN of a policy of a group, which alarms name as their action. */
export const groupPolicyArn = (
  region: string,
  account: string,
  { id, group, name }: Pick<GroupPolicyRecord, 'id' | 'group' | 'name'>,
): string =>
  arnOf({
    service: 'autoscaling',
    region,
    account,
    resource: `scalingPolicy:${id}:autoScalingGroupName/${group}:policyName/${name}`,
  });

/** The policy of a group that an ARN names in this account and region. */
export function parseGroupPolicyArn(
  region: string,
  account: string,
  arn: string,
): { readonly group: string; readonly name: string } | undefined {
  const [, where, of, group, name] =
    /^arn:aws:autoscaling:([^:]+):(\d{12}):scalingPolicy:[0-9a-f-]{36}:autoScalingGroupName\/([^:]{1,255}):policyName\/([^:]{1,255})$/.exec(
      arn,
    ) ?? [];
  return where === region && of === account && group !== undefined && name !== undefined ? { group, name } : undefined;
}

/**
 * The metric of a predefined type (EC2 Auto Scaling user guide, "Choose metrics").
 * @throws ValidationError for a type that there is not, and a label that is missing or not needed
 */
export function predefinedGroupMetric(group: string, type: string, label: string | undefined): GroupMetric {
  if (type === 'ALBRequestCountPerTarget') {
    const metric = requestMetric(label);
    if (metric === undefined) throw validation(noRequestLabel);
    return metric;
  }
  if (type === 'ASGAverageNetworkIn' || type === 'ASGAverageNetworkOut')
    throw unsupported(
      `The metric ${type}`,
      'What machines send and receive is not measured: use ASGAverageCPUUtilization, or a metric of your own.',
    );
  if (type !== 'ASGAverageCPUUtilization')
    throw validation(
      `The predefined metric ${type.slice(0, 100)} does not exist: use ASGAverageCPUUtilization or ALBRequestCountPerTarget.`,
    );
  if (label !== undefined)
    throw validation(`ResourceLabel is for ALBRequestCountPerTarget alone, and not for ${type}.`);
  const dimensions = [{ name: 'AutoScalingGroupName', value: group }];
  return { namespace: 'AWS/EC2', metric: 'CPUUtilization', dimensions, statistic: 'Average' };
}

export const groupAlarmNames = ({ group, id }: Pick<GroupPolicyRecord, 'group' | 'id'>) => ({
  // Names of groups may be as long as those of alarms.
  high: `TargetTracking-${group.slice(0, 190)}-AlarmHigh-${id}`,
  low: `TargetTracking-${group.slice(0, 190)}-AlarmLow-${id}`,
});

/** How far below its target a metric of a group is before machines go (alarms that EC2 Auto Scaling makes), and for how many minutes; above it, for how many. */
const lowRatio = 0.7;
const lowMinutes = 15;
const highMinutes = 3;

/** The alarms of a tracking policy, as they should be: both, or the high one alone where it never scales in. */
export function groupAlarmsOf(
  region: string,
  account: string,
  policy: GroupTrackingPolicy,
): readonly AlarmConfiguration[] {
  const arn = groupPolicyArn(region, account, policy);
  const names = groupAlarmNames(policy);
  const alarm = (name: string, isHigh: boolean): AlarmConfiguration => ({
    name,
    description: `DO NOT EDIT OR DELETE. For TargetTrackingScaling policy ${arn}.`,
    actionsEnabled: true,
    actions: { OK: [], ALARM: [arn], INSUFFICIENT_DATA: [] },
    subject: {
      kind: 'metric',
      source: { kind: 'metric', ...policy.metric },
      rule: {
        period: 60,
        treatMissingData: 'missing',
        comparison: isHigh ? 'GreaterThanThreshold' : 'LessThanThreshold',
        threshold: isHigh ? policy.target : policy.target * lowRatio,
        evaluationPeriods: isHigh ? highMinutes : lowMinutes,
        datapointsToAlarm: isHigh ? highMinutes : lowMinutes,
      },
    },
  });
  return policy.noScaleIn === true ? [alarm(names.high, true)] : [alarm(names.high, true), alarm(names.low, false)];
}

/** Puts the alarms of a policy that are not there, or not as they should be, and takes away what it no longer needs. */
export async function keepGroupAlarms(
  { alarms, region }: { readonly alarms: PolicyAlarms; readonly region: string },
  account: string,
  policy: GroupPolicyRecord,
  known?: ReadonlyMap<string, AlarmRecord>,
): Promise<void> {
  if (policy.type !== 'tracking') return;
  const wanted = groupAlarmsOf(region, account, policy);
  const names = Object.values(groupAlarmNames(policy));
  const there = known ?? (await alarms.states(account, names));
  for (const alarm of wanted) {
    const { subject, actions, actionsEnabled } = there.get(alarm.name) ?? {};
    const { subject: about, actions: acts, actionsEnabled: on } = alarm;
    if (!sameRecord({ subject, actions, actionsEnabled }, { subject: about, actions: acts, actionsEnabled: on }))
      await alarms.put(account, alarm, {});
  }
  const spare = names.filter((name) => there.has(name) && !wanted.some((alarm) => alarm.name === name));
  await removeAlarms(alarms, account, spare);
}

/** Takes the alarms of a policy away that is gone. */
export async function dropGroupAlarms(alarms: PolicyAlarms, account: string, policy: GroupPolicyRecord): Promise<void> {
  if (policy.type !== 'tracking') return;
  const there = await alarms.states(account, Object.values(groupAlarmNames(policy)));
  await removeAlarms(alarms, account, [...there.keys()]);
}

/** Whether an alarm is one that a policy of a group has made for itself: it has such a name, and acts on the policy that the name says. */
function isGroupTrackingAlarm(region: string, account: string, { name, actions }: AlarmRecord): boolean {
  const [, id] =
    /^TargetTracking-(?!service\/).+-Alarm(?:High|Low)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(name) ?? [];
  return (
    id !== undefined &&
    actions.ALARM.some(
      (arn) => arn.includes(`:scalingPolicy:${id}:`) && parseGroupPolicyArn(region, account, arn) !== undefined,
    )
  );
}

/** Takes the alarms away of which the policy is gone: whoever deleted that, or its group, was ended before it could delete them. */
export async function dropGroupStrays(
  {
    records,
    alarms,
    region,
  }: Pick<GroupsPorts, 'records'> & {
    readonly alarms: PolicyAlarms & Pick<Alarms, 'all'>;
    readonly region: string;
  },
  account: string,
): Promise<void> {
  // Alarms first: what is made meanwhile has none there.
  const known = await alarms.all(account);
  const made = [...known.values()].filter((alarm) => isGroupTrackingAlarm(region, account, alarm));
  if (made.length === 0) return;
  const page = { prefix: groupKeys.policies, limit: 1000 };
  const policies = await scanAll<GroupPolicyRecord>(records, groupsPartition(account), page);
  const wanted = new Set(policies.flatMap(({ value }) => Object.values(groupAlarmNames(value))));
  const strays = made.flatMap(({ name }) => (wanted.has(name) ? [] : [name]));
  await removeAlarms(alarms, account, strays);
}

/** One that is gone already is as good as removed; one that a composite alarm names stays, and nothing acts on it. */
async function removeAlarms(alarms: PolicyAlarms, account: string, names: readonly string[]): Promise<void> {
  for (const name of names)
    try {
      await alarms.delete(account, [name]);
    } catch (error) {
      if (!(error instanceof AlarmMissing) && !(error instanceof AlarmInRule)) throw error;
    }
}
