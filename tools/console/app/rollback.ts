import { AwsError, ecs } from './aws.ts';
import { lastOf } from './format.ts';
import type { ServiceDeployment } from './types.ts';

export interface Rollback {
  /** Whether it would be allowed. @throws AwsError when that is not known */
  readonly may: () => Promise<boolean>;
  /** @throws AwsError */
  readonly act: () => Promise<void>;
}

/**
 * How a deployment is taken back: one that shifts traffic is stopped, which sends all of it to the revision before; one that goes task by
 * task is followed by another with what ran before, unless another one follows it already: nobody undoes what they have not seen.
 * @param before the task definition that ran before; undefined where there is none, or it is the same
 * @returns undefined where there is nothing to go back to
 */
export function rollbackOf(
  { serviceDeploymentArn, serviceArn, clusterArn, lifecycleStage }: ServiceDeployment,
  before: string | undefined,
): Rollback | undefined {
  if (lifecycleStage !== undefined) {
    const stop = { serviceDeploymentArn, stopType: 'ROLLBACK' } as const;
    return {
      may: () => ecs.may('StopServiceDeployment', stop),
      act: async () => {
        await ecs('StopServiceDeployment', stop);
      },
    };
  }
  if (before === undefined) return undefined;
  const of = { cluster: lastOf(clusterArn), service: lastOf(serviceArn) };
  const update = { ...of, taskDefinition: before };
  return {
    may: () => ecs.may('UpdateService', update),
    act: async () => {
      const { services = [] } = await ecs('DescribeServices', { cluster: of.cluster, services: [of.service] });
      if (services[0]?.currentServiceDeployment !== serviceDeploymentArn)
        throw new AwsError(
          'UpdateService',
          'ConflictException',
          'Another deployment has followed the one shown here. Close this and look at that one first.',
          '',
        );
      await ecs('UpdateService', update);
    },
  };
}
