import type { HostCondition } from '../deployments/index.ts';
import { isPending, type TaskRecord } from '../state/index.ts';

import type { ClusterView } from '../views/index.ts';

/** How long hosts without contact are waited for. */
export interface Patience {
  /** When the leadership began, on this server's monotonic clock. */
  readonly ledSince: number;
  /** Milliseconds after which what runs on a disconnected host is replaced. */
  readonly replaceLostAfter: number;
  /** The same for a task that its host has never said anything of. */
  readonly replaceUnseenAfter: number;
}

/**
 * From when the disconnected host of a task counts as lost for it, on this server's monotonic clock; undefined while it is connected. The
 * record's `connectivityChangedAt` is by the clock of whoever noted it, which may be off: for how long the host is away this server
 * knows from its own watch alone.
 */
export function lostAt(
  view: ClusterView,
  task: TaskRecord,
  { ledSince, replaceLostAfter, replaceUnseenAfter }: Patience,
): number | undefined {
  const since = view.disconnected.get(task.instanceId ?? '');
  if (since === undefined) return undefined;
  const patience = isUnseen(task) ? Math.min(replaceUnseenAfter, replaceLostAfter) : replaceLostAfter;
  // A leader that has just taken over grants every host the whole time again: its agents may be about to reconnect.
  return Math.max(since, ledSince) + patience;
}

/** Whether no agent has ever reported anything of the task. */
const isUnseen = (task: TaskRecord): boolean =>
  isPending(task) &&
  task.pullStartedAt === undefined &&
  task.containers.every(({ lastStatus, runtimeId }) => lastStatus === 'PENDING' && runtimeId === undefined);

/**
 * What the leader knows of a task's host, for the reconciler.
 * @param now on this server's monotonic clock
 */
export function hostCondition(view: ClusterView, task: TaskRecord, now: number, patience: Patience): HostCondition {
  const instance = view.instances.get(task.instanceId ?? '')?.value;
  if (instance === undefined || instance.status === 'INACTIVE') return 'lost';
  const lost = lostAt(view, task, patience);
  if (lost !== undefined && lost <= now) return 'lost';
  return instance.status === 'ACTIVE' ? 'ready' : 'draining';
}
