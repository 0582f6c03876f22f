import { waitAtMost } from '@slipway/storage/clock';
import { StaleEpoch } from '@slipway/storage/records';

import { scan } from '../../cluster/index.ts';
import type { Led } from '../../control/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import { clusterKeys, clusterPartition, type ServiceRecord } from '../../state/index.ts';
import { dueSince } from './actions.ts';
import { activitiesKept, mostActivities } from './activities.ts';
import { followPolicies } from './follow-policies.ts';
import { commit, type ScalerPorts } from './commit.ts';
import { scalingKeys } from './keys.ts';
import { dropAlarms, keepAlarms } from './policies.ts';
import { runAction } from './run-action.ts';
import type { ActionRecord, ActivityRecord, PolicyRecord, TargetRecord } from './records.ts';
import { keysOf, removeTarget } from './targets.ts';

/** Milliseconds between looks at the targets of a cluster. */
const interval = 10_000;

/** Milliseconds between looks at what is told of no longer. */
const sweepInterval = 3_600_000;

/** Scales the services of a cluster beside its leader, until the signal aborts. */
export async function scaleServices(ports: ScalerPorts, led: Led, over: AbortSignal): Promise<void> {
  const { clock, log } = ports;
  let sweepDue = clock.monotonic();
  while (!over.aborted) {
    try {
      const sweeps = clock.monotonic() >= sweepDue;
      await lookAtTargets(ports, led, sweeps, over);
      if (sweeps) sweepDue = clock.monotonic() + sweepInterval;
    } catch (err) {
      // Another server leads: the signal aborts in a moment.
      if (!(err instanceof StaleEpoch))
        log.warn({ cluster: led.view.name, err }, 'cannot scale services now; trying again');
    }
    await waitAtMost(interval, () => {}, clock, over);
  }
}

/** An action that is due, and since when: of runs that were missed the last one counts. */
interface Due {
  readonly action: ActionRecord;
  readonly since: number;
}

async function lookAtTargets(ports: ScalerPorts, led: Led, sweeps: boolean, over: AbortSignal): Promise<void> {
  const { records, clock } = ports;
  const { account, name: cluster } = led.view;
  const partition = clusterPartition(account, cluster);
  const now = clock.now();
  const due = new Map<string, Due[]>();
  for await (const { value } of scan<ActionRecord>(records, partition, scalingKeys.actions)) {
    if (value.next === undefined || value.next > now) continue;
    const since = dueSince(value, value.next, now);
    due.set(value.service, [...(due.get(value.service) ?? []), { action: value, since }]);
  }
  const policies = new Map<string, PolicyRecord[]>();
  for await (const { value } of scan<PolicyRecord>(records, partition, scalingKeys.policies))
    policies.set(value.service, [...(policies.get(value.service) ?? []), value]);
  const alarms = policies.size === 0 ? undefined : await ports.alarms.all(account);
  for await (const { value: target } of scan<TargetRecord>(records, partition, scalingKeys.targets)) {
    if (over.aborted) return;
    const ref = { account, cluster, service: target.service };
    const status = led.view.services.get(target.service)?.value.status;
    if (status === undefined || status === 'INACTIVE') {
      await forget(ports, led, ref, policies.get(target.service) ?? []);
      continue;
    }
    const actions = due.get(target.service) ?? [];
    actions.sort((a, b) => a.since - b.since || (a.action.name < b.action.name ? -1 : 1));
    for (const { action } of actions) await runAction(ports, led, ref, action);
    const followed = policies.get(target.service);
    if (followed !== undefined && alarms !== undefined) {
      for (const policy of followed) await keepAlarms(ports, ref, policy, alarms);
      await followPolicies(ports, led, ref, followed, alarms);
    }
    if (sweeps) await sweep(ports, led, ref);
  }
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
