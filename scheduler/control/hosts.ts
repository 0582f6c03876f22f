import type { HostCondition } from '../deployments/index.ts';
import { type InstanceRecord, isPending, type TaskRecord } from '../state/index.ts';

import type { ClusterView } from './view.ts';

/** How long hosts without contact are waited for. */
export interface Patience {
  /** When the leadership began, milliseconds since the epoch. */
  readonly ledSince: number;
  /** Milliseconds after which what runs on a disconnected host is replaced. */
  readonly replaceLostAfter: number;
  /** The same for a task that its host has never said anything of. */
  readonly replaceUnseenAfter: number;
}

/** From when the disconnected host of a task counts as lost for it; undefined while it is connected. */
export function lostAt(
  instance: InstanceRecord,
  task: TaskRecord,
  { ledSince, replaceLostAfter, replaceUnseenAfter }: Patience,
): number | undefined {
  if (instance.agentConnected) return undefined;
  const patience = isUnseen(task) ? Math.min(replaceUnseenAfter, replaceLostAfter) : replaceLostAfter;
  // A leader that has just taken over grants every host the whole time again: its agents may be about to reconnect.
  return Math.max(instance.connectivityChangedAt, ledSince) + patience;
}

/** Whether no agent has ever reported anything of the task. */
const isUnseen = (task: TaskRecord): boolean =>
  isPending(task) &&
  task.pullStartedAt === undefined &&
  task.containers.every(({ lastStatus, runtimeId }) => lastStatus === 'PENDING' && runtimeId === undefined);

/** What the leader knows of a task's host, for the reconciler. */
export function hostCondition(view: ClusterView, task: TaskRecord, now: number, patience: Patience): HostCondition {
  const instance = view.instances.get(task.instanceId ?? '')?.value;
  if (instance === undefined || instance.status === 'INACTIVE') return 'lost';
  const lost = lostAt(instance, task, patience);
  if (lost !== undefined && lost <= now) return 'lost';
  return instance.status === 'ACTIVE' ? 'ready' : 'draining';
}
