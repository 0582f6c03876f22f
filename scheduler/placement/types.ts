/** The public face of the placement core. Pure: nothing here imports from outside `placement/`. */

export interface InstanceSpec {
  readonly id: string;
  /** CPU units, MiB: totals. */
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly attributes: ReadonlyMap<string, string>;
  /** Host ports that are taken by the system. */
  readonly reservedTcpPorts: readonly number[];
  readonly reservedUdpPorts: readonly number[];
  /** ACTIVE and connected: takes new tasks. Otherwise its tasks count, but it is never chosen. */
  readonly placeable: boolean;
  /** For reasons: why it is not placeable (`AGENT` or `INACTIVE`). */
  readonly agentConnected: boolean;
}

export interface TaskShape {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly tcpPorts: readonly number[];
  readonly udpPorts: readonly number[];
  /** Attributes the instance must have (capabilities). */
  readonly requires: readonly string[];
}

export type ConstraintSpec = { readonly type: 'distinctInstance' } | { readonly type: 'memberOf'; readonly expression: string };
export type StrategySpec =
  | { readonly type: 'random' }
  | { readonly type: 'spread'; readonly field: string }
  | { readonly type: 'binpack'; readonly field: 'cpu' | 'memory' };

export interface PlacementRequest {
  readonly group: string;
  readonly shape: TaskShape;
  readonly constraints: readonly ConstraintSpec[];
  /** Empty: the default for services (spread zones, then fewest of the service) or `random` for standalone tasks, by `kind`. */
  readonly strategies: readonly StrategySpec[];
  readonly kind: 'service' | 'standalone';
}

/** Why a request cannot be placed, in ECS's words and in one plain sentence. */
export interface Unplaceable {
  /** `RESOURCE:CPU`, `RESOURCE:MEMORY`, `RESOURCE:PORTS`, `RESOURCE:GPU`, `ATTRIBUTE`, `AGENT`, `EMPTY`, `MEMBEROF`, `DISTINCTINSTANCE`. */
  readonly code: string;
  readonly message: string;
  /** The instance that came closest, when there is one. */
  readonly closest?: string;
  /** How many instances each cause ruled out. */
  readonly ruledOut: Readonly<Record<string, number>>;
}

/** A task as the index counts it: from the moment it is placed until it is STOPPED. */
export interface PlacedTask {
  readonly id: string;
  readonly instanceId: string;
  readonly group: string;
  readonly shape: TaskShape;
}

/** One cluster's instances and tasks, kept up to date by small changes; decisions do not change it until the task is added. */
export interface PlacementIndex {
  upsertInstance(instance: InstanceSpec): void;
  removeInstance(id: string): void;
  addTask(task: PlacedTask): void;
  removeTask(id: string): void;
  /** The task no longer counts for `distinctInstance` and spread (its desired status is STOPPED) but still holds its resources. */
  retireTask(id: string): void;
  place(request: PlacementRequest): { readonly instanceId: string } | { readonly unplaceable: Unplaceable };
  /** The one feasibility function, also used when a plan is committed: undefined when the instance can take the request now. */
  whyNot(instanceId: string, request: PlacementRequest): Unplaceable | undefined;
  /** Which of a group's tasks to end first, by the strategies in reverse (reference 2.3); every candidate is returned, in order. */
  scaleInOrder(candidates: readonly string[], strategies: readonly StrategySpec[]): readonly string[];
}

export interface PlacementOptions {
  /** Seed of the injected generator that breaks ties of `random`; the same seed and the same calls give the same decisions. */
  readonly seed: number;
}
