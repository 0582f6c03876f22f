import { DescribeServicesCommand, type ECSClient, type Service } from '@aws-sdk/client-ecs';
import { eventually, type Way } from './place.ts';

/** A service whose deployments a test carries out one after the other. */
export interface Deploying {
  /** What its targets answer that they are. */
  readonly name: string;
  readonly way: Way;
  /** Begins a deployment. @returns what waits until it has succeeded, and nothing of the one before is left */
  forward(): Promise<() => Promise<void>>;
  /** Begins a deployment, and calls it back when it stands halfway. Resolves when all is as before. */
  back(): Promise<void>;
}

export async function describeService(ecs: ECSClient, name: string): Promise<Service> {
  return (await ecs.send(new DescribeServicesCommand({ services: [name] }))).services?.[0] ?? {};
}

/** Waits until one deployment is left, or one task set, and all of its tasks are there. */
export const settled = (ecs: ECSClient, name: string): Promise<true> =>
  eventually(`${name} to be settled`, async () => {
    const { deployments = [], taskSets = [], desiredCount, runningCount } = await describeService(ecs, name);
    const [first, ...others] = [...deployments, ...taskSets];
    if (first === undefined || others.length > 0 || runningCount !== desiredCount) return false;
    return 'stabilityStatus' in first
      ? first.stabilityStatus === 'STEADY_STATE'
      : 'rolloutState' in first && first.rolloutState === 'COMPLETED';
  });
