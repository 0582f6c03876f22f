import type { DeploymentRecord, ServiceRecord } from '../state/index.ts';

/** Whether the service's deployments are task sets, which somebody else than ECS makes, scales and deletes. */
export const hasTaskSets = ({ controller }: Pick<ServiceRecord, 'controller'>): boolean => controller === 'EXTERNAL';

/**
 * How many tasks a task set has: its percentage of the desired count, rounded up (ECS: `computedDesiredCount`). What the arithmetic of
 * doubles adds to a whole number is no task more.
 */
export function computedCount(desiredCount: number, { scale, ends }: NonNullable<DeploymentRecord['taskSet']>): number {
  return ends === true ? 0 : Math.ceil(Math.max(0, (desiredCount * scale) / 100 - 1e-6));
}

/** The service as tasks of one of its deployments are started: a task set says itself how and where, and so may what CodeDeploy began. */
export function startedAs(
  service: ServiceRecord,
  { taskSet, launch: own = taskSet }: Pick<DeploymentRecord, 'taskSet' | 'launch'>,
): ServiceRecord {
  if (own === undefined) return service;
  const { capacityProviderStrategy: _, formerLaunchType: __, platformVersion: ___, network: ____, ...others } = service;
  const { launchType, capacityProviderStrategy, platformVersion, network } = own;
  return {
    ...others,
    launchType,
    ...(capacityProviderStrategy === undefined ? {} : { capacityProviderStrategy }),
    ...(platformVersion === undefined ? {} : { platformVersion }),
    ...(network === undefined ? {} : { network }),
  };
}
