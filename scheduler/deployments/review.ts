import type { DeploymentRecord, TaskRecord } from '../state/index.ts';

import { tasksPerPass } from './bounds.ts';
import { crashDelay, startDelay } from './backoff.ts';
import { countFailure } from './breaker.ts';
import { eventTexts } from './events.ts';
import { describeEnd, judge } from './failures.ts';
import { healthDue, healthyAt, isUnhealthy } from './health.ts';
import type { Pass } from './pass.ts';
import { isGivenUp, isStalled } from './shift-state.ts';
import { countUnhealthy, stopUnhealthy } from './targets.ts';

/**
 * Draws the conclusions from what tasks did since the last pass, in the order in which it happened: tasks that became
 * healthy, tasks that ended, tasks whose checks failed before they ever passed. Each end is counted once.
 */
export function review(pass: Pass): void {
  const happened: { readonly at: number; readonly note: () => void }[] = [];
  for (const task of pass.tasks()) {
    if (task.lastStatus === 'STOPPED') {
      if (task.reviewed !== true) happened.push({ at: task.stoppedAt ?? pass.now, note: () => noteEnd(pass, task) });
      continue;
    }
    noteRunning(pass, task);
    pass.wake(healthDue(task, pass.service, pass.now, pass.options));
    if (task.healthySince !== undefined) continue;
    const at = healthyAt(task, pass.now, pass.options);
    if (at !== undefined && at <= pass.now) happened.push({ at, note: () => noteHealthy(pass, task, at) });
    else if (task.desiredStatus === 'RUNNING' && isUnhealthy(task, pass.service, pass.now))
      happened.push({ at: pass.now, note: () => endUnhealthy(pass, task) });
  }
  for (const { note } of happened.sort((a, b) => a.at - b.at).slice(0, tasksPerPass)) note();
  for (const deployment of pass.deployments()) backOff(pass, deployment);
}

/** Ends a task whose checks fail and counts it. */
export function endUnhealthy(pass: Pass, task: TaskRecord): void {
  stopUnhealthy(pass, [task]);
  countUnhealthy(pass, task);
}

function noteRunning(pass: Pass, task: TaskRecord): void {
  const deployment = pass.deployment(task.service?.deploymentId ?? '');
  if (deployment === undefined || task.startedAt === undefined) return;
  if (!deployment.everRunning) pass.change(deployment.id, { everRunning: true });
  if (deployment.startFailures !== undefined && task.startedAt > (deployment.lastFailureAt ?? 0))
    pass.change(deployment.id, { startFailures: undefined });
}

function noteHealthy(pass: Pass, task: TaskRecord, at: number): void {
  pass.changeTask(task.id, { healthySince: at });
  const deployment = pass.deployment(task.service?.deploymentId ?? '');
  if (deployment === undefined || isGivenUp(deployment)) return;
  const keepsCount = pass.service.deploymentConfiguration.circuitBreaker?.resetOnHealthyTask === false;
  pass.change(deployment.id, {
    ...(keepsCount && deployment.rolloutState === 'IN_PROGRESS' ? {} : { failedTasks: 0 }),
    crashes: undefined,
    neverHealthy: undefined,
    startFailures: undefined,
    startNotBefore: undefined,
  });
}

function noteEnd(pass: Pass, task: TaskRecord): void {
  pass.changeTask(task.id, { reviewed: true });
  const deploymentId = task.service?.deploymentId;
  if (deploymentId === undefined) return;
  const verdict = judge(task, pass.options);
  switch (verdict) {
    case 'start':
    case 'crash':
      countFailure(pass, deploymentId, verdict, describeEnd(task));
      return;
    case 'exit':
      pass.change(deploymentId, { lastFailure: describeEnd(task), lastFailureAt: pass.now });
      return;
    case 'none':
      return;
  }
}

/** Sets the time before which the deployment starts nothing, when one of its tasks failed in this pass. */
function backOff(pass: Pass, deployment: DeploymentRecord): void {
  const desired = pass.service.desiredCount;
  const slow = startDelay(deployment.startFailures ?? 0, desired);
  if (deployment.status === 'PRIMARY' && deployment.taskSet === undefined) {
    if (slow > 0) pass.voice.sayStanding('impaired', eventTexts.impaired);
    else if (deployment.startFailures === undefined) pass.voice.resolve('impaired');
  }
  if (isStalled(deployment) || deployment.lastFailureAt !== pass.now) return;
  const delay = Math.max(slow, crashDelay(deployment.crashes ?? 0, desired));
  if (delay === 0) return;
  pass.change(deployment.id, { startNotBefore: pass.now + delay });
  pass.decisions.push({
    what: 'back-off',
    deploymentId: deployment.id,
    why: `${deployment.failedTasks} tasks failed in a row; no start for ${delay / 1000} s; the last: ${deployment.lastFailure ?? ''}`,
  });
}
