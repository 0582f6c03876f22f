import type { DeploymentRecord } from '../state/index.ts';

import type { Pass } from './pass.ts';

/** A way of getting from the tasks that run to those that are wanted. */
export interface Strategy {
  /** Where the cluster decides how many tasks are wanted: works that out, before anything is judged by it. */
  readonly count?: (pass: Pass) => void;
  /** One step: starts and stops tasks, and moves the deployment on. Review, breaker and settling are the same for all. */
  readonly step: (pass: Pass) => void;
  /** Whether the PRIMARY deployment is COMPLETED once all of its tasks are healthy and none of another one is left. */
  readonly mayComplete: (primary: DeploymentRecord) => boolean;
}
