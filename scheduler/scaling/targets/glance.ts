import { StaleEpoch } from '@slipway/storage/records';

import type { Led } from '../../control/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import type { AlarmRecord } from '../../signals/alarms/index.ts';
import type { ServiceReadings } from '../../signals/usage/index.ts';
import type { Judged } from '../rules/index.ts';
import type { ScalerPorts } from './commit.ts';
import { followPolicies } from './follow-policies.ts';
import { judgedFresh, readsTasks } from './fresh.ts';
import type { PolicyRecord, TargetRecord } from './records.ts';

/** A target as it was at the last look, of which something is measured between the minutes. */
export interface TrackedTarget {
  readonly ref: ServiceRef;
  readonly target: TargetRecord;
  readonly policies: readonly PolicyRecord[];
  /** The account's. */
  readonly alarms: ReadonlyMap<string, AlarmRecord>;
}

/** What the tasks of services use now, of those that policies track by it; whoever knows is told which these are. */
export async function knownOf(
  { fresh }: Pick<ScalerPorts, 'fresh'>,
  { view: { account, name } }: Pick<Led, 'view'>,
  policies: readonly PolicyRecord[],
): Promise<ReadonlyMap<string, ServiceReadings>> {
  const wanted = new Set(policies.filter(readsTasks).map(({ service }) => service));
  await fresh.readings.want(account, name, wanted);
  return wanted.size === 0 ? new Map() : fresh.readings.read(account, name);
}

/** By policy, what its last readings say. */
export function judgedFor(
  { fresh }: Pick<ScalerPorts, 'fresh'>,
  ref: ServiceRef,
  policies: readonly PolicyRecord[],
  known: ServiceReadings | undefined,
): ReadonlyMap<string, Judged> {
  return new Map(
    policies.flatMap((policy) => {
      const judged = judgedFresh(policy, ref, known, fresh);
      return judged === undefined ? [] : [[policy.name, judged] as const];
    }),
  );
}

/**
 * Has services scaled out of which the last readings say that they are above a target, seconds after they are. What is decided is decided
 * from the records, as at every look: a glance only tells that there may be something to decide.
 */
export async function glanceAt(
  ports: ScalerPorts,
  led: Led,
  tracked: readonly TrackedTarget[],
  over: AbortSignal,
): Promise<void> {
  if (tracked.length === 0) return;
  const { fresh, log } = ports;
  const { account, name } = led.view;
  const reads = tracked.some(({ policies }) => policies.some(readsTasks));
  const known = reads ? await fresh.readings.read(account, name) : new Map<string, ServiceReadings>();
  for (const { ref, target, policies, alarms } of tracked) {
    if (over.aborted) return;
    const desired = led.view.services.get(ref.service)?.value.desiredCount;
    if (desired === undefined || desired >= target.max || target.suspended?.scaleOut === true) continue;
    const judged = judgedFor(ports, ref, policies, known.get(ref.service));
    const isMore = policies.some((policy) => {
      const { above, tasks = 0 } = judged.get(policy.name) ?? {};
      return above !== undefined && policy.type === 'tracking' && above.value * tasks > desired * policy.target;
    });
    if (!isMore) continue;
    try {
      await followPolicies(ports, led, ref, policies, alarms, judged);
    } catch (err) {
      if (err instanceof StaleEpoch) throw err;
      log.warn({ cluster: name, service: ref.service, err }, 'cannot scale a service now; trying again');
    }
  }
}
