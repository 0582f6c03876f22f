import type {
  ServiceDeployment,
  ServiceDeploymentBrief,
  ServiceDeploymentStatus,
  ServiceRevision,
  ServiceRevisionSummary,
} from '@aws-sdk/client-ecs';
import { createHash } from 'node:crypto';

import type { EcsPorts } from '../cluster/index.ts';
import { breakerThreshold } from '../deployments/index.ts';
import { parseImageReference } from '../references/index.ts';
import { arns, type DeploymentHistoryRecord, idOf, type ServiceRecord } from '../state/index.ts';
import { configurationView } from './configuration.ts';
import type { DeploymentCounts } from './counts.ts';
import { rollbackOf } from './history.ts';
import { launchView } from './launch-view.ts';
import type { ServiceRef } from './services.ts';

/** One deployment with its service as it is now, if that still exists. */
export interface Historic {
  readonly row: DeploymentHistoryRecord;
  readonly service: ServiceRecord | undefined;
}

/** The history row with what the service's own record knows better, while the deployment is part of it. */
export function refreshed({ row, service }: Historic): DeploymentHistoryRecord {
  const live = service?.deployments.find(({ id, cause }) => id === row.deployment.id && cause.kind !== 'rollback');
  const target = service?.deployments.find(({ cause }) => cause.failed?.id === row.deployment.id);
  const rollback = rollbackOf(target) ?? row.rollback;
  return {
    ...row,
    deployment: { ...(live ?? row.deployment), ...rollback?.failed },
    ...(rollback === undefined ? {} : { rollback }),
  };
}

/** In the words of ServiceDeployment. A deployment that was replaced before it was done is STOPPED. */
export function statusOf(historic: Historic): ServiceDeploymentStatus {
  const { deployment, rollback } = refreshed(historic);
  if (rollback !== undefined) {
    if (rollback.state === 'COMPLETED') return 'ROLLBACK_SUCCESSFUL';
    return rollback.state === 'FAILED' ? 'ROLLBACK_FAILED' : 'ROLLBACK_IN_PROGRESS';
  }
  if (deployment.rolloutState === 'COMPLETED' || deployment.completedAt !== undefined) return 'SUCCESSFUL';
  if (deployment.rolloutState === 'FAILED') return 'STOPPED';
  const live = historic.service?.deployments.some(({ id, status }) => id === deployment.id && status === 'PRIMARY');
  return live === true && historic.service?.status === 'ACTIVE' ? 'IN_PROGRESS' : 'STOPPED';
}

/** The ARN's last part: 21 characters that follow from the deployment's id, so that nothing needs to remember them. */
export const serviceDeploymentId = (deploymentId: string): string =>
  createHash('sha256')
    .update(deploymentId)
    .digest('base64')
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 21);

/** A deployment as ListServiceDeployments lists it. */
export function briefView(ports: EcsPorts, ref: ServiceRef, historic: Historic): ServiceDeploymentBrief {
  const { deployment, seenAt } = refreshed(historic);
  const status = statusOf(historic);
  const ended = status === 'IN_PROGRESS' || status === 'ROLLBACK_IN_PROGRESS' ? undefined : endOf(historic, seenAt);
  return {
    serviceDeploymentArn: deploymentArn(ports, ref, deployment.id),
    serviceArn: arns.service(ports.region, ref.account, ref.cluster, ref.service),
    clusterArn: arns.cluster(ports.region, ref.account, ref.cluster),
    createdAt: new Date(deployment.createdAt),
    startedAt: new Date(deployment.createdAt),
    ...(ended === undefined ? {} : { finishedAt: new Date(ended) }),
    targetServiceRevisionArn: revisionArn(ports, ref, deployment.id),
    status,
    statusReason: deployment.rolloutStateReason,
  };
}

/** A deployment as DescribeServiceDeployments gives it back. */
export function serviceDeploymentView(
  ports: EcsPorts,
  ref: ServiceRef,
  historic: Historic,
  counts: (deploymentId: string) => DeploymentCounts,
): ServiceDeployment {
  const { targetServiceRevisionArn: _, ...brief } = briefView(ports, ref, historic);
  const { deployment, configuration, desiredCount, rollback } = refreshed(historic);
  const revision = (id: string, requested: number): ServiceRevisionSummary => ({
    arn: revisionArn(ports, ref, id),
    requestedTaskCount: requested,
    runningTaskCount: counts(id).running,
    pendingTaskCount: counts(id).pending,
  });
  const status = brief.status ?? 'IN_PROGRESS';
  const breaker = configuration.circuitBreaker;
  return {
    ...brief,
    updatedAt: new Date(deployment.updatedAt),
    ...(status === 'STOPPED' && brief.finishedAt !== undefined ? { stoppedAt: brief.finishedAt } : {}),
    sourceServiceRevisions: (deployment.replaces ?? []).map((id) => revision(id, counts(id).desired)),
    targetServiceRevision: revision(deployment.id, desiredCount),
    deploymentConfiguration: configurationView(configuration),
    ...(rollback === undefined
      ? {}
      : {
          rollback: {
            reason: rollback.reason,
            serviceRevisionArn: revisionArn(ports, ref, rollback.to),
          },
        }),
    deploymentCircuitBreaker: {
      status:
        breaker?.enable !== true
          ? 'DISABLED'
          : deployment.rolloutState === 'FAILED' || rollback !== undefined
            ? 'TRIGGERED'
            : status === 'IN_PROGRESS'
              ? 'MONITORING'
              : 'MONITORING_COMPLETE',
      failureCount: deployment.failedTasks,
      threshold: breaker?.enable === true ? breakerThreshold(desiredCount, breaker) : 0,
    },
    alarms: { status: 'DISABLED', alarmNames: [] },
  };
}

/** What a deployment runs, as DescribeServiceRevisions gives it back. */
export function revisionView(ports: EcsPorts, ref: ServiceRef, historic: Historic): ServiceRevision {
  const { deployment } = refreshed(historic);
  return {
    serviceRevisionArn: revisionArn(ports, ref, deployment.id),
    serviceArn: arns.service(ports.region, ref.account, ref.cluster, ref.service),
    clusterArn: arns.cluster(ports.region, ref.account, ref.cluster),
    taskDefinition: deployment.taskDefinition,
    ...launchView(historic.service ?? { launchType: 'EC2' }),
    containerImages: Object.entries(deployment.images ?? {}).map(([containerName, image]) => {
      const imageDigest = parseImageReference(image)?.digest;
      return { containerName, image, ...(imageDigest === undefined ? {} : { imageDigest }) };
    }),
    ...(deployment.loadBalancers === undefined
      ? {}
      : { loadBalancers: deployment.loadBalancers.map((one) => ({ ...one })) }),
    guardDutyEnabled: false,
    createdAt: new Date(deployment.createdAt),
  };
}

export const deploymentArn = (ports: EcsPorts, ref: ServiceRef, deploymentId: string): string =>
  arns.serviceDeployment(ports.region, ref.account, ref.cluster, ref.service, serviceDeploymentId(deploymentId));

export const revisionArn = (ports: EcsPorts, ref: ServiceRef, deploymentId: string): string =>
  arns.serviceRevision(ports.region, ref.account, ref.cluster, ref.service, idOf(deploymentId));

function endOf(historic: Historic, seenAt: number): number {
  const { deployment } = refreshed(historic);
  return deployment.completedAt ?? (deployment.rolloutState === 'FAILED' ? deployment.updatedAt : seenAt);
}
