import type { DeploymentRecord, TaskRecord } from '../state/index.ts';

import { isHealthy, isUnhealthy } from './health.ts';
import type { Pass } from './pass.ts';

/** A live task as a rollout sees it. */
export interface Counted {
  readonly task: TaskRecord;
  readonly deployment: DeploymentRecord | undefined;
  readonly host: 'ready' | 'draining' | 'lost';
  /** Counts for the minimum. */
  readonly healthy: boolean;
  /** Its checks fail, though it had been healthy. */
  readonly unhealthy: boolean;
  readonly protected: boolean;
}

/** The live tasks of a service, sorted by what a rollout does with them. */
export interface Census {
  /** Wanted tasks of the PRIMARY deployment that stay. */
  readonly keep: readonly Counted[];
  /** Wanted tasks that go when they are no longer needed: of older deployments, on draining or lost hosts, with failing checks. */
  readonly outgoing: readonly Counted[];
  /** Told to stop, not STOPPED yet. */
  readonly stopping: readonly Counted[];
  /**
   * Tasks that take a place under the maximum: everything not STOPPED, except on lost hosts. A task that is told to stop
   * counts until it is gone, so that a maximum of 100 % means never two at once.
   */
  readonly occupying: number;
  /** Wanted and healthy, all deployments. */
  readonly healthy: number;
}

/** The same of one deployment's tasks alone, as if it were the PRIMARY one. */
export function censusOf(census: Census, { id }: DeploymentRecord): Census {
  const isOwn = ({ deployment }: Counted): boolean => deployment?.id === id;
  const wanted = [...census.keep, ...census.outgoing].filter(isOwn);
  const stopping = census.stopping.filter(isOwn);
  return sorted(
    wanted.filter(({ host, unhealthy }) => host === 'ready' && !unhealthy),
    wanted.filter(({ host, unhealthy }) => host !== 'ready' || unhealthy),
    stopping,
  );
}

export function takeCensus(pass: Pass, primary: DeploymentRecord | undefined): Census {
  const keep: Counted[] = [];
  const outgoing: Counted[] = [];
  const stopping: Counted[] = [];
  for (const task of pass.tasks()) {
    if (task.lastStatus === 'STOPPED') continue;
    const host = pass.state.hostOf(task);
    const unhealthy = isUnhealthy(task, pass.service, pass.now);
    const counted: Counted = {
      task,
      deployment: pass.deployment(task.service?.deploymentId ?? ''),
      host,
      healthy: host !== 'lost' && !unhealthy && isHealthy(task, pass.now, pass.options),
      unhealthy,
      protected: (task.protectedUntil ?? 0) > pass.now,
    };
    if (counted.protected) pass.wake(task.protectedUntil);
    if (task.desiredStatus === 'STOPPED') stopping.push(counted);
    else if (host === 'ready' && !unhealthy && counted.deployment !== undefined && counted.deployment === primary)
      keep.push(counted);
    else outgoing.push(counted);
  }
  return sorted(keep, outgoing, stopping);
}

function sorted(keep: readonly Counted[], outgoing: readonly Counted[], stopping: readonly Counted[]): Census {
  const all = [...keep, ...outgoing];
  return {
    keep,
    outgoing,
    stopping,
    occupying: [...all, ...stopping].filter(({ host }) => host !== 'lost').length,
    healthy: all.filter(({ healthy }) => healthy).length,
  };
}
