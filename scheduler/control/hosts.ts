import type { HostCondition } from '../deployments/index.ts';
import type { InstanceRecord, TaskRecord } from '../state/index.ts';

import type { ClusterView } from './view.ts';

/** From when a disconnected instance counts as lost; undefined while it is connected. */
export function lostAt(instance: InstanceRecord, ledSince: number, replaceLostAfter: number): number | undefined {
  if (instance.agentConnected) return undefined;
  // A leader that has just taken over grants every host the whole time again: its agents may be about to reconnect.
  return Math.max(instance.connectivityChangedAt, ledSince) + replaceLostAfter;
}

/** What the leader knows of a task's host, for the reconciler. */
export function hostCondition(
  view: ClusterView,
  task: TaskRecord,
  now: number,
  patience: { readonly ledSince: number; readonly replaceLostAfter: number },
): HostCondition {
  const instance = view.instances.get(task.instanceId ?? '')?.value;
  if (instance === undefined || instance.status === 'INACTIVE') return 'lost';
  const lost = lostAt(instance, patience.ledSince, patience.replaceLostAfter);
  if (lost !== undefined && lost <= now) return 'lost';
  return instance.status === 'ACTIVE' ? 'ready' : 'draining';
}
