import type { DeploymentLifecycleHookDetail, ServiceRevisionSummary } from '@aws-sdk/client-ecs';

import { judgementText } from '../deployments/index.ts';
import {
  type DeploymentRecord,
  hookName,
  isOpenRun,
  type LifecycleHook,
  type Shifting,
  type ShiftStrategy,
} from '../state/index.ts';

const minute = 60_000;

const endings = { ROLLBACK: 'go back', ABORT: 'be aborted', STAY: 'end where it is' } as const;

type Weights = Pick<ServiceRevisionSummary, 'requestedProductionTrafficWeight' | 'requestedTestTrafficWeight'>;

/**
 * Percent of traffic that revisions are to have: the one that is deployed, and the one that served before it. Nothing for those of
 * services without load balancers.
 */
export function weightsOf({ shifting, loadBalancers }: DeploymentRecord): {
  readonly target: Weights;
  readonly source: Weights;
  readonly other: Weights;
} {
  if (shifting === undefined || loadBalancers === undefined) return { target: {}, source: {}, other: {} };
  const { production, test } = shifting.wanted;
  const share = (ofProduction: number, ofTest: number): Weights => ({
    requestedProductionTrafficWeight: ofProduction,
    requestedTestTrafficWeight: ofTest,
  });
  const rest = (percent: number): number => Math.round((100 - percent) * 10) / 10;
  return { target: share(production, test), source: share(rest(production), rest(test)), other: share(0, 0) };
}

/** What was asked of hooks so far, oldest first. */
export const hookDetails = ({ hooks, runs }: Shifting): DeploymentLifecycleHookDetail[] =>
  runs.flatMap(({ id, hook: index, status, startedAt }) => {
    const hook = hooks[index];
    if (hook === undefined) return [];
    return {
      hookId: id,
      targetType: hook.target.type === 'pause' ? 'PAUSE' : 'AWS_LAMBDA',
      ...(hook.targetArn === undefined ? {} : { targetArn: hook.targetArn }),
      status,
      expiresAt: new Date(startedAt + hook.timeoutInMinutes * minute),
      timeoutAction: hook.onTimeout,
    };
  });

/** What a deployment that shifts traffic waits for, in one sentence for people. Times in UTC. */
export function waitOf(shifting: Shifting): string {
  const { stage, rollback, stop, wanted, live, strategy } = shifting;
  const at = `${stage}, ${wanted.production} % of production traffic`;
  if (rollback !== undefined)
    return `Goes back to the old revision (${rollback.reason}): ${engines(shifting) ?? 'its own tasks end'}.`;
  if (stop !== undefined) return `${at}: is to ${endings[stop.type]}, as ${stop.by ?? 'somebody'} asked.`;
  const asked = shifting.runs.filter(isOpenRun).flatMap((run) => {
    const hook = shifting.hooks[run.hook];
    if (hook === undefined) return [];
    return `${nameOf(hook)} (hook ${run.id}), ${hook.onTimeout === 'CONTINUE' ? 'goes on' : 'goes back'} without an answer at ${time(run.startedAt + hook.timeoutInMinutes * minute)}`;
  });
  if (asked.length > 0) return `${at}: waits for ${asked.join('; ')}.`;
  if (stage === 'RECONCILE_SERVICE') return `${at}: waits until what was deployed before is at rest.`;
  if (stage === 'SCALE_UP') return `${at}: waits until all tasks of the new revision are healthy.`;
  if (stage === 'BAKE_TIME')
    return `${at}: both revisions run until ${time(shifting.stageSince + shifting.bakeTimeInMinutes * minute)}.`;
  if (stage === 'CLEAN_UP') return `${at}: tasks of the old revision end.`;
  const acknowledged = engines(shifting);
  if (acknowledged !== undefined) return `${at}: waits until ${acknowledged}.`;
  const judged = shifting.judged?.findLast(({ step }) => step === shifting.step);
  const open = judged?.verdict === 'open' ? ` So far: ${judgementText(judged)}.` : '';
  return wanted.production > 0 && wanted.production < 100
    ? `${at}: stays there until ${time(live.since + stepBake(strategy) * minute)}${open === '' ? '' : ', and until there is a verdict'}.${open}`
    : `${at}: goes on.`;
}

/** Minutes that a step of production traffic stays before the next one. */
function stepBake(strategy: ShiftStrategy): number {
  if (strategy.type === 'LINEAR') return strategy.stepBakeTimeInMinutes;
  return strategy.type === 'CANARY' ? strategy.canaryBakeTimeInMinutes : 0;
}

function engines({ wanted, live }: Shifting): string | undefined {
  if (live.production === wanted.production && live.test === wanted.test) return undefined;
  return `engines have acknowledged ${wanted.production} % of production and ${wanted.test} % of test traffic (now ${live.production} % and ${live.test} %)`;
}

const nameOf = (hook: LifecycleHook): string =>
  hook.target.type === 'pause' ? 'somebody who continues it or rolls it back' : hookName(hook);

const time = (at: number): string => new Date(at).toISOString();
