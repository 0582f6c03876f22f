import type { ServiceRecord, TaskRecord } from '../state/index.ts';

import type { ReconcilerOptions } from './options.ts';
import { unhealthyTarget } from './targets.ts';

type Container = TaskRecord['containers'][number];

/** Whether the container's own check decides about the task. */
const isChecked = ({ essential, checksHealth }: Container): boolean => essential && checksHealth;

/**
 * When the task counts as healthy for `minimumHealthyPercent`: now or before (a time not after `now`), later (the time),
 * or not foreseeable (`undefined`). With container checks all essential ones must be HEALTHY; behind load balancers it must be
 * healthy in every target group; without any check, the task counts a while after it reached RUNNING.
 */
export function healthyAt(task: TaskRecord, now: number, options: ReconcilerOptions): number | undefined {
  if (task.lastStatus !== 'RUNNING' || task.desiredStatus !== 'RUNNING' || task.startedAt === undefined)
    return undefined;
  const isBalanced = task.targets !== undefined;
  if (isBalanced && !(task.targets.length > 0 && task.targets.every(({ health }) => health?.state === 'healthy')))
    return undefined;
  if (!task.containers.some(isChecked)) return isBalanced ? now : task.startedAt + options.healthyAfterRunning;
  return task.containers.every((one) => !isChecked(one) || one.healthStatus === 'HEALTHY') ? now : undefined;
}

export function isHealthy(task: TaskRecord, now: number, options: ReconcilerOptions): boolean {
  const at = healthyAt(task, now, options);
  return at !== undefined && at <= now;
}

/**
 * Until when failed checks of the task are not held against it: `healthCheckGracePeriodSeconds` from its first start, and for a
 * task whose later containers still wait, from when its images were there.
 */
const graceEnds = (task: TaskRecord, service: ServiceRecord): number =>
  (task.startedAt ?? task.pullStoppedAt ?? task.createdAt) + (service.healthCheckGracePeriodSeconds ?? 0) * 1000;

/** Whether a target group says that the task is unhealthy, or a check of a container does. */
const failsChecks = (task: TaskRecord): boolean =>
  task.lastStatus !== 'STOPPED' && (unhealthyTarget(task) !== undefined || failsContainerChecks(task));

/**
 * Whether an essential container is UNHEALTHY, or any that others wait for while the task has not got to RUNNING (`dependsOn` with
 * HEALTHY is looked at only then).
 */
const failsContainerChecks = (task: TaskRecord): boolean =>
  task.containers.some(
    ({ essential, checksHealth, awaited, lastStatus, healthStatus }) =>
      (essential ? checksHealth : awaited === true && task.lastStatus !== 'RUNNING') &&
      lastStatus !== 'STOPPED' &&
      healthStatus === 'UNHEALTHY',
  );

/**
 * Whether a check that counts says UNHEALTHY, and the grace period is over. A task that never gets to RUNNING because a
 * container of it waits for that check (condition HEALTHY) counts like one that runs: it would wait for ever.
 */
export function isUnhealthy(task: TaskRecord, service: ServiceRecord, now: number): boolean {
  return failsChecks(task) && now >= graceEnds(task, service);
}

/** When the reconciler must look at the task again although nothing changed: it becomes healthy, or its grace ends. */
export function healthDue(
  task: TaskRecord,
  service: ServiceRecord,
  now: number,
  options: ReconcilerOptions,
): number | undefined {
  const due = [healthyAt(task, now, options), graceEnds(task, service)].filter(
    (time): time is number => time !== undefined && time > now,
  );
  return due.length === 0 || (task.lastStatus !== 'RUNNING' && !failsChecks(task)) ? undefined : Math.min(...due);
}

/** Whether the ended task had counted as healthy at some time of its life. */
export function wasHealthy(task: TaskRecord, options: ReconcilerOptions): boolean {
  if (task.healthySince !== undefined) return true;
  if (task.startedAt === undefined || task.targets !== undefined || task.containers.some(isChecked)) return false;
  const end = task.executionStoppedAt ?? task.stoppedAt;
  return end !== undefined && end - task.startedAt >= options.healthyAfterRunning;
}
