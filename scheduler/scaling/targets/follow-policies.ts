import type { Led } from '../../control/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import type { AlarmRecord } from '../../signals/alarms/index.ts';
import { clusterKeys, type ServiceRecord, toJson } from '../../state/index.ts';
import { type Change, decide, type Judged, type TargetStanding, type Trigger } from '../rules/index.ts';
import { tell } from './activities.ts';
import { commit, type ScalerPorts, setDesired } from './commit.ts';
import { scalingKeys } from './keys.ts';
import type { PolicyRecord, TargetRecord } from './records.ts';
import { floorOf, type Floored } from './forecasts.ts';
import { wishesOf } from './wishes.ts';

/**
 * Does what the policies of a target come to, if anything: the count of the service, what the target did last and the activity are one commit
 * of the cluster's leader, and stand only if the service still has the count that was decided about.
 */
export async function followPolicies(
  ports: ScalerPorts,
  led: Led,
  ref: ServiceRef,
  policies: readonly PolicyRecord[],
  alarms: ReadonlyMap<string, AlarmRecord>,
  judged: ReadonlyMap<string, Judged>,
): Promise<void> {
  const { clock, random, log } = ports;
  const wishes = await wishesOf(ports, ref, policies, alarms, judged, clock.now());
  const floor = await floorOf(ports, ref, policies, clock.now());
  if (floor === undefined && wishes.every(({ point }) => point === undefined)) return;
  const running = led.view
    .openTasksOfService(ref.service)
    .filter(({ lastStatus, desiredStatus }) => lastStatus === 'RUNNING' && desiredStatus === 'RUNNING').length;
  const done = await commit(ports, led, async (tx) => {
    const now = clock.now();
    const target = await tx.get<TargetRecord>(scalingKeys.target(ref.service));
    const service = await tx.get<ServiceRecord>(clusterKeys.service(ref.service));
    if (target === undefined || service?.status !== 'ACTIVE') return undefined;
    const decision = decide(standingOf(target, service, running, floor), wishes, now);
    if (decision === undefined) return undefined;
    const key = scalingKeys.policy(ref.service, decision.policy);
    const policy = await tx.get<PolicyRecord>(key);
    if (policy === undefined) return undefined;
    const change: Change = { at: now, from: service.desiredCount, until: now + decision.cooldown };
    const { lastIn: _, ...others } = target;
    // A scale-out ends the cooldown of a scale-in.
    const changed = decision.direction === 'out' ? { ...others, lastOut: change } : { ...target, lastIn: change };
    tx.put(scalingKeys.target(ref.service), toJson(changed));
    tx.put(key, toJson({ ...policy, actedOn: decision.point }));
    await setDesired(tx, ref.service, decision.desired, now);
    await tell(tx, random, {
      service: ref.service,
      status: 'Successful',
      description: `Setting desired count to ${decision.desired}.`,
      cause: `${inWords(decision.alarm)} triggered policy ${decision.policy}`,
      message: `Successfully set desired count to ${decision.desired}. Change successfully fulfilled by ecs.`,
      at: now,
    });
    return { ...decision, from: service.desiredCount };
  });
  if (done === undefined) return;
  const { policy, alarm, from, desired } = done;
  const by = 'name' in alarm ? { alarm: alarm.name } : alarm;
  log.info({ cluster: ref.cluster, service: ref.service, policy, ...by, from, desired }, 'scaled a service');
}

/** As Application Auto Scaling says it of alarms. */
const inWords = (trigger: Trigger): string =>
  'name' in trigger ? `monitor alarm ${trigger.name} in state ${trigger.state}` : trigger.readings;

function standingOf(
  target: TargetRecord,
  service: ServiceRecord,
  running: number,
  floor: Floored | undefined,
): TargetStanding {
  const { min, max, suspended, lastOut, lastIn } = target;
  return {
    min,
    max: Math.max(max, floor?.most ?? 0),
    ...(floor === undefined ? {} : { floor }),
    desired: service.desiredCount,
    running,
    // An external controller's task sets are never done.
    isDeploying:
      service.controller !== 'EXTERNAL' &&
      service.deployments.some((one) => one.status === 'PRIMARY' && one.rolloutState === 'IN_PROGRESS'),
    noScaleIn: suspended?.scaleIn === true,
    noScaleOut: suspended?.scaleOut === true,
    ...(lastOut === undefined ? {} : { lastOut }),
    ...(lastIn === undefined ? {} : { lastIn }),
  };
}
