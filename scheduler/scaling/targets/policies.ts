import { AwsError } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import type { EcsPorts } from '../../cluster/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import { AlarmInRule, AlarmMissing, type AlarmRecord, type Alarms } from '../../signals/alarms/index.ts';
import { clusterPartition, newEventId, sameRecord, toJson } from '../../state/index.ts';
import { countOf } from './actions.ts';
import { invalid, tooMany } from './errors.ts';
import { scalingKeys } from './keys.ts';
import type { PolicyRecord, PredictivePolicy, StepPolicy, TrackingPolicy } from './records.ts';
import { keysOf, requireTarget } from './targets.ts';
import { alarmNames, alarmsOf, isTrackingAlarm } from './tracking.ts';

/** Policies of one target (Application Auto Scaling quotas). */
const mostPolicies = 50;

export interface PolicyPorts extends Pick<EcsPorts, 'records' | 'clock' | 'random' | 'region'> {
  readonly alarms: Pick<Alarms, 'put' | 'delete' | 'states'>;
}

type Draft<P> = P extends PolicyRecord ? Omit<P, 'service' | 'name' | 'id' | 'createdAt' | 'actedOn'> : never;
export type PolicyDraft = Draft<TrackingPolicy> | Draft<StepPolicy> | Draft<PredictivePolicy>;

/**
 * Makes a policy of a target, or changes the one of that name, with the alarms that it needs.
 * @throws ObjectNotFoundException without the target, ValidationException for another type than it has and for a metric that another policy
 * tracks, LimitExceededException
 */
export async function putPolicy(
  ports: PolicyPorts,
  ref: ServiceRef,
  name: string,
  draft: PolicyDraft,
): Promise<PolicyRecord> {
  const { records, clock, random } = ports;
  const made = await transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    await requireTarget(tx, ref);
    const key = scalingKeys.policy(ref.service, name);
    const before = await tx.get<PolicyRecord>(key);
    if (before === undefined && (await countOf(keysOf(tx, scalingKeys.policiesOf(ref.service)))) >= mostPolicies)
      throw tooMany(`A scalable target has at most ${mostPolicies} scaling policies: delete one first.`);
    if (before !== undefined && before.type !== draft.type)
      throw invalid('The type of a scaling policy cannot be changed: delete it first.');
    if (draft.type === 'tracking')
      for await (const other of keysOf(tx, scalingKeys.policiesOf(ref.service))) {
        const found = other === key ? undefined : await tx.get<PolicyRecord>(other);
        if (found?.type === 'tracking' && sameRecord(found.metric, draft.metric))
          throw invalid(
            `Only one TargetTrackingScaling policy for a given metric specification is allowed: ${found.name} has it already.`,
          );
      }
    const policy: PolicyRecord = {
      ...draft,
      service: ref.service,
      name,
      id: before?.id ?? newEventId(random),
      createdAt: before?.createdAt ?? clock.now(),
    };
    tx.put(key, toJson(policy));
    // What was forecast for another metric says nothing of this one.
    if (before?.type === 'predictive' && policy.type === 'predictive' && !sameRecord(before.metric, policy.metric))
      tx.remove(scalingKeys.forecast(ref.service, name));
    return policy;
  });
  await keepAlarms(ports, ref, made);
  return made;
}

/** Removes a policy and its alarms. @throws ObjectNotFoundException */
export async function deletePolicy(ports: PolicyPorts, ref: ServiceRef, name: string): Promise<void> {
  const gone = await transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const key = scalingKeys.policy(ref.service, name);
    const policy = await tx.get<PolicyRecord>(key);
    if (policy === undefined)
      throw new AwsError(
        'ObjectNotFoundException',
        `No scaling policy found for service namespace: ecs, resource ID: service/${ref.cluster}/${ref.service}, policy name: ${name}`,
      );
    tx.remove(key);
    tx.remove(scalingKeys.forecast(ref.service, name));
    return policy;
  });
  await dropAlarms(ports, ref, [gone]);
}

/**
 * Puts the alarms of a policy that are not there, or not as they should be, and takes away one that it no longer needs.
 * @param known the account's alarms, where they are at hand
 */
export async function keepAlarms(
  { alarms, region }: Pick<PolicyPorts, 'alarms' | 'region'>,
  ref: ServiceRef,
  policy: PolicyRecord,
  known?: ReadonlyMap<string, AlarmRecord>,
): Promise<void> {
  if (policy.type !== 'tracking') return;
  const wanted = alarmsOf(region, ref, policy);
  const names = Object.values(alarmNames(ref, policy));
  const there = new Map(
    [...(known ?? (await alarms.states(ref.account, names)))].filter(([name]) => names.includes(name)),
  );
  for (const alarm of wanted) {
    const { subject, actions, actionsEnabled } = there.get(alarm.name) ?? {};
    const same = sameRecord(
      { subject, actions, actionsEnabled },
      { subject: alarm.subject, actions: alarm.actions, actionsEnabled: alarm.actionsEnabled },
    );
    if (!same) await alarms.put(ref.account, alarm, {});
  }
  const spare = [...there.keys()].filter((name) => !wanted.some((alarm) => alarm.name === name));
  if (spare.length > 0) await removeAlarms(alarms, ref.account, spare);
}

/** Takes the alarms of policies away that are gone. */
export async function dropAlarms(
  { alarms }: Pick<PolicyPorts, 'alarms'>,
  ref: ServiceRef,
  policies: readonly PolicyRecord[],
): Promise<void> {
  const names = policies.flatMap((policy) =>
    policy.type === 'tracking' ? Object.values(alarmNames(ref, policy)) : [],
  );
  const there = await alarms.states(ref.account, names);
  if (there.size > 0) await removeAlarms(alarms, ref.account, [...there.keys()]);
}

/**
 * Takes the alarms away of which the policy is gone: whoever deleted that was ended before it could delete them.
 * @param policies every one of the cluster, read after `known`: what is made meanwhile has no alarm there
 * @param known the account's alarms
 */
export async function dropStrays(
  { alarms }: Pick<PolicyPorts, 'alarms'>,
  { account, cluster }: Pick<ServiceRef, 'account' | 'cluster'>,
  policies: readonly PolicyRecord[],
  known: ReadonlyMap<string, AlarmRecord>,
): Promise<void> {
  const wanted = new Set(
    policies.flatMap((policy) => Object.values(alarmNames({ account, cluster, service: policy.service }, policy))),
  );
  const strays = [...known.keys()].filter((name) => isTrackingAlarm(cluster, name) && !wanted.has(name));
  await removeAlarms(alarms, account, strays);
}

/** One that somebody else has removed meanwhile is as good as removed; one that a composite alarm names stays, and nothing acts on it. */
async function removeAlarms(alarms: PolicyPorts['alarms'], account: string, names: readonly string[]): Promise<void> {
  for (const name of names)
    await alarms.delete(account, [name]).catch((error: unknown) => {
      if (!(error instanceof AlarmMissing || error instanceof AlarmInRule)) throw error;
    });
}
