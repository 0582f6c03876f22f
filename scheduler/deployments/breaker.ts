import { parseImageReference } from '../references/index.ts';
import type { DeploymentRecord, FailedDeployment, RejectedImage } from '../state/index.ts';

import { breakerThreshold } from './bounds.ts';
import { eventTexts } from './events.ts';
import type { Pass } from './pass.ts';

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
 */
export function countFailure(pass: Pass, deploymentId: string, kind: FailureKind, why: string): void {
  const deployment = pass.deployment(deploymentId);
  if (deployment === undefined || deployment.rolloutState === 'FAILED') return;
  const failedTasks = deployment.failedTasks + 1;
  pass.change(deploymentId, {
    failedTasks,
    lastFailure: why,
    lastFailureAt: pass.now,
    ...(kind === 'start' ? { startFailures: (deployment.startFailures ?? 0) + 1 } : {}),
    ...(kind === 'crash' ? { crashes: (deployment.crashes ?? 0) + 1, startFailures: undefined } : {}),
  });
  pass.decisions.push({ what: 'failure', deploymentId, count: failedTasks, why });
  const breaker = pass.service.deploymentConfiguration.circuitBreaker;
  if (breaker?.enable !== true || deployment.status !== 'PRIMARY' || deployment.rolloutState !== 'IN_PROGRESS') return;
  const threshold = breakerThreshold(pass.service.desiredCount, breaker);
  if (failedTasks < threshold) return;
  failDeployment(pass, deploymentId, {
    rollback: breaker.rollback,
    event: `tasks ${words[kind]}`,
    reason: `task ${words[kind]}.`,
    evidence: `${failedTasks} of ${threshold} failed tasks; the last: ${why}`,
  });
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
}

/** Gives the deployment up: FAILED, no further tasks; and rolls back to the newest completed one when that is wanted and there is one. */
export function failDeployment(pass: Pass, deploymentId: string, failing: Failing): void {
  const deployment = pass.deployment(deploymentId);
  if (deployment === undefined) return;
  const { failedTasks } = deployment;
  const failed: FailedDeployment = {
    id: deploymentId,
    failedTasks,
    rolloutState: 'FAILED',
    rolloutStateReason: `ECS deployment circuit breaker: ${failing.reason} ${failing.evidence}`,
    updatedAt: pass.now,
  };
  pass.change(deploymentId, { ...failed, unplaceable: undefined });
  reject(pass, deployment, failing.evidence);
  pass.voice.say(eventTexts.failed(deploymentId, failing.event));
  pass.decisions.push({ what: 'deployment-failed', deploymentId, why: failing.evidence });
  if (!failing.rollback) return;
  const target = newestCompleted(pass.deployments().filter(({ id }) => id !== deploymentId));
  if (target === undefined) pass.voice.say(eventTexts.nothingToRollBackTo(deploymentId));
  else rollBack(pass, deployment, target, { evidence: failing.evidence, failed });
}

/** The deployment a rollback would go to. */
export function newestCompleted(deployments: readonly DeploymentRecord[]): DeploymentRecord | undefined {
  return deployments
    .filter((deployment) => deployment.completedAt !== undefined)
    .reduce<DeploymentRecord | undefined>(
      (best, deployment) => ((best?.completedAt ?? -1) >= (deployment.completedAt ?? 0) ? best : deployment),
      undefined,
    );
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
    rolloutStateReason: `ECS deployment circuit breaker: rolling back to deploymentId ${target.id}.`,
    failedTasks: 0,
    startFailures: undefined,
    crashes: undefined,
    startNotBefore: undefined,
    keepCount: undefined,
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
  pass.voice.say(eventTexts.rollingBack(target.id));
  pass.decisions.push({ what: 'rollback', deploymentId: target.id, why: `deployment ${from.id} failed: ${evidence}` });
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
