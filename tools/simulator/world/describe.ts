import type { ServiceRecord, TaskDefinitionRecord, TaskRecord } from '@slipway/scheduler/state';
import type { Changed } from './mirror.ts';
import type { Answer } from './users.ts';

/** Whether an error is the program's own fault, and not a thing that happens to programs. */
export const isMistake = (value: unknown): boolean =>
  value instanceof TypeError ||
  value instanceof RangeError ||
  value instanceof ReferenceError ||
  value instanceof SyntaxError;

/** An error with where it was made. */
export const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

/** The fields of a line of a log. */
export function describeFields(fields: object): string {
  return Object.entries(fields)
    .map(
      ([name, value]) =>
        `${name}=${value instanceof Error ? `${value.name}: ${value.message}` : JSON.stringify(value)}`,
    )
    .join(' ');
}

/** How a call ended. */
export function describeAnswer(answer: Answer<unknown>): string {
  if (answer.kind === 'done') return '-> done';
  return answer.kind === 'refused' ? `-> ${answer.code}: ${answer.message}` : `-> no answer: ${answer.why}`;
}

/** What a commit changed, in one line. */
export function describeChange(change: Changed): string {
  const { kind, id, before, after } = change;
  if (after === undefined) return `${kind} ${id} removed`;
  if (kind === 'task') {
    const task = after as TaskRecord;
    const why = task.stoppedReason === undefined ? '' : ` (${task.stopCode}: ${task.stoppedReason})`;
    const of = task.service === undefined ? task.group : `${task.service.name} ${task.service.deploymentId.slice(-4)}`;
    return `task ${id.slice(0, 8)} of ${of} on ${task.instanceId?.slice(0, 4)}: ${(before as TaskRecord | undefined)?.lastStatus ?? 'new'} -> ${task.lastStatus}, wanted ${task.desiredStatus} ${task.healthStatus}${why}`;
  }
  if (kind === 'definition')
    return `definition ${id.slice(id.lastIndexOf('/') + 1)} ${(after as TaskDefinitionRecord).status}`;
  if (kind === 'service') {
    const service = after as ServiceRecord;
    const deployments = service.deployments.map(
      (one) =>
        `${one.id.slice(-4)} ${one.status} ${one.rolloutState} failed=${one.failedTasks}${one.unplaceable === undefined ? '' : ' unplaceable'}${one.lastFailure === undefined ? '' : ` [${one.lastFailure.slice(0, 60)}]`}`,
    );
    return `service ${id} ${service.status} desired=${service.desiredCount} ${service.steady ? 'steady' : ''} {${deployments.join('; ')}}`;
  }
  const instance = after as { status: string; agentConnected: boolean };
  return `instance ${id.slice(0, 4)} ${instance.status} ${instance.agentConnected ? 'connected' : 'away'}`;
}
