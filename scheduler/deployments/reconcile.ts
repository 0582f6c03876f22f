import type { DeploymentRecord, ServiceRecord, TaskRecord } from '../state/index.ts';

import { isBaked, judgeByAlarms } from './alarms.ts';
import { newestCompleted } from './completed.ts';
import { eventTexts } from './events.ts';
import { settleSets } from './external.ts';
import { judgeRollback } from './hopeless.ts';
import { interrupt } from './interrupt.ts';
import { defaultReconcilerOptions, type ReconcilerOptions } from './options.ts';
import { Pass } from './pass.ts';
import { review } from './review.ts';
import { hasReached, shiftingOf, sourceOf } from './shift-state.ts';
import { heedStop } from './stopped.ts';
import { strategyOf } from './strategies.ts';
import { registerTargets } from './targets.ts';
import { hasTaskSets } from './task-sets.ts';
import type { ServicePlan, ServiceState } from './types.ts';
import { hasRules } from './weights.ts';

/**
 * One pass of the service scheduler: `(state, now) -> plan`. Pure: it reads nothing else and changes nothing. It is level
 * triggered: the plan follows from the records alone, whatever events were lost, and planning again after the plan was
 * carried out decides nothing new until something changes or `wakeAt` is reached.
 *
 * Starts are wishes: the caller places them, and for those that find no instance calls again with `state.blocked`, which
 * adds the event with the reason and, where that makes room, stops tasks of the older revision first.
 */
export function reconcileService(
  state: ServiceState,
  now: number,
  options: ReconcilerOptions = defaultReconcilerOptions,
): ServicePlan {
  const pass = new Pass(state, now, options);
  if (state.service.status === 'INACTIVE') {
    endShift(pass);
    return pass.plan();
  }
  strategyOf(pass.current()).count?.(pass);
  shareOut(pass);
  review(pass);
  heedStop(pass);
  judgeRollback(pass);
  judgeByAlarms(pass);
  registerTargets(pass);
  interrupt(pass);
  strategyOf(pass.current()).step(pass);
  noteBlocked(pass);
  settle(pass);
  if (!pass.deployments().some((deployment) => deployment.status !== 'INACTIVE' && hasRules(deployment)))
    endShift(pass);
  return pass.plan();
}

/** No deployment has anything to say of the rules any more: they stay as they are. */
function endShift(pass: Pass): void {
  const { shift, shiftLive, measured } = pass.state;
  pass.endsShift = shift !== undefined || shiftLive !== undefined || measured !== undefined;
  pass.shift = undefined;
}

/** The old revision of a deployment that shifts traffic: it is kept whole until that one cleans up. */
function wholeSource(pass: Pass): DeploymentRecord | undefined {
  const shifting = shiftingOf(pass.current());
  return shifting === undefined || hasReached(shifting, 'CLEAN_UP') ? undefined : sourceOf(pass.deployments());
}

/** A deployment that has just been superseded keeps as many tasks up as it has now, at most the desired count. */
function shareOut(pass: Pass): void {
  if (hasTaskSets(pass.service)) return;
  const source = wholeSource(pass);
  for (const deployment of pass.deployments()) {
    if (deployment.status !== 'ACTIVE' || deployment.id === source?.id) continue;
    // Before the first pass the share is what was there, ended tasks that nobody has reviewed yet included.
    const counts = ({ service, lastStatus, desiredStatus, reviewed }: TaskRecord): boolean =>
      service?.deploymentId === deployment.id &&
      (lastStatus === 'STOPPED' ? reviewed !== true : desiredStatus === 'RUNNING');
    const known = deployment.completedAt === undefined || deployment.keepCount !== undefined;
    const there = known ? 0 : pass.tasks().filter(counts).length;
    const share = deployment.completedAt === undefined ? 0 : (deployment.keepCount ?? there);
    pass.change(deployment.id, { keepCount: Math.min(share, pass.service.desiredCount) });
  }
}

