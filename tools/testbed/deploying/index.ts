/** Services that are deployed in every way there is, and what deploys them again and again. */
import { deployRolling, deployShifting } from './ecs.ts';
import { deployByCodeDeploy, deployByTaskSets } from './others.ts';
import type { DeployingPlace } from './place.ts';
import type { Deploying } from './service.ts';

export { DeployingPlace } from './place.ts';
export type { Deploying } from './service.ts';

/** Makes a service of each way, all at once. */
export const deployInEveryWay = (place: DeployingPlace): Promise<readonly Deploying[]> =>
  Promise.all([
    deployRolling(place),
    deployShifting(place, 'BLUE_GREEN'),
    deployShifting(place, 'LINEAR'),
    deployShifting(place, 'CANARY'),
    deployByCodeDeploy(place),
    deployByTaskSets(place),
  ]);
