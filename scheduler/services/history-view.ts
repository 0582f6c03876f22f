import type {
  ServiceDeployment,
  ServiceDeploymentBrief,
  ServiceDeploymentStatus,
  ServiceRevision,
  ServiceRevisionSummary,
} from '@aws-sdk/client-ecs';
import { createHash } from 'node:crypto';

import type { EcsPorts } from '../cluster/index.ts';
import { breakerThreshold, newestCompleted, startedAs } from '../deployments/index.ts';
import { parseImageReference } from '../references/index.ts';
import {
  arns,
  type DeploymentConfiguration,
  type DeploymentHistoryRecord,
  type DeploymentRecord,
  idOf,
  type ServiceRecord,
  type Shifting,
} from '../state/index.ts';
import { configurationView } from './configuration.ts';
import type { DeploymentCounts } from './counts.ts';
import { rollbackOf } from './history.ts';
import { launchView } from './launch-view.ts';
import { loadBalancersView } from './load-balancers.ts';
import type { ServiceRef } from './services.ts';
import { hookDetails, waitOf, weightsOf } from './shift-view.ts';

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
  const { shifting, stop = shifting?.stop } = deployment;
  if (rollback !== undefined) {
    if (stop?.type === 'ABORT') return rollback.state === 'IN_PROGRESS' ? 'STOP_REQUESTED' : 'STOPPED';
    if (rollback.state === 'COMPLETED') return 'ROLLBACK_SUCCESSFUL';
    return rollback.state === 'FAILED' ? 'ROLLBACK_FAILED' : 'ROLLBACK_IN_PROGRESS';
  }
  if (isUnderWay(historic)) {
    if (stop?.type === 'ABORT' || stop?.type === 'STAY') return 'STOP_REQUESTED';
    if (shifting?.rollback !== undefined) return 'ROLLBACK_IN_PROGRESS';
    return stop === undefined ? 'IN_PROGRESS' : 'ROLLBACK_REQUESTED';
  }
  if (deployment.rolloutState === 'COMPLETED' || deployment.completedAt !== undefined) return 'SUCCESSFUL';
  if (deployment.rolloutState === 'FAILED') {
    const isStuck = stop?.type === 'ROLLBACK' || shifting?.rollback?.impossible !== undefined;
    return isStuck ? 'ROLLBACK_FAILED' : 'STOPPED';
  }
  // One that was superseded amid its shift has stopped when its traffic is back and its last task has ended.
  const leaves = historic.service?.deployments.some(({ id, status }) => id === deployment.id && status === 'ACTIVE');
  if (shifting !== undefined && leaves === true && historic.service?.status === 'ACTIVE') return 'STOP_REQUESTED';
  const live = historic.service?.deployments.some(({ id, status }) => id === deployment.id && status === 'PRIMARY');
  return live === true && historic.service?.status === 'ACTIVE' ? 'IN_PROGRESS' : 'STOPPED';
}

/** Whether a deployment is the one that its service is on the way to. */
const isUnderWay = ({ row, service }: Historic): boolean =>
  service?.status === 'ACTIVE' &&
  service.deployments.some(
    ({ id, status, rolloutState, cause }) =>
      id === row.deployment.id && status === 'PRIMARY' && rolloutState === 'IN_PROGRESS' && cause.kind !== 'rollback',
  );

