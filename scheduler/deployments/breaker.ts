import { parseImageReference } from '../references/index.ts';
import type { DeploymentRecord, FailedDeployment, Judgement, RejectedImage } from '../state/index.ts';

import { breakerThreshold } from './bounds.ts';
import { newestCompleted } from './completed.ts';
import { eventTexts } from './events.ts';
import { closeRuns } from './hook-runs.ts';
import type { Pass } from './pass.ts';
import { hasReached, isGivenUp, shiftingOf } from './shift-state.ts';

/** How many failed images a service remembers. */
const rejectedKept = 20;

/** How a task of a deployment failed; decides the back-off and the words. */
export type FailureKind = 'start' | 'crash' | 'health' | 'target';

const words: Readonly<Record<FailureKind, string>> = {
  start: 'failed to start',
  crash: 'failed to start',
  health: 'failed container health checks',
  target: 'failed ELB health checks',
};

/**
 * Counts one failed task of a deployment and trips the circuit breaker when that reaches the threshold. Both stages of
 * ECS's breaker count here: tasks that fail to start, and tasks ended for their health.
 * @param wasHealthy whether the task had been healthy before it failed
 */
export function countFailure(
  pass: Pass,
  deploymentId: string,
  kind: FailureKind,
  why: string,
  wasHealthy = false,
): void {
  const deployment = pass.deployment(deploymentId);
  if (deployment === undefined || isGivenUp(deployment)) return;
  const failedTasks = deployment.failedTasks + 1;
  pass.change(deploymentId, {
    failedTasks,
    lastFailure: why,
    lastFailureAt: pass.now,
    ...(kind === 'start' ? failedStart(deployment, pass.now) : wasHealthy ? {} : ranInVain(deployment, pass.now)),
    ...(kind === 'crash' ? { crashes: (deployment.crashes ?? 0) + 1, startFailures: undefined } : {}),
  });
  pass.decisions.push({ what: 'failure', deploymentId, count: failedTasks, why });
  const breaker = pass.service.deploymentConfiguration.circuitBreaker;
  if (breaker?.enable !== true || deployment.status !== 'PRIMARY' || deployment.rolloutState !== 'IN_PROGRESS') return;
  if (isProven(pass)) return;
  const threshold = breakerThreshold(pass.service.desiredCount, breaker);
  if (failedTasks < threshold) return;
  const evidence = `${failedTasks} of ${threshold} failed tasks; the last: ${why}`;
  failDeployment(pass, deploymentId, {
    rollback: breaker.rollback,
    event: `tasks ${words[kind]}`,
    reason: `${byBreaker}task ${words[kind]}. ${evidence}`,
    evidence,
    verdict: 'failed',
  });
}

/** Another task in a row that never reached RUNNING. */
const failedStart = (
  { startFailures, failingSince = Infinity }: DeploymentRecord,
  now: number,
): Pick<DeploymentRecord, 'startFailures' | 'failingSince' | 'failingUntil'> => ({
  startFailures: (startFailures ?? 0) + 1,
  failingSince: startFailures === undefined ? now : Math.min(failingSince, now),
  failingUntil: now,
});

/** Another task in a row that reached RUNNING and never was healthy. */
const ranInVain = ({ neverHealthy }: DeploymentRecord, now: number): Pick<DeploymentRecord, 'neverHealthy'> => ({
  neverHealthy: { tasks: (neverHealthy?.tasks ?? 0) + 1, since: neverHealthy?.since ?? now, until: now },
});

const byBreaker = 'ECS deployment circuit breaker: ';

/** A deployment that has been given all traffic and has kept it for its bake time. */
function isProven(pass: Pass): boolean {
  const shifting = shiftingOf(pass.current());
  return shifting !== undefined && hasReached(shifting, 'CLEAN_UP');
}

/** How a deployment is given up. */
export interface Failing {
  /** Whether to go back to the newest completed deployment. */
  readonly rollback: boolean;
  /** For the service event: `deployment failed: <event>.` */
  readonly event: string;
  /** For `rolloutStateReason`, in the words of ECS's deployment events. */
  readonly reason: string;
  readonly evidence: string;
  /** What was found out about the revision. */
  readonly verdict: Judgement;
}

/**
 * Gives the deployment up: FAILED, no further tasks; and rolls back to the newest completed one when that is wanted and there is one.
 * One that shifts traffic gives that back first, and is FAILED when it has.
 */
