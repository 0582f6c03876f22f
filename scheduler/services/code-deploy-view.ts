import type { Service, TaskSet } from '@aws-sdk/client-ecs';

import type { EcsPorts } from '../cluster/index.ts';
import { startedAs } from '../deployments/index.ts';
import type { DeploymentRecord, ServiceLoadBalancer, ServiceRecord } from '../state/index.ts';
import type { DeploymentCounts } from './counts.ts';
import { primaryOf, servingOf } from './deployment.ts';
import { loadBalancersView } from './load-balancers.ts';
import type { ServiceRef } from './services.ts';
import { taskSetView } from './task-set-view.ts';

/**
 * What ECS shows of a service that CodeDeploy deploys: task sets in the place of deployments, and as the service's own the revision and
 * the target group of the PRIMARY set, which all production traffic is at.
 */
export function codeDeployView(
  ports: Pick<EcsPorts, 'region'>,
  ref: ServiceRef,
  service: ServiceRecord,
  counts: (deployment: DeploymentRecord) => DeploymentCounts,
  withTags: boolean,
): Pick<Service, 'taskDefinition' | 'loadBalancers' | 'taskSets' | 'deployments'> {
  const serving = servedBy(service);
  const plain = ({ loadBalancers, ...rest }: DeploymentRecord): DeploymentRecord =>
    loadBalancers === undefined ? rest : { ...rest, loadBalancers: loadBalancers.map(registrationOf) };
  const sets = service.deployments.flatMap((deployment): TaskSet[] => {
    if (deployment.status === 'INACTIVE') return [];
    const { id, createdAt, updatedAt, shifting } = deployment;
    const own = counts(deployment);
    const isServing = id === serving?.id;
    const leaves = !isServing && deployment.status === 'ACTIVE' && own.desired < service.desiredCount;
    const externalId = shifting?.codeDeploy?.id;
    const { launchType, capacityProviderStrategy, platformVersion, network } = startedAs(service, deployment);
    return [
      taskSetView(ports, ref, service, plain(deployment), {
        taskSet: {
          launchType,
          ...(capacityProviderStrategy === undefined ? {} : { capacityProviderStrategy }),
          ...(platformVersion === undefined ? {} : { platformVersion }),
          ...(network === undefined ? {} : { network }),
          scale: 100,
          ...(externalId === undefined ? {} : { externalId }),
          tags: {},
          steady: own.running === service.desiredCount && own.pending === 0,
          steadyAt: Math.max(createdAt, updatedAt),
        },
        status: isServing ? 'PRIMARY' : leaves ? 'DRAINING' : 'ACTIVE',
        counts: own,
        ...(externalId === undefined ? {} : { startedBy: 'CODE_DEPLOY' }),
        withTags,
      }),
    ];
  });
  return {
    deployments: [],
    taskSets: sets,
    taskDefinition: serving?.taskDefinition ?? service.taskDefinition,
    loadBalancers: loadBalancersView(serving === undefined ? service.loadBalancers : plain(serving).loadBalancers),
  };
}

/** The deployment that all production traffic is at, or was last. */
export function servedBy(service: ServiceRecord): DeploymentRecord | undefined {
  const primary = primaryOf(service);
  const isAll = primary?.shifting !== undefined && primary.shifting.live.production >= 100;
  return isAll ? primary : (servingOf(service) ?? primary);
}

/** A registration without the pair that it is one of, which the deployment group has. */
const registrationOf = ({
  targetGroupArn,
  containerName,
  containerPort,
}: ServiceLoadBalancer): ServiceLoadBalancer => ({
  targetGroupArn,
  containerName,
  containerPort,
});
