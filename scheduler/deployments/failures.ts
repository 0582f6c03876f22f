import type { StopCode, TaskRecord } from '../state/index.ts';

import { wasHealthy } from './health.ts';
import type { ReconcilerOptions } from './options.ts';

/**
 * What the end of a task says about its revision. `start`: it never reached RUNNING. `crash`: it did, and ended before it
 * ever was healthy. `exit`: it had been healthy. `none`: somebody or something other than the task ended it.
 * ECS counts a task that reaches RUNNING and exits at once for nothing (a known complaint); here it is a failed task.
 */
export type Verdict = 'start' | 'crash' | 'exit' | 'none';

/** Ends that are not the task's own doing. */
const blameless: ReadonlySet<StopCode> = new Set<StopCode>([
  'UserInitiated',
  'ServiceSchedulerInitiated',
  'SpotInterruption',
  'TerminationNotice',
  'InfrastructureHealth',
]);

/** Reasons of a host that had no room or lacked something: no capacity is not a bad image. */
const noCapacity = /^(RESOURCE:|AGENT\b|ATTRIBUTE\b|LOCATION\b|(TaskFailedToStart: )?(RESOURCE:|AGENT|ATTRIBUTE))/;

export function judge(task: TaskRecord, options: ReconcilerOptions): Verdict {
  if (task.stopCode !== undefined && blameless.has(task.stopCode)) return 'none';
  if (noCapacity.test(task.stoppedReason ?? '')) return 'none';
  if (task.startedAt === undefined) return 'start';
  return wasHealthy(task, options) ? 'exit' : 'crash';
}

/** One line for people: why the task ended, with the container's exit code and reason when it has them. */
export function describeEnd(task: TaskRecord): string {
  const culprit =
    task.containers.find((container) => container.essential && container.reason !== undefined) ??
    task.containers.find((container) => container.essential && container.exitCode !== undefined);
  const parts = [task.stoppedReason ?? task.stopCode ?? 'stopped'];
  if (culprit !== undefined) {
    const code = culprit.exitCode === undefined ? '' : ` exited with code ${culprit.exitCode}`;
    const reason = culprit.reason === undefined || parts[0]?.includes(culprit.reason) ? '' : `: ${culprit.reason}`;
    if (code !== '' || reason !== '') parts.push(`container ${culprit.name}${code}${reason}`);
  }
  return `task ${task.id}: ${parts.join('; ')}`;
}