export function failDeployment(pass: Pass, deploymentId: string, failing: Failing): void {
  const deployment = pass.deployment(deploymentId);
  if (deployment === undefined) return;
  const { evidence, reason: rolloutStateReason, verdict } = failing;
  reject(pass, deployment, evidence);
  pass.voice.say(eventTexts.failed(deploymentId, failing.event));
  pass.decisions.push({ what: 'deployment-failed', deploymentId, why: evidence });
  const target = newestCompleted(pass.deployments().filter(({ id }) => id !== deploymentId));
  if (failing.rollback && target === undefined) pass.voice.say(eventTexts.nothingToRollBackTo(deploymentId));
  const shifting = shiftingOf(pass.current());
  if (shifting !== undefined)
    pass.change(deploymentId, {
      shifting: {
        ...shifting,
        runs: closeRuns(shifting.runs, pass.now, 'The deployment was given up.'),
        rollback: { reason: evidence, at: pass.now, verdict },
      },
    });
  pass.change(deploymentId, {
    rolloutStateReason,
    unplaceable: undefined,
    ...(shifting === undefined && verdict !== 'failed' ? { judgement: verdict } : {}),
  });
  const rollsBack = failing.rollback && target !== undefined;
  if (rollsBack) {
    pass.voice.say(eventTexts.rollingBack(target.id));
    pass.decisions.push({
      what: 'rollback',
      deploymentId: target.id,
      why: `deployment ${deploymentId} failed: ${evidence}`,
    });
    if (shifting !== undefined) return;
  }
  const failed = failedDeployment(pass, deploymentId);
  pass.change(deploymentId, { rolloutState: failed.rolloutState });
  if (rollsBack) rollBack(pass, deployment, target, { evidence, failed });
}

/** The end of a rollback for which traffic has gone back: the old revision, which never was less than whole, is PRIMARY again. */
export function finishRollback(pass: Pass, deployment: DeploymentRecord, source: DeploymentRecord): void {
  const { completedAt } = source;
  const failed = failedDeployment(pass, deployment.id);
  pass.change(deployment.id, { rolloutState: failed.rolloutState });
  rollBack(pass, deployment, source, { evidence: deployment.shifting?.rollback?.reason ?? '', failed });
  pass.change(source.id, { completedAt });
}

/** How the deployment stands at the moment in which it is FAILED. */
function failedDeployment(pass: Pass, id: string): FailedDeployment {
  const {
    createdAt,
    failedTasks = 0,
    rolloutStateReason = '',
    shifting,
    alarms,
    stop,
    judgement,
  } = pass.deployment(id) ?? {};
  return {
    id,
    ...(createdAt === undefined ? {} : { createdAt }),
    failedTasks,
    rolloutState: 'FAILED',
    rolloutStateReason,
    updatedAt: pass.now,
    ...(shifting === undefined ? {} : { shifting }),
    ...(alarms === undefined ? {} : { alarms }),
    ...(stop === undefined ? {} : { stop }),
    ...(judgement === undefined ? {} : { judgement }),
  };
}

/**
 * Makes the target PRIMARY again, under its own id: its tasks that still run are kept, and its images stay pinned as they
 * were. It is in progress until it completes once more, and not a target of another rollback until then.
 */
function rollBack(
  pass: Pass,
  from: DeploymentRecord,
  target: DeploymentRecord,
  { evidence, failed }: { readonly evidence: string; readonly failed: FailedDeployment },
): void {
  pass.change(from.id, { status: 'ACTIVE', keepCount: 0 });
  pass.change(target.id, {
    status: 'PRIMARY',
    rolloutState: 'IN_PROGRESS',
    rolloutStateReason: `${failed.rolloutStateReason.startsWith(byBreaker) ? byBreaker : 'ECS deployment: '}rolling back to deploymentId ${target.id}.`,
    failedTasks: 0,
    startFailures: undefined,
    failingSince: undefined,
    failingUntil: undefined,
    crashes: undefined,
    neverHealthy: undefined,
    startNotBefore: undefined,
    keepCount: undefined,
    bakingSince: undefined,
    completedAt: undefined,
    cause: { kind: 'rollback', detail: `rollback of ${from.id} (${from.taskDefinition}): ${evidence}`, failed },
  });
  const rest = pass.deployments().filter(({ id }) => id !== target.id);
  pass.keepDeployments([target.id, ...rest.map(({ id }) => id)]);
  const { loadBalancers: _, ...service } = pass.service;
  const { loadBalancers } = target;
  pass.service = {
    ...service,
    taskDefinition: target.taskDefinition,
    ...(loadBalancers === undefined ? {} : { loadBalancers }),
    steady: false,
  };
}

/** Remembers the images of a failed deployment, so that no level-triggered pass deploys them again. */
function reject(pass: Pass, deployment: DeploymentRecord, reason: string): void {
  const images = new Map(Object.entries(deployment.images ?? {}));
  for (const task of pass.tasks())
    if (task.service?.deploymentId === deployment.id)
      for (const container of task.containers) images.set(container.name, container.image);
  const found = [...images].flatMap(([container, image]): RejectedImage[] => {
    const digest = parseImageReference(image)?.digest;
    return digest === undefined ? [] : [{ deploymentId: deployment.id, container, digest, at: pass.now, reason }];
  });
  if (found.length === 0) return;
  const others = (pass.service.rejected ?? []).filter(
    (old) => !found.some((image) => image.container === old.container && image.digest === old.digest),
  );
  pass.service = { ...pass.service, rejected: [...found, ...others].slice(0, rejectedKept) };
}
