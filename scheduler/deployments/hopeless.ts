import { breakerThreshold } from './bounds.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';
import { missingDefinition } from './types.ts';

/** For how long tasks have to fail before that says anything: a registry, or what they need, may be away for a while. Milliseconds. */
const patience = 600_000;

/** Failures that say something where no breaker is on: as many as trip the usual one. */
const usual = { threshold: { type: 'BOUNDED_PERCENT', value: 50 } } as const;

/**
 * Why a rollback cannot be finished: no task of the deployment that it goes to can be had, as its revision is gone, or as so many in a
 * row failed to start, or started and never were healthy, over ten minutes or more, as trip the circuit breaker (3 to 200). Undefined
 * while that is not known. No capacity is never a reason. Pure.
 */
export function hopelessness(pass: Pass, deploymentId: string): string | undefined {
  const blocked = pass.state.blocked.get(deploymentId);
  if (blocked?.code === missingDefinition) return blocked.message;
  const deployment = pass.deployment(deploymentId);
  if (deployment === undefined) return undefined;
  const {
    startFailures = 0,
    failingUntil = 0,
    failingSince = failingUntil,
    neverHealthy,
    lastFailure = '',
  } = deployment;
  const { circuitBreaker: breaker } = pass.service.deploymentConfiguration;
  const threshold = breakerThreshold(pass.service.desiredCount, breaker?.enable === true ? breaker : usual);
  // By what was tried after that time: a pull may be under way, and the registry there again though nobody has asked it yet.
  const isLong = (tasks: number, since: number, until: number): boolean =>
    tasks >= threshold && until - since >= patience;
  if (isLong(startFailures, failingSince, failingUntil))
    return `${startFailures} tasks in a row failed to start; the last: ${lastFailure}`;
  if (neverHealthy !== undefined && isLong(neverHealthy.tasks, neverHealthy.since, neverHealthy.until))
    return `${neverHealthy.tasks} tasks in a row started and never were healthy; the last: ${lastFailure}`;
  return undefined;
}

/**
 * Ends a rollback that can never be finished: FAILED, with the evidence. What runs goes on, and where the revision is still there its tasks
 * are tried at the pace of failures: a registry that comes back later brings the service back, though the verdict stays.
 */
export function judgeRollback(pass: Pass): void {
  const primary = pass.primary();
  if (primary?.rolloutState !== 'IN_PROGRESS' || primary.cause.kind !== 'rollback') return;
  // Where no task is wanted any more it can be finished all the same.
  if (pass.service.status !== 'ACTIVE' || pass.service.desiredCount === 0) return;
  const why = hopelessness(pass, primary.id);
  if (why === undefined) return;
  const { detail = 'a rollback' } = primary.cause;
  pass.change(primary.id, {
    rolloutState: 'FAILED',
    rolloutStateReason: `ECS deployment ${primary.id} failed: the rollback to it cannot be finished. ${why} (${detail})`,
    unplaceable: undefined,
    ...(pass.state.blocked.get(primary.id)?.code === missingDefinition ? {} : { triesOn: true as const }),
  });
  pass.voice.say(eventTexts.failed(primary.id, `the rollback cannot be finished: ${why}`));
  pass.decisions.push({ what: 'deployment-failed', deploymentId: primary.id, why });
}
