import type { TaskRecord, TaskTarget } from '../state/index.ts';

import { countFailure } from './breaker.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';

/**
 * Registers tasks that run with the target groups of their own deployment, once: what the service says later is for later tasks. Whoever
 * looks after targets does in load balancing what stands here.
 */
export function registerTargets(pass: Pass): void {
  const registered: TaskTarget[] = [];
  let failure: string | undefined;
  for (const task of pass.tasks()) {
    if (task.targets?.length !== 0 || task.lastStatus !== 'RUNNING' || task.desiredStatus !== 'RUNNING') continue;
    const { loadBalancers = [] } = pass.deployment(task.service?.deploymentId ?? '') ?? {};
    const targets: TaskTarget[] = [];
    for (const one of loadBalancers) {
      const place = pass.state.placeOf(task, one);
      if ('missing' in place) failure = eventTexts.notRegistered(one.targetGroupArn, `${task.id}: ${place.missing}`);
      else targets.push({ ...place, targetGroupArn: one.targetGroupArn, registeredAt: pass.now });
    }
    // In all of its groups or in none: it is healthy only when it is so in each.
    if (targets.length === 0 || targets.length < loadBalancers.length) continue;
    pass.changeTask(task.id, { targets });
    registered.push(...targets);
  }
  for (const [group, targets] of byGroup(registered)) pass.voice.say(eventTexts.registered(group, targets.length));
  if (failure === undefined) pass.voice.resolve('registration');
  else pass.voice.sayStanding('registration', failure);
}

/** Says that load balancers send tasks that are told to stop nothing new, in ECS's order: before that they stop. */
export function tellLeaving(pass: Pass, tasks: readonly TaskRecord[]): void {
  const leaving = tasks.filter(({ lastStatus, targets = [] }) => lastStatus !== 'STOPPED' && targets.length > 0);
  const targets = leaving.flatMap((task) => task.targets ?? []);
  for (const [group, own] of byGroup(targets)) pass.voice.say(eventTexts.deregistered(group, own.length));
  for (const [deployment = '', own] of Map.groupBy(leaving, ({ service }) => service?.deploymentId))
    pass.voice.sayOf(deployment, eventTexts.draining(own.length));
}

const byGroup = (targets: readonly TaskTarget[]): Map<string, TaskTarget[]> =>
  Map.groupBy(targets, ({ targetGroupArn }) => targetGroupArn);

/** The registration that says worst of a task: the first that is unhealthy. */
export const unhealthyTarget = ({ targets = [] }: Pick<TaskRecord, 'targets'>): TaskTarget | undefined =>
  targets.find(({ health }) => health?.state === 'unhealthy');

/** Why a task whose checks fail is ended, in ECS's words. */
export function failedChecks(task: TaskRecord): string {
  const target = unhealthyTarget(task);
  return target === undefined
    ? 'Task failed container health checks'
    : `Task failed ELB health checks in (target-group ${target.targetGroupArn})`;
}

/** Ends tasks whose checks fail, and says of each which check that was. */
export function stopUnhealthy(pass: Pass, tasks: readonly TaskRecord[]): void {
  for (const task of tasks) {
    const target = unhealthyTarget(task);
    if (target !== undefined) pass.voice.say(eventTexts.unhealthyTarget(task.id, target));
  }
  const byContainers = tasks.filter((task) => unhealthyTarget(task) === undefined);
  if (byContainers.length > 0) pass.voice.say(eventTexts.unhealthy(byContainers.map(({ id }) => id)));
  for (const [reason, own] of Map.groupBy(tasks, failedChecks)) pass.stop(own, reason);
}

/** Counts a task whose checks failed against its deployment. */
export function countUnhealthy(pass: Pass, task: TaskRecord): void {
  const kind = unhealthyTarget(task) === undefined ? 'health' : 'target';
  const wasHealthy = task.healthySince !== undefined;
  countFailure(pass, task.service?.deploymentId ?? '', kind, `task ${task.id}: ${failedChecks(task)}`, wasHealthy);
}