/** Statuses of deployments that are not over. */
const unended: readonly (ServiceDeploymentStatus | undefined)[] = [
  'PENDING',
  'IN_PROGRESS',
  'STOP_REQUESTED',
  'ROLLBACK_REQUESTED',
  'ROLLBACK_IN_PROGRESS',
];

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
  const ended = unended.includes(status) ? undefined : endOf(historic, seenAt);
  return {
    serviceDeploymentArn: deploymentArn(ports, ref, deployment.id),
    serviceArn: arns.service(ports.region, ref.account, ref.cluster, ref.service),
    clusterArn: arns.cluster(ports.region, ref.account, ref.cluster),
    createdAt: new Date(deployment.createdAt),
    startedAt: new Date(deployment.createdAt),
    ...(ended === undefined ? {} : { finishedAt: new Date(ended) }),
    targetServiceRevisionArn: revisionArn(ports, ref, deployment.id),
    status,
    statusReason:
      deployment.shifting !== undefined && isUnderWay(historic)
        ? waitOf(deployment.shifting)
        : deployment.rolloutStateReason,
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
  const { shifting, stop = shifting?.stop, replaces = [] } = deployment;
  const weights = weightsOf(deployment);
  const revision = (id: string, requested: number, weight: (typeof weights)['target']): ServiceRevisionSummary => ({
    arn: revisionArn(ports, ref, id),
    requestedTaskCount: requested,
    runningTaskCount: counts(id).running,
    pendingTaskCount: counts(id).pending,
    ...weight,
  });
  const source = sourceOf(historic);
  const status = brief.status ?? 'IN_PROGRESS';
  const breaker = configuration.circuitBreaker;
  return {
    ...brief,
    updatedAt: new Date(deployment.updatedAt),
    ...(status === 'STOPPED' && brief.finishedAt !== undefined ? { stoppedAt: brief.finishedAt } : {}),
    sourceServiceRevisions: replaces.map((id) =>
      revision(id, counts(id).desired, id === source ? weights.source : weights.other),
    ),
    targetServiceRevision: revision(deployment.id, desiredCount, weights.target),
    deploymentConfiguration: configurationView(configuration),
    ...(shifting === undefined
      ? {}
      : {
          // The enumeration of this SDK lacks PRE_PRODUCTION_TRAFFIC_SHIFT, which its text has.
          lifecycleStage: shifting.stage as ServiceDeployment['lifecycleStage'],
          lifecycleHookDetails: hookDetails(shifting),
        }),
    ...rollbackView(ports, ref, rollback, shifting, source),
    deploymentCircuitBreaker: {
      status:
        breaker?.enable !== true
          ? 'DISABLED'
          : (deployment.rolloutState === 'FAILED' || rollback !== undefined) &&
              deployment.alarms?.triggered === undefined &&
              stop === undefined
            ? 'TRIGGERED'
            : status === 'IN_PROGRESS'
              ? 'MONITORING'
              : 'MONITORING_COMPLETE',
      failureCount: deployment.failedTasks,
      threshold: breaker?.enable === true ? breakerThreshold(desiredCount, breaker) : 0,
    },
    alarms: alarmsView(configuration, deployment, status),
  };
}

/** Which alarms a deployment may fail by, and which it did. It watches none where one was in ALARM when it began. */
function alarmsView(
  { alarms }: DeploymentConfiguration,
  { alarms: seen }: Pick<DeploymentRecord, 'alarms'>,
  status: ServiceDeploymentStatus,
): ServiceDeployment['alarms'] {
  if (alarms?.enable !== true) return { status: 'DISABLED' };
  const alarmNames = [...alarms.alarmNames];
  if (seen?.triggered !== undefined)
    return { status: 'TRIGGERED', alarmNames, triggeredAlarmNames: [...seen.triggered] };
  if (seen?.ignored !== undefined) return { status: 'DISABLED', alarmNames };
  return { status: status === 'IN_PROGRESS' ? 'MONITORING' : 'MONITORING_COMPLETE', alarmNames };
}

/** Of the deployments that one replaces, the one whose revision served before it. */
function sourceOf({ row, service }: Historic): string | undefined {
  const { replaces = [] } = row.deployment;
  const known = (service?.deployments ?? []).filter(({ id }) => replaces.includes(id));
  return newestCompleted(known)?.id ?? replaces[0];
}

function rollbackView(
  ports: EcsPorts,
  ref: ServiceRef,
  rollback: DeploymentHistoryRecord['rollback'],
  shifting: Shifting | undefined,
  source: string | undefined,
): Pick<ServiceDeployment, 'rollback'> {
  const begun = shifting?.rollback;
  const to = rollback?.to ?? (begun === undefined ? undefined : source);
  if (to === undefined) return {};
  return {
    rollback: {
      reason: rollback?.reason ?? begun?.reason,
      // A rolling deployment goes back when it has failed; one that shifts traffic is called failed when all of it is back.
      startedAt: new Date(begun?.at ?? rollback?.failed.updatedAt ?? 0),
      serviceRevisionArn: revisionArn(ports, ref, to),
    },
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
    ...launchView(historic.service === undefined ? { launchType: 'EC2' } : startedAs(historic.service, deployment)),
    containerImages: Object.entries(deployment.images ?? {}).map(([containerName, image]) => {
      const imageDigest = parseImageReference(image)?.digest;
      return { containerName, image, ...(imageDigest === undefined ? {} : { imageDigest }) };
    }),
    ...(deployment.loadBalancers === undefined
      ? {}
      : {
          loadBalancers: loadBalancersView(deployment.loadBalancers),
          resolvedConfiguration: {
            loadBalancers: deployment.loadBalancers.map(({ targetGroupArn, advanced }) => ({
              targetGroupArn,
              ...(advanced === undefined ? {} : { productionListenerRule: advanced.productionListenerRule }),
            })),
          },
        }),
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
