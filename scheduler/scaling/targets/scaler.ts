import { waitAtMost } from '@slipway/storage/clock';
import { StaleEpoch } from '@slipway/storage/records';

import { scan } from '../../cluster/index.ts';
import type { Led } from '../../control/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import type { AlarmRecord } from '../../signals/alarms/index.ts';
import type { ServiceReadings } from '../../signals/usage/index.ts';
import { clusterKeys, clusterPartition, type ServiceRecord } from '../../state/index.ts';
import { dueSince } from './actions.ts';
import { activitiesKept, mostActivities } from './activities.ts';
import { followPolicies } from './follow-policies.ts';
import { ForecastTurns } from './forecast-turns.ts';
import { makeForecasts } from './forecasts.ts';
import { freshSourceOf } from './fresh.ts';
import { judgedFor, glanceAt, knownOf, type TrackedTarget } from './glance.ts';
import { commit, type ScalerPorts } from './commit.ts';
import { scalingKeys } from './keys.ts';
import { dropAlarms, dropStrays, keepAlarms } from './policies.ts';
import { runAction } from './run-action.ts';
import type { ActionRecord, ActivityRecord, PolicyRecord, TargetRecord } from './records.ts';
import { keysOf, removeTarget } from './targets.ts';
import { alarmNames } from './tracking.ts';

/** Milliseconds between looks at the targets of a cluster. */
const interval = 10_000;

/** Milliseconds between looks at what is told of no longer. */
const sweepInterval = 3_600_000;

/** Milliseconds between looks at what was just measured of services that are tracked. */
const glance = 1_000;

/** Scales the services of a cluster beside its leader, until the signal aborts. */
export async function scaleServices(ports: ScalerPorts, led: Led, over: AbortSignal): Promise<void> {
  const { clock, log } = ports;
  let [due, sweepDue] = [clock.monotonic(), clock.monotonic()];
  const turns = new ForecastTurns(clock);
  let tracked: readonly TrackedTarget[] = [];
  while (!over.aborted) {
    try {
      const now = clock.monotonic();
      if (now >= due) {
        const sweeps = now >= sweepDue;
        tracked = await lookAtTargets(ports, led, sweeps, turns, over);
        due = now + interval;
        if (sweeps) sweepDue = now + sweepInterval;
      }
      await glanceAt(ports, led, tracked, over);
    } catch (err) {
      // Another server leads: the signal aborts in a moment.
      if (!(err instanceof StaleEpoch))
        log.warn({ cluster: led.view.name, err }, 'cannot scale services now; trying again');
    }
    await waitAtMost(glance, () => {}, clock, over);
  }
}

/** What there is to do for one target. */
interface Work {
  /** Those that are due. */
  readonly actions: readonly ActionRecord[];
  readonly policies: readonly PolicyRecord[];
  /** The account's; of a time before the policies were read. */
  readonly alarms: ReadonlyMap<string, AlarmRecord>;
  /** What its tasks use now. */
  readonly known: ServiceReadings | undefined;
  readonly turns: ForecastTurns;
  readonly now: number;
}

