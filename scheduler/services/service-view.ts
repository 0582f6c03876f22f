import type { Deployment, PlacementConstraint, PlacementStrategy, Service, ServiceField } from '@aws-sdk/client-ecs';
import { smallTagList } from '@slipway/auth/kit';

import { type ClusterRef, type EcsPorts } from '../cluster/index.ts';
import { hasTaskSets, startedAs } from '../deployments/index.ts';
import {
  arns,
  clusterKeys,
  clusterPartition,
  type DeploymentRecord,
  type ServiceEventRecord,
  type ServiceRecord,
} from '../state/index.ts';
import { fargatePlatform } from '../tasks/index.ts';
import { codeDeployView, servedBy } from './code-deploy-view.ts';
import { configurationView } from './configuration.ts';
import { countTasks, type DeploymentCounts } from './counts.ts';
import { primaryOf } from './deployment.ts';
import { deploymentArn, revisionArn } from './history-view.ts';
import { launchView } from './launch-view.ts';
import { loadBalancersView } from './load-balancers.ts';
import { networkView } from './network-view.ts';
import { taskSetsView } from './task-set-view.ts';

const newestEvents = 100;

/** Services as DescribeServices gives them back, in the order given, with counts taken at the time of the call. */
export async function serviceViews(
  ports: EcsPorts,
  ref: ClusterRef,
  services: readonly ServiceRecord[],
  include: readonly ServiceField[] = [],
): Promise<Service[]> {
  if (services.length === 0) return [];
  const partition = clusterPartition(ref.account, ref.cluster);
  const counts = await countTasks(ports, ref);
  return Promise.all(
    services.map(async (service) => {
      const prefix = clusterKeys.serviceEvents(service.name);
      const events = await ports.records.list<ServiceEventRecord>(partition, { prefix, limit: newestEvents });
      return serviceView(ports, ref, service, {
        counts: ({ id }) => counts(service.name, id),
        events: events.records.map(({ value }) => value),
        include,
      });
    }),
  );
}

/** In whose name ECS registers targets. */
const serviceRole = (account: string): string =>
  `arn:aws:iam::${account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS`;

interface ViewParts {
  readonly counts: (deployment: DeploymentRecord) => DeploymentCounts;
  readonly events: readonly ServiceEventRecord[];
  readonly include: readonly ServiceField[];
}

function serviceView(ports: EcsPorts, ref: ClusterRef, service: ServiceRecord, parts: ViewParts): Service {
  const named = { ...ref, service: service.name };
  const primary = primaryOf(service);
  const totals = service.deployments.map(parts.counts);
  const bySets = hasTaskSets(service);
  const launched = service.controller === 'CODE_DEPLOY' ? startedAs(service, servedBy(service) ?? {}) : service;
  const withTags = parts.include.includes('TAGS');
  // Deployments that are over are kept for rollback, but the waiters of every SDK expect to see only live ones.
  const deployments = bySets ? [] : service.deployments.filter(({ status }) => status !== 'INACTIVE');
  return {
    serviceArn: service.arn,
    serviceName: service.name,
    clusterArn: arns.cluster(ports.region, ref.account, ref.cluster),
    status: service.status,
    desiredCount: service.desiredCount,
    runningCount: totals.reduce((sum, { running }) => sum + running, 0),
    pendingCount: totals.reduce((sum, { pending }) => sum + pending, 0),
    ...(service.taskDefinition === ''
      ? {}
      : {
          ...placeView(launched, launched.platformVersion ?? 'LATEST'),
          taskDefinition: service.taskDefinition,
        }),
    deploymentConfiguration: configurationView(service.deploymentConfiguration),
    deploymentController: { type: service.controller ?? 'ECS' },
    deployments: deployments.map((deployment) => deploymentView(service, deployment, parts.counts(deployment))),
    ...(bySets ? { taskSets: taskSetsView(ports, named, service, parts.counts, withTags) } : {}),
    ...(bySets || primary === undefined || primary.cause.kind === 'rollback' || service.status !== 'ACTIVE'
      ? {}
      : { currentServiceDeployment: deploymentArn(ports, named, primary.id) }),
    currentServiceRevisions: deployments.map((deployment) => ({
      arn: revisionArn(ports, named, deployment.id),
      requestedTaskCount: deployment === primary ? service.desiredCount : parts.counts(deployment).desired,
      runningTaskCount: parts.counts(deployment).running,
      pendingTaskCount: parts.counts(deployment).pending,
    })),
    events: parts.events.map(({ id, createdAt, message }) => ({ id, createdAt: new Date(createdAt), message })),
    loadBalancers: loadBalancersView(service.loadBalancers),
    ...(service.controller === 'CODE_DEPLOY' ? codeDeployView(ports, named, service, parts.counts, withTags) : {}),
    serviceRegistries: [],
    ...(service.loadBalancers === undefined ? {} : { roleArn: serviceRole(ref.account) }),
    createdAt: new Date(service.createdAt),
    ...(service.createdBy === undefined ? {} : { createdBy: service.createdBy }),
    // Types of extensions are not in the SDK's enumerations, and are texts on the wire like all others.
    placementConstraints: service.placementConstraints.map((constraint) => ({ ...constraint }) as PlacementConstraint),
    placementStrategy: service.placementStrategy.map((strategy) => ({ ...strategy }) as PlacementStrategy),
    ...(service.healthCheckGracePeriodSeconds === undefined && service.loadBalancers === undefined
      ? {}
      : { healthCheckGracePeriodSeconds: service.healthCheckGracePeriodSeconds ?? 0 }),
    schedulingStrategy: service.schedulingStrategy,
    tags: withTags ? smallTagList(service.tags) : [],
    enableECSManagedTags: service.enableECSManagedTags,
    propagateTags: service.propagateTags,
    enableExecuteCommand: service.enableExecuteCommand,
    availabilityZoneRebalancing: service.availabilityZoneRebalancing,
  };
}

function placeView(
  service: ServiceRecord,
  platformVersion: string,
): Pick<
  Service,
  'launchType' | 'capacityProviderStrategy' | 'networkConfiguration' | 'platformVersion' | 'platformFamily'
> {
  const { network, launchType } = service;
  const networkConfiguration = networkView(network);
  return {
    ...launchView(service),
    ...(networkConfiguration === undefined ? {} : { networkConfiguration }),
    ...(launchType === 'FARGATE' ? { platformVersion, platformFamily: 'Linux' } : {}),
  };
}

function deploymentView(service: ServiceRecord, deployment: DeploymentRecord, counts: DeploymentCounts): Deployment {
  return {
    id: deployment.id,
    status: deployment.status,
    taskDefinition: deployment.taskDefinition,
    // An older deployment wants what it still has; the rest of its tasks have been told to stop.
    desiredCount: deployment.status === 'PRIMARY' ? service.desiredCount : counts.desired,
    pendingCount: counts.pending,
    runningCount: counts.running,
    failedTasks: deployment.failedTasks,
    createdAt: new Date(deployment.createdAt),
    updatedAt: new Date(deployment.updatedAt),
    ...placeView(service, fargatePlatform),
    rolloutState: deployment.rolloutState,
    rolloutStateReason: deployment.rolloutStateReason,
  };
}
