import { invalidParameter } from '../cluster/index.ts';
import type { ServiceRecord } from '../state/index.ts';
import { stableJson } from '../tasks/index.ts';

import { primaryOf } from './deployment.ts';

const controller = 'a CODE_DEPLOY deployment controller';

type Deployed = Pick<ServiceRecord, 'controller' | 'schedulingStrategy' | 'deploymentConfiguration' | 'loadBalancers'>;

/**
 * Checks that CodeDeploy can deploy a service as it is to be.
 * @throws InvalidParameterException that says what to change
 */
export function checkDeployed({ controller: by, ...service }: Deployed): void {
  if (by !== 'CODE_DEPLOY') return;
  if (service.schedulingStrategy === 'DAEMON')
    throw invalidParameter(`The daemon scheduling strategy is not supported with ${controller}: use REPLICA.`);
  const { strategy, circuitBreaker, alarms } = service.deploymentConfiguration;
  if (strategy !== undefined)
    throw invalidParameter(
      `The strategy ${strategy.type} is not for services with ${controller}: the deployment configuration of CodeDeploy says how traffic is shifted. Remove it.`,
    );
  if (circuitBreaker?.enable === true)
    throw invalidParameter(`Deployment circuit breaker is not supported with ${controller}: set enable to false.`);
  if (alarms?.enable === true)
    throw invalidParameter(
      `Alarms of a deployment configuration are not supported with ${controller}: set enable to false.`,
    );
  const [balancer, ...others] = service.loadBalancers ?? [];
  if (balancer === undefined || others.length > 0)
    throw invalidParameter(`A service with ${controller} needs exactly one item in loadBalancers.`);
}

/**
 * Checks that a change of a service is one that UpdateService may make where CodeDeploy deploys.
 * @throws InvalidParameterException in ECS's words
 */
export function checkChange(
  before: ServiceRecord,
  after: ServiceRecord,
  { force, taskDefinition }: { readonly force: boolean; readonly taskDefinition: string },
): void {
  if (before.controller !== 'CODE_DEPLOY') return;
  if (force)
    throw invalidParameter(
      `Cannot force a new deployment on services with ${controller}. Use AWS CodeDeploy to trigger a new deployment.`,
    );
  const refuse = (what: string, one: unknown, other: unknown): void => {
    if (stableJson(one) === stableJson(other)) return;
    throw invalidParameter(
      `Unable to update ${what} on services with ${controller}. Use AWS CodeDeploy to trigger a new deployment.`,
    );
  };
  refuse('task definition', taskDefinition, primaryOf(before)?.taskDefinition);
  refuse('network parameters', after.network, before.network);
  refuse('platform version', after.platformVersion, before.platformVersion);
  refuse('load balancers', after.loadBalancers, before.loadBalancers);
  refuse(
    'capacity providers',
    [after.launchType, after.capacityProviderStrategy],
    [before.launchType, before.capacityProviderStrategy],
  );
  checkDeployed(after);
}
