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
