import type { DeploymentRecord, ServiceRecord } from '../state/index.ts';

import { failDeployment } from './breaker.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';
import { hasReached, isGivenUp, shiftingOf } from './shift-state.ts';
import type { WatchedAlarm } from './types.ts';

/** The longest that a rolling deployment bakes by itself (ECS derives the time from the alarms: "less than 5 minutes"). Milliseconds. */
const longestBake = 300_000;
const minute = 60_000;

/** The alarms of a deployment, and what they do to it. */
interface Watched {
  readonly alarmNames: readonly string[];
  readonly rollback: boolean;
  /** Of one that CodeDeploy began. CodeDeploy asks how alarms stand, and what is in ALARM at the start stops a deployment as well. */
  readonly asked?: { readonly ignoreMissing: boolean };
}

/**
 * The alarms that the PRIMARY deployment of a service may fail by: those of the service, or where CodeDeploy began it those that it was begun
 * with.
 */
export function alarmsOf({
  deploymentConfiguration: { alarms },
  deployments,
}: Pick<ServiceRecord, 'deploymentConfiguration' | 'deployments'>): Watched | undefined {
  const codeDeploy = deployments.find(({ status }) => status === 'PRIMARY')?.shifting?.codeDeploy;
  if (codeDeploy === undefined) return alarms?.enable === true ? alarms : undefined;
  const { alarms: own } = codeDeploy;
  if (own === undefined) return undefined;
  const { alarmNames, rollback, ignoreMissing } = own;
  return { alarmNames, rollback, asked: { ignoreMissing } };
}

/**
 * The alarms that the PRIMARY deployment may fail by, while it may: it is in progress, is no rollback, and has not kept all traffic for its
 * bake time yet.
 */
function watchOf(pass: Pass): { readonly alarms: Watched; readonly primary: DeploymentRecord } | undefined {
  const alarms = alarmsOf(pass.current());
  const primary = pass.primary();
  if (alarms === undefined || primary === undefined || pass.service.status !== 'ACTIVE') return undefined;
  if (primary.rolloutState !== 'IN_PROGRESS' || primary.cause.kind === 'rollback' || isGivenUp(primary))
    return undefined;
  const shifting = shiftingOf(pass.current());
  return shifting !== undefined && hasReached(shifting, 'CLEAN_UP') ? undefined : { alarms, primary };
}

/**
 * Fails the deployment when one of its alarms has gone into ALARM since it began, whatever the alarm says by now: a short one is not missed
 * between two passes. It begins with the first pass that looks at it, before which none of its tasks runs; times of different servers are not
 * compared. Where an alarm is in ALARM then, none is watched for all of the deployment (ECS developer guide, "How CloudWatch alarms detect
 * Amazon ECS deployment failures"): it may be what mends the service. One of CodeDeploy's is stopped by it, and by an alarm that is not there
 * to be asked (API reference, `AlarmConfiguration`).
 */
export function judgeByAlarms(pass: Pass): void {
  const watch = watchOf(pass);
  const known = pass.state.alarms;
  if (watch === undefined || known === undefined) return;
  const { alarms, primary } = watch;
  const named = alarms.alarmNames.flatMap((name) => {
    const alarm = known.get(name);
    return alarm === undefined ? [] : [{ name, ...alarm }];
  });
  const on = named.filter(({ state }) => state === 'ALARM').map(({ name }) => name);
  if (primary.alarms === undefined) {
    const ignored = alarms.asked === undefined ? on : [];
    const before = Object.fromEntries(named.map(({ name, alarmedAt = 0 }) => [name, alarmedAt]));
    pass.change(primary.id, { alarms: ignored.length === 0 ? { before } : { ignored } });
    if (ignored.length > 0) pass.voice.say(eventTexts.alarmsIgnored(primary.id, ignored));
    if (alarms.asked === undefined) return;
  }
  const { ignored, before = {} } = pass.deployment(primary.id)?.alarms ?? {};
  if (ignored !== undefined) return;
  const went = named.filter(({ name, alarmedAt = 0 }) => alarmedAt > (before[name] ?? 0)).map(({ name }) => name);
  const triggered = alarms.asked === undefined ? went : [...new Set([...on, ...went])];
  if (triggered.length > 0) {
    const evidence = `${plural(triggered)} ${triggered.join(', ')} went into ALARM`;
    pass.change(primary.id, { alarms: { triggered } });
    pass.voice.say(eventTexts.alarmsDetected(primary.id, triggered));
    failDeployment(pass, primary.id, {
      rollback: alarms.rollback,
      event: 'alarm detected',
      reason: `ECS deployment ${primary.id} failed: alarm detected. ${evidence}.`,
      evidence,
      verdict: 'failed',
    });
    return;
  }
  const missing = alarms.asked?.ignoreMissing === false ? alarms.alarmNames.filter((name) => !known.has(name)) : [];
  if (missing.length === 0) return;
  const evidence = `${plural(missing)} ${missing.join(', ')} cannot be asked: there is none of that name`;
  pass.change(primary.id, { alarms: { missing } });
  failDeployment(pass, primary.id, {
    rollback: alarms.rollback,
    event: 'alarms cannot be asked',
    reason: `ECS deployment ${primary.id} failed: ${evidence}.`,
    evidence,
    verdict: 'inconclusive',
  });
}

const plural = (alarms: readonly string[]): string => (alarms.length === 1 ? 'alarm' : 'alarms');

/** Whether it is known how the alarms of the deployment stand, where that matters: nothing is called done before. */
export const areAlarmsKnown = (pass: Pass): boolean => watchOf(pass) === undefined || pass.state.alarms !== undefined;

/**
 * Whether a rolling deployment whose tasks are all there, and no others, has gone on for its bake time; that of one that shifts traffic is a
 * stage of its own.
 */
export function isBaked(pass: Pass): boolean {
  const watch = watchOf(pass);
  if (watch === undefined || watch.primary.shifting !== undefined) return true;
  const known = pass.state.alarms;
  if (known === undefined) return false;
  const { alarms, primary } = watch;
  if (primary.alarms?.ignored !== undefined) return true;
  const { bakeTimeInMinutes } = pass.service.deploymentConfiguration;
  const bake = bakeTimeInMinutes === undefined ? bakeOf(alarms, known) : bakeTimeInMinutes * minute;
  const since = primary.bakingSince ?? pass.now;
  if (primary.bakingSince === undefined)
    pass.change(primary.id, {
      bakingSince: since,
      rolloutStateReason: `ECS deployment ${primary.id} in progress. All of its tasks are there; its alarms are watched until ${new Date(since + bake).toISOString()}.`,
    });
  pass.wake(since + bake);
  return since + bake <= pass.now;
}

/** As long as the slowest of the alarms takes to find out, at most five minutes. */
const bakeOf = ({ alarmNames }: Watched, known: ReadonlyMap<string, WatchedAlarm>): number =>
  Math.min(longestBake, Math.max(0, ...alarmNames.map((name) => known.get(name)?.span ?? 0)));
