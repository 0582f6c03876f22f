import type { Failure, ProtectedTask } from '@aws-sdk/client-ecs';

import { type ClusterRef, type EcsPorts } from '../cluster/index.ts';
import { arns, type TaskRecord } from '../state/index.ts';
import { changeTask, findTasks } from './tasks.ts';

const minute = 60_000;
/** When UpdateTaskProtection names no duration. */
const defaultMinutes = 120;

export interface ProtectionResult {
  readonly protectedTasks: readonly ProtectedTask[];
  readonly failures: readonly Failure[];
}

/** Whether and until when tasks are protected from scale-in and deployments. Only tasks of a service can be. */
export function getProtection(ports: EcsPorts, ref: ClusterRef, ids: readonly string[]): Promise<ProtectionResult> {
  return eachTask(ports, ref, ids, (task) => Promise.resolve(task));
}

/**
 * Protects tasks for a number of minutes, or ends their protection.
 * @param minutes 1 to 2880, default 120
 */
export function setProtection(
  ports: EcsPorts,
  ref: ClusterRef,
  ids: readonly string[],
  enabled: boolean,
  minutes = defaultMinutes,
): Promise<ProtectionResult> {
  const until = ports.clock.now() + minutes * minute;
  return eachTask(ports, ref, ids, (task) =>
    changeTask(ports, ref, task.id, (current) => {
      const { protectedUntil: _, ...rest } = current;
      return { ...rest, ...(enabled ? { protectedUntil: until } : {}), version: current.version + 1 };
    }),
  );
}

async function eachTask(
  ports: EcsPorts,
  ref: ClusterRef,
  ids: readonly string[],
  act: (task: TaskRecord) => Promise<TaskRecord>,
): Promise<ProtectionResult> {
  const tasks = await findTasks(ports, ref, ids);
  const protectedTasks: ProtectedTask[] = [];
  const failures: Failure[] = [];
  for (const id of ids) {
    const arn = arns.task(ports.region, ref.account, ref.cluster, id);
    const task = tasks.get(id);
    if (task === undefined || task.lastStatus === 'STOPPED') {
      failures.push({ arn, reason: 'MISSING' });
    } else if (task.service === undefined || task.desiredStatus === 'STOPPED') {
      failures.push({
        arn,
        reason: 'TASK_NOT_VALID',
        detail: 'Only tasks of a service that are not being stopped can be protected.',
      });
    } else {
      protectedTasks.push(protectionView(await act(task), ports.clock.now()));
    }
  }
  return { protectedTasks, failures };
}

function protectionView(task: TaskRecord, now: number): ProtectedTask {
  const active = task.protectedUntil !== undefined && task.protectedUntil > now;
  return {
    taskArn: task.arn,
    protectionEnabled: active,
    ...(active && task.protectedUntil !== undefined ? { expirationDate: new Date(task.protectedUntil) } : {}),
  };
}
