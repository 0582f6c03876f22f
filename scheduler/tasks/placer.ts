import type { ConstraintSpec, StrategySpec } from '../placement/index.ts';
import type { CapacityProvider, TaskRecord } from '../state/index.ts';

import type { TaskDraft } from './draft.ts';

/** What the drafts of one request have in common for placement. Constraints are the definition's and the request's together. */
export interface PlacementDemand {
  readonly kind: 'service' | 'standalone';
  /** Names of attributes the instance must have: `TaskDefinitionRecord.requiresAttributes`. */
  readonly requires: readonly string[];
  readonly constraints: readonly ConstraintSpec[];
  /** Further ones that hold where there is room; elsewhere the tasks go as if they were not there. */
  readonly rather: readonly ConstraintSpec[];
  readonly strategies: readonly StrategySpec[];
  /** What the tasks run on, when a strategy decides that. */
  readonly capacityProvider?: CapacityProvider;
  /** Whether the tasks wait for room, PROVISIONING, where there is none. */
  readonly waits?: true;
  /** StartTask: this instance or none; resources, ports, attributes and the agent are checked, constraints and strategies are not. */
  readonly instanceId?: string;
}

export interface PlacementFailure {
  /** In ECS's words: `RESOURCE:MEMORY`, `AGENT`, `ATTRIBUTE`, `MISSING`, … */
  readonly code: string;
  /** One sentence for people. */
  readonly message: string;
}

/** Finds instances for tasks and commits the tasks; only the leader of a cluster decides. */
export interface TaskPlacer {
  /**
   * Places as many of the drafts as fit, in order, and answers when the placed ones are durable. A draft whose id is
   * already a task of the cluster counts as placed and is returned as it stands, so that a retry after an unknown
   * outcome is safe. One failure for each draft that was not placed. Where the demand says that they wait, drafts without room count
   * as placed: tasks on no instance, which get one when there is room.
   */
  place(
    cluster: { readonly account: string; readonly name: string },
    drafts: readonly TaskDraft[],
    demand: PlacementDemand,
  ): Promise<{ readonly placed: readonly TaskRecord[]; readonly failures: readonly PlacementFailure[] }>;
}
