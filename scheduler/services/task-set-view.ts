import type { TaskSet } from '@aws-sdk/client-ecs';
import { smallTagList } from '@slipway/auth/kit';

import type { EcsPorts } from '../cluster/index.ts';
import { computedCount } from '../deployments/index.ts';
import { arns, type DeploymentRecord, type ServiceRecord, type TaskSetRecord } from '../state/index.ts';
import { fargatePlatform } from '../tasks/index.ts';
import type { DeploymentCounts } from './counts.ts';
import { launchView } from './launch-view.ts';
import { loadBalancersView } from './load-balancers.ts';
import { networkView } from './network-view.ts';
import type { ServiceRef } from './services.ts';

/** What a task set says of itself, and how it stands. */
export interface TaskSetParts {
  readonly taskSet: TaskSetRecord;
  readonly status: 'PRIMARY' | 'ACTIVE' | 'DRAINING';
  readonly counts: DeploymentCounts;
  /** CODE_DEPLOY for those that CodeDeploy made. */
  readonly startedBy?: string;
  readonly withTags: boolean;
}

/** A task set as DescribeTaskSets gives it back. */
export function taskSetView(
  { region }: Pick<EcsPorts, 'region'>,
  ref: ServiceRef,
  { desiredCount }: Pick<ServiceRecord, 'desiredCount'>,
  { id, taskDefinition, createdAt, updatedAt, loadBalancers }: DeploymentRecord,
  { taskSet, status, counts, startedBy, withTags }: TaskSetParts,
): TaskSet {
  const { account, cluster, service } = ref;
  const { externalId, launchType, scale } = taskSet;
  const networkConfiguration = networkView(taskSet.network);
  return {
    id,
    taskSetArn: arns.taskSet(region, account, cluster, service, id),
    serviceArn: arns.service(region, account, cluster, service),
    clusterArn: arns.cluster(region, account, cluster),
    ...(startedBy === undefined ? {} : { startedBy }),
    ...(externalId === undefined ? {} : { externalId }),
    status,
    taskDefinition,
    computedDesiredCount: computedCount(desiredCount, taskSet),
    pendingCount: counts.pending,
    runningCount: counts.running,
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
    ...launchView(taskSet),
    ...(launchType === 'FARGATE' ? { platformVersion: fargatePlatform, platformFamily: 'Linux' } : {}),
    ...(networkConfiguration === undefined ? {} : { networkConfiguration }),
    loadBalancers: loadBalancersView(loadBalancers),
    serviceRegistries: [],
    scale: { value: scale, unit: 'PERCENT' },
    stabilityStatus: taskSet.steady ? 'STEADY_STATE' : 'STABILIZING',
    stabilityStatusAt: new Date(taskSet.steadyAt),
    tags: withTags ? smallTagList(taskSet.tags) : [],
  };
}

/** The task sets of a service with an external controller, in the order of the record. */
export const taskSetsView = (
  ports: Pick<EcsPorts, 'region'>,
  ref: ServiceRef,
  service: ServiceRecord,
  counts: (deployment: DeploymentRecord) => DeploymentCounts,
  withTags: boolean,
): TaskSet[] =>
  service.deployments.flatMap((deployment) => {
    const { taskSet, status } = deployment;
    if (taskSet === undefined) return [];
    const shown = taskSet.ends === true ? 'DRAINING' : status === 'PRIMARY' ? 'PRIMARY' : 'ACTIVE';
    return [
      taskSetView(ports, ref, service, deployment, { taskSet, status: shown, counts: counts(deployment), withTags }),
    ];
  });