/** Remembers and tells that the next task of a deployment finds no instance. It is no failure of the deployment. */
function noteBlocked(pass: Pass): void {
  let told: string | undefined;
  for (const deployment of pass.deployments()) {
    const found = pass.state.blocked.get(deployment.id);
    if (found === undefined) {
      if (deployment.unplaceable !== undefined) pass.change(deployment.id, { unplaceable: undefined });
      continue;
    }
    told ??= eventTexts.unplaceable(found);
    const { code, message } = found;
    const same = deployment.unplaceable?.code === code && deployment.unplaceable.message === message;
    if (!same)
      pass.change(deployment.id, { unplaceable: { code, message, since: deployment.unplaceable?.since ?? pass.now } });
    pass.decisions.push({ what: 'unplaceable', deploymentId: deployment.id, why: `${code}: ${message}` });
  }
  if (told === undefined) pass.voice.resolve('unplaceable');
  else pass.voice.sayStanding('unplaceable', told);
}

/** Completes deployments, retires those without tasks, says when the service is steady, and ends a deleted service. */
function settle(pass: Pass): void {
  const primary = pass.primary();
  const census = pass.census();
  const wanted = pass.service.desiredCount;
  if (pass.service.status === 'DRAINING') {
    // Tasks on lost hosts have their order to stop; the service does not wait for hosts that may never come back.
    const leaving = census.stopping.filter(({ host }) => host !== 'lost').length;
    if (census.keep.length + census.outgoing.length + leaving > 0) return;
    pass.service = { ...pass.service, status: 'INACTIVE', desiredCount: 0, steady: false };
    for (const deployment of pass.deployments()) pass.change(deployment.id, { status: 'INACTIVE' });
    pass.decisions.push({ what: 'service-inactive', why: 'deleted, and its last task has stopped' });
    return;
  }
  if (hasTaskSets(pass.service)) {
    settleSets(pass);
    return;
  }
  const steady =
    primary !== undefined &&
    census.keep.length === wanted &&
    census.keep.every(({ healthy }) => healthy) &&
    census.outgoing.length === 0;
  const isDone = steady && primary.rolloutState === 'IN_PROGRESS' && strategyOf(pass.current()).mayComplete(primary);
  if (isDone && isBaked(pass)) {
    pass.change(primary.id, {
      rolloutState: 'COMPLETED',
      rolloutStateReason: `ECS deployment ${primary.id} completed.`,
      completedAt: pass.now,
      keepCount: undefined,
      startNotBefore: undefined,
      bakingSince: undefined,
    });
    pass.decisions.push({
      what: 'deployment-completed',
      deploymentId: primary.id,
      why: `${wanted} healthy tasks of ${primary.taskDefinition}, none of another revision`,
    });
  }
  const settled = steady && pass.primary()?.rolloutState === 'COMPLETED';
  // While tasks are moved it is steady between two moves: that is no news.
  const isQuiet = ({ rebalancing, moving }: ServiceRecord): boolean =>
    rebalancing === undefined && moving === undefined;
  const isNews = isQuiet(pass.state.service) && isQuiet(pass.service);
  if (settled && !pass.service.steady && isNews) pass.voice.say(eventTexts.steady);
  if (settled !== pass.service.steady) pass.service = { ...pass.service, steady: settled };
  retire(pass);
}

/** Older deployments without wanted tasks become INACTIVE; of those only the newest completed stays, while a rollback may need it. */
function retire(pass: Pass): void {
  const { keep, outgoing } = pass.census();
  const busy = new Set([...keep, ...outgoing].map(({ task }) => task.service?.deploymentId));
  const replacing = pass.primary()?.rolloutState === 'IN_PROGRESS';
  const source = wholeSource(pass);
  const isNeeded = (deployment: DeploymentRecord): boolean =>
    busy.has(deployment.id) || deployment.id === source?.id || (replacing && mayRestore(deployment));
  for (const deployment of pass.deployments())
    if (deployment.status === 'ACTIVE' && !isNeeded(deployment))
      pass.change(deployment.id, { status: 'INACTIVE', keepCount: undefined });
  const spare = newestCompleted(pass.deployments());
  const kept = pass.deployments().filter(({ id, status }) => status !== 'INACTIVE' || id === spare?.id);
  const order = ['PRIMARY', 'ACTIVE', 'INACTIVE'];
  pass.keepDeployments(
    kept
      .sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status) || b.createdAt - a.createdAt)
      .map(({ id }) => id),
  );
}

/** Whether tasks of the deployment may still be started to keep the service up until its successor is healthy. */
const mayRestore = (deployment: DeploymentRecord): boolean =>
  deployment.completedAt !== undefined && (deployment.keepCount ?? 0) > 0;