/** @returns the targets of which something is measured between the minutes */
async function lookAtTargets(
  ports: ScalerPorts,
  led: Led,
  sweeps: boolean,
  turns: ForecastTurns,
  over: AbortSignal,
): Promise<readonly TrackedTarget[]> {
  const { records, clock, log } = ports;
  const { account, name: cluster } = led.view;
  const partition = clusterPartition(account, cluster);
  const now = clock.now();
  turns.begin();
  const due = new Map<string, ActionRecord[]>();
  for await (const { value } of scan<ActionRecord>(records, partition, scalingKeys.actions))
    if (value.next !== undefined && value.next <= now)
      due.set(value.service, [...(due.get(value.service) ?? []), value]);
  // Alarms first: those of a policy that is deleted meanwhile are not missed, and not made again.
  const some = await records.list(partition, { prefix: scalingKeys.policies, limit: 1 });
  const isNeeded = sweeps || some.records.length > 0;
  const alarms: ReadonlyMap<string, AlarmRecord> = isNeeded ? await ports.alarms.all(account) : new Map();
  const policies = new Map<string, PolicyRecord[]>();
  for await (const { value } of scan<PolicyRecord>(records, partition, scalingKeys.policies))
    policies.set(value.service, [...(policies.get(value.service) ?? []), value]);
  const known = await knownOf(ports, led, [...policies.values()].flat());
  const tracked: TrackedTarget[] = [];
  for await (const { value: target } of scan<TargetRecord>(records, partition, scalingKeys.targets)) {
    if (over.aborted) return tracked;
    const { service } = target;
    const ref = { account, cluster, service };
    const own = policies.get(service) ?? [];
    if (own.some((policy) => freshSourceOf(policy) !== undefined)) tracked.push({ ref, target, policies: own, alarms });
    try {
      await lookAtTarget(ports, led, ref, {
        actions: due.get(service) ?? [],
        policies: own,
        alarms,
        known: known.get(service),
        turns,
        now,
      });
      if (sweeps) await sweep(ports, led, ref);
    } catch (err) {
      // What is wrong with one target, an alarm that its policy cannot have, keeps no other one from being scaled.
      if (err instanceof StaleEpoch) throw err;
      log.warn({ cluster, service, err }, 'cannot scale a service now; trying again');
    }
  }
  if (sweeps) {
    await dropStrays(ports, { account, cluster }, [...policies.values()].flat(), alarms);
    await ports.fresh.readings.forget(account, cluster);
  }
  return tracked;
}

async function lookAtTarget(
  ports: ScalerPorts,
  led: Led,
  ref: ServiceRef,
  { actions, policies, alarms, known, turns, now }: Work,
): Promise<void> {
  const status = led.view.services.get(ref.service)?.value.status;
  if (status === undefined || status === 'INACTIVE') {
    await forget(ports, led, ref, policies);
    return;
  }
  // Of runs that were missed the last one counts.
  const due = actions.map((action) => ({ action, since: dueSince(action, action.next ?? now, now) }));
  due.sort((a, b) => a.since - b.since || (a.action.name < b.action.name ? -1 : 1));
  for (const { action } of due) await runAction(ports, led, ref, action);
  if (policies.length === 0) return;
  let believed = alarms;
  for (const policy of policies)
    await keepAlarms(ports, ref, policy, alarms).catch((err: unknown) => {
      // What may not go out again lets nothing go in, whatever its other alarm says; it keeps no other one from going out.
      const { low } = alarmNames(ref, policy);
      believed = new Map([...believed].filter(([name]) => name !== low));
      const { cluster, service } = ref;
      ports.log.warn(
        { cluster, service, policy: policy.name, err },
        'cannot keep the alarms of a policy; trying again',
      );
    });
  await makeForecasts(ports, led, ref, policies, turns);
  await followPolicies(ports, led, ref, policies, believed, judgedFor(ports, ref, policies, known));
}

/** Takes away what is there of a service that is gone. */
async function forget(ports: ScalerPorts, led: Led, ref: ServiceRef, policies: readonly PolicyRecord[]): Promise<void> {
  const gone = await commit(ports, led, async (tx) => {
    const service = await tx.get<ServiceRecord>(clusterKeys.service(ref.service));
    if (service !== undefined && service.status !== 'INACTIVE') return false;
    await removeTarget(tx, ref.service);
    return true;
  });
  if (gone) await dropAlarms(ports, ref, policies);
}

/** Takes away what is told of no longer. */
function sweep(ports: ScalerPorts, led: Led, ref: ServiceRef): Promise<void> {
  return commit(ports, led, async (tx) => {
    const prefix = scalingKeys.activitiesOf(ref.service);
    const before = ports.clock.now() - activitiesKept;
    let count = 0;
    for await (const key of keysOf(tx, prefix)) {
      count++;
      const activity = count > mostActivities ? undefined : await tx.peek<ActivityRecord>(key);
      if (activity === undefined || activity.value.at < before) tx.remove(key);
    }
  });
}
