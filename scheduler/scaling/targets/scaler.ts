import type { Log } from '@slipway/auth/contract';
import { waitAtMost } from '@slipway/storage/clock';
import { StaleEpoch, transact, type Transaction } from '@slipway/storage/records';

import { type EcsPorts, scan } from '../../cluster/index.ts';
import type { Led } from '../../control/index.ts';
import { changeServiceWithin, type ServiceRef } from '../../services/index.ts';
import { clusterKeys, clusterPartition, type ServiceRecord, toJson } from '../../state/index.ts';
import { runScheduled } from '../rules/index.ts';
import { dueSince, nextOf } from './actions.ts';
import { activitiesKept, mostActivities, tell } from './activities.ts';
import { scalingKeys } from './keys.ts';
import type { ActionRecord, ActivityRecord, TargetRecord } from './records.ts';
import { keysOf, removeTarget } from './targets.ts';

/** What scaling works with. */
export interface ScalerPorts extends Pick<EcsPorts, 'records' | 'clock' | 'random'> {
  readonly log: Log;
}

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
  for await (const { value: target } of scan<TargetRecord>(records, partition, scalingKeys.targets)) {
    if (over.aborted) return;
    const ref = { account, cluster, service: target.service };
    const status = led.view.services.get(target.service)?.value.status;
    if (status === undefined || status === 'INACTIVE') {
      await forget(ports, led, ref);
      continue;
    }
    const actions = due.get(target.service) ?? [];
    actions.sort((a, b) => a.since - b.since || (a.action.name < b.action.name ? -1 : 1));
    for (const { action } of actions) await run(ports, led, ref, action);
    if (sweeps) await sweep(ports, led, ref);
  }
}

/** What an operator reads of it. */
interface Said {
  readonly failed?: true;
  readonly reason: string;
  readonly desired?: number;
}

/** Runs an action that is due: the bounds, the service's count and what is told of it are one commit of the cluster's leader. */
async function run(ports: ScalerPorts, led: Led, ref: ServiceRef, due: ActionRecord): Promise<void> {
  const { clock, random, log } = ports;
  const said = await commit<Said | undefined>(ports, led, async (tx) => {
    const now = clock.now();
    const key = scalingKeys.action(ref.service, due.name);
    const [target, action, service] = [
      await tx.get<TargetRecord>(scalingKeys.target(ref.service)),
      await tx.get<ActionRecord>(key),
      await tx.get<ServiceRecord>(clusterKeys.service(ref.service)),
    ];
    if (target === undefined || action?.next !== due.next || action?.id !== due.id || service?.status !== 'ACTIVE')
      return undefined;
    const { next: _, ...rest } = action;
    const next = nextOf(action, now);
    tx.put(key, toJson(next === undefined ? rest : { ...rest, next }));
    // What falls into a suspension is not made up for afterwards.
    if (target.suspended?.scheduled === true) return undefined;
    const ran = runScheduled(target, service.desiredCount, action);
    if (ran.kind === 'refused') {
      const { cause } = ran;
      const message = `Failed to run the scheduled action ${action.name}: ${cause}.`;
      await tell(tx, random, {
        service: ref.service,
        status: 'Failed',
        description: 'Setting bounds.',
        cause,
        message,
        at: now,
      });
      return { failed: true, reason: cause };
    }
    tx.put(scalingKeys.target(ref.service), toJson({ ...target, ...ran.range }));
    if (ran.desired === service.desiredCount) return { reason: 'the count stays as it is' };
    await setDesired(tx, ref.service, ran.desired, now);
    await tell(tx, random, {
      service: ref.service,
      status: 'Successful',
      description: `Setting desired count to ${ran.desired}.`,
      cause: ran.cause,
      message: `Successfully set desired count to ${ran.desired}. Change successfully fulfilled by ecs.`,
      at: now,
    });
    return { reason: ran.cause, desired: ran.desired };
  });
  if (said === undefined) return;
  const { failed, ...fields } = said;
  log[failed === true ? 'warn' : 'info'](
    { cluster: ref.cluster, service: ref.service, action: due.name, ...fields },
    'ran a scheduled scaling action',
  );
}

/** Sets the count of a service within a commit: as UpdateService does, no deployment begins. */
const setDesired = (tx: Transaction, service: string, desired: number, now: number): Promise<unknown> =>
  changeServiceWithin(
    tx,
    service,
    (before) => ({ ...before, desiredCount: desired, steady: false, version: before.version + 1 }),
    now,
  );

/** Takes away what is there of a service that is gone. */
function forget(ports: ScalerPorts, led: Led, ref: ServiceRef): Promise<void> {
  return commit(ports, led, async (tx) => {
    const service = await tx.get<ServiceRecord>(clusterKeys.service(ref.service));
    if (service === undefined || service.status === 'INACTIVE') await removeTarget(tx, ref.service);
  });
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

const commit = <T>({ records }: ScalerPorts, { view, held }: Led, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  transact(records, clusterPartition(view.account, view.name), work, { fence: held, attempts: 100 });
