import { AwsError } from '@slipway/auth/contract';
import { hasRoom, transact } from '@slipway/storage/records';

import { newEventId, toJson } from '../../state/index.ts';
import {
  desiredFor,
  type GroupRecord,
  groupKeys,
  type GroupsPorts,
  groupsPartition,
  moment,
  noGroup,
  validation,
} from '../groups/index.ts';
import { decideGroup } from '../rules/index.ts';
import { dropGroupAlarms, keepGroupAlarms, type PolicyAlarms } from './alarms.ts';
import type { GroupPolicyRecord, GroupTrackingPolicy, SteppingPolicy } from './records.ts';

/** Policies of one group (EC2 Auto Scaling quotas). */
const mostPolicies = 50;
/** Others that change the group meanwhile: a change is tried so often. */
const attempts = 100;

export interface GroupPolicyPorts extends GroupsPorts {
  readonly alarms: PolicyAlarms;
}

type Draft<P> = P extends GroupPolicyRecord ? Omit<P, 'group' | 'groupId' | 'name' | 'id' | 'actedOn'> : never;
export type GroupPolicyDraft = Draft<SteppingPolicy> | Draft<GroupTrackingPolicy>;

/**
 * Makes a policy of a group, or changes the one of that name, with the alarms that it needs.
 * @throws ValidationError without the group, and for another type than it has; LimitExceeded
 */
export async function putGroupPolicy(
  ports: GroupPolicyPorts,
  account: string,
  group: string,
  name: string,
  draft: GroupPolicyDraft,
): Promise<GroupPolicyRecord> {
  const { records, random } = ports;
  const made = await transact(
    records,
    groupsPartition(account),
    async (tx) => {
      const of = await tx.get<GroupRecord>(groupKeys.group(group));
      if (of === undefined) throw noGroup(group);
      const key = groupKeys.policy(group, name);
      const found = await tx.get<GroupPolicyRecord>(key);
      const before = found?.groupId === of.id ? found : undefined;
      if (before === undefined && !(await hasRoom(tx, groupKeys.policiesOf(group), mostPolicies)))
        throw new AwsError(
          'LimitExceeded',
          `An Auto Scaling group has at most ${mostPolicies} scaling policies: delete one first.`,
        );
      if (before !== undefined && before.type !== draft.type)
        throw validation('The type of a scaling policy cannot be changed: delete it first.');
      const policy: GroupPolicyRecord = { ...draft, group, groupId: of.id, name, id: before?.id ?? newEventId(random) };
      tx.put(key, toJson(policy));
      return policy;
    },
    { attempts },
  );
  await keepGroupAlarms(ports, account, made);
  return made;
}

/** Removes a policy and its alarms. @throws ValidationError */
export async function deleteGroupPolicy(
  ports: GroupPolicyPorts,
  account: string,
  group: string,
  name: string,
): Promise<void> {
  const gone = await transact(ports.records, groupsPartition(account), async (tx) => {
    const key = groupKeys.policy(group, name);
    const policy = await tx.get<GroupPolicyRecord>(key);
    if (policy === undefined) throw noPolicy(group, name);
    tx.remove(key);
    return policy;
  });
  await dropGroupAlarms(ports.alarms, account, gone);
}

/**
 * Does what a policy comes to, at once, whatever alarms say.
 * @param asked `distance` how far a metric is above the threshold of a step policy
 * @throws ValidationError for a tracking policy, and a step policy without a distance; ScalingActivityInProgress
 */
export async function executeGroupPolicy(
  { records, clock }: GroupsPorts,
  account: string,
  group: string,
  name: string,
  { distance, honorCooldown }: { readonly distance: number | undefined; readonly honorCooldown: boolean },
): Promise<void> {
  const work = async (tx: Parameters<Parameters<typeof transact>[2]>[0]): Promise<void> => {
    const of = await tx.get<GroupRecord>(groupKeys.group(group));
    if (of === undefined) throw noGroup(group);
    const policy = await tx.get<GroupPolicyRecord>(groupKeys.policy(group, name));
    if (policy === undefined || policy.groupId !== of.id) throw noPolicy(group, name);
    if (policy.type === 'tracking')
      throw validation(
        `The policy ${name} is a target tracking policy, which cannot be executed: its alarms act on it.`,
      );
    if (policy.type === 'step' && distance === undefined)
      throw validation('MetricValue and BreachThreshold must be specified for a step scaling policy.');
    const now = clock.now();
    const cooldown = (policy.cooldown ?? of.cooldown) * 1000;
    if (honorCooldown && policy.type === 'simple' && of.scaledAt !== undefined && now < of.scaledAt + cooldown)
      throw new AwsError(
        'ScalingActivityInProgress',
        `Scaling activity is in progress: the cooldown of ${cooldown / 1000} seconds ends at ${moment(of.scaledAt + cooldown)}`,
      );
    const decision = decideGroup(
      { min: of.min, max: of.max, desired: of.desired, scaledAt: undefined },
      [
        {
          kind: policy.type,
          policy: name,
          by: 'a user request',
          point: { at: now, value: distance ?? 0 },
          warm: of.desired,
          warming: 0,
          rule: policy.rule,
          threshold: 0,
          actedOn: undefined,
          cooldown: 0,
        },
      ],
      0,
      now,
    );
    if (decision === undefined) return;
    const why = `a user request executed policy ${name}`;
    tx.put(groupKeys.group(group), toJson(desiredFor(of, { ...of, desired: decision.desired }, why, now)));
  };
  await transact(records, groupsPartition(account), work, { attempts });
}

const noPolicy = (group: string, name: string): AwsError =>
  validation(`No scaling policy found for the Auto Scaling group ${group}, policy name: ${name}`);
