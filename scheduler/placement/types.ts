/** The public face of the placement core. Pure: nothing here imports from outside `placement/`. */
import type { Constraint, Strategy } from './extension.ts';

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
  /** Subjects of the cluster query language; an expression about one that is absent is false. */
  readonly agentVersion?: string;
  readonly ec2InstanceId?: string;
  /** Milliseconds since the epoch. */
  readonly registeredAt?: number;
  /** Digests of the image layers it holds, for `slipway:image-locality`. */
  readonly layers?: ReadonlySet<string>;
}

export interface TaskShape {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly tcpPorts: readonly number[];
  readonly udpPorts: readonly number[];
  /** Attributes the instance must have (capabilities). */
  readonly requires: readonly string[];
  /** The layers of the task's images, sizes in bytes, for `slipway:image-locality`. */
  readonly layers?: readonly { readonly digest: string; readonly size: number }[];
}

/** What ECS does not have is named with a prefix: `slipway:...` for the core's own, `<vendor>:...` for plug-ins. */
export type ExtensionType = `${string}:${string}`;

export type ConstraintSpec =
  | { readonly type: 'distinctInstance' }
  | {
      readonly type: 'memberOf';
      readonly expression: string;
      /** Said of an instance that does not satisfy it, in the place of the expression: a code, and how "The closest matching container-instance X ..." ends. */
      readonly otherwise?: { readonly code: string; readonly sentence: string };
    }
  | { readonly type: ExtensionType; readonly expression?: string };
export type StrategySpec =
  | { readonly type: 'random' }
  | { readonly type: 'spread'; readonly field: string }
  | { readonly type: 'binpack'; readonly field: 'cpu' | 'memory' }
  | { readonly type: ExtensionType; readonly field?: string };

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
  /** True when nothing that stops or moves could make room: the request asks more than any instance has, or contradicts itself. */
  readonly impossible?: boolean;
  /** Each resource and constraint by itself; an instance counts for every one that rules it out. */
  readonly causes?: readonly { readonly code: string; readonly detail: string; readonly instances: number }[];
}

/** The whole picture of one request. */
export interface PlacementExplanation {
  /** The instance `place` would choose now; absent when there is none, or when one would be drawn. */
  readonly choice?: string;
  /** Instances that could take it. */
  readonly feasible: number;
  readonly instances: number;
  /** Names of the strategies that decide, in order, defaults filled in. */
  readonly strategies: readonly string[];
  readonly unplaceable?: Unplaceable;
  readonly causes: NonNullable<Unplaceable['causes']>;
}

/** A task as the index counts it: from the moment it is placed until it is STOPPED. */
export interface PlacedTask {
  readonly id: string;
  readonly instanceId: string;
  readonly group: string;
  readonly shape: TaskShape;
}

/** A decision. `warnings` names plug-ins that failed and were left out of it. */
export interface Placed {
  readonly instanceId: string;
  readonly warnings?: readonly string[];
}

/** Room held for a decision until it is confirmed as a task or released. */
export interface Reservation {
  readonly instanceId: string;
}

/** A placement decided elsewhere or earlier, to be checked before it becomes a task. */
export interface PlannedTask {
  readonly id: string;
  readonly instanceId: string;
  readonly request: PlacementRequest;
}

/** What of a plan can still be done. */
export interface PlanOutcome {
  readonly accepted: readonly PlannedTask[];
  readonly rejected: readonly { readonly planned: PlannedTask; readonly unplaceable: Unplaceable }[];
}

/** A task of a service that its strategies would place elsewhere now, and what they gain by that. */
export interface Improvement {
  readonly taskId: string;
  readonly from: string;
  readonly to: string;
  /** The first strategy that sees a difference. */
  readonly strategy: StrategySpec;
  /** What that makes of the two instances, the task left out; less is better: tasks of the service with the same value, CPU units, MiB, or a score. */
  readonly before: number;
  readonly after: number;
}

/** Everything the index knows, as plain data: for a planner in another thread, for simulation and for `explain`. */
export interface PlacementSnapshot {
  readonly version: string;
  readonly instances: readonly InstanceSpec[];
  readonly tasks: readonly (PlacedTask & { readonly retired: boolean; readonly leaving?: boolean })[];
}

/** Where a daemon service has to run. */
export interface DaemonPlan {
  /** Instances that meet the constraints, lack its task and have room. */
  readonly start: readonly string[];
  /** Instances that meet the constraints and lack its task, with the reason why it cannot start there now. */
  readonly blocked: readonly { readonly instanceId: string; readonly unplaceable: Unplaceable }[];
  /** Its tasks on instances that no longer meet the constraints. */
  readonly violating: readonly string[];
}

/** One cluster's instances and tasks, kept up to date by small changes; decisions do not change it until the task is added. */
export interface PlacementIndex {
  upsertInstance(instance: InstanceSpec): void;
  removeInstance(id: string): void;
  addTask(task: PlacedTask): void;
  removeTask(id: string): void;
  /** The task no longer counts for `distinctInstance` and spread (its desired status is STOPPED) but still holds its resources. */
  retireTask(id: string): void;
  /**
   * Whether the task goes as soon as others have taken its place (of a superseded revision, on a draining or lost instance): it then no
   * longer counts for spread, so that what stays is spread evenly, but still for `distinctInstance` and its resources.
   */
  setLeaving(id: string, leaving: boolean): void;
  /**
   * Runs `work`, which may add, remove, retire and mark tasks to see what follows from that, and puts everything back as it was, also
   * when it throws. May be nested. `work` ends before this returns: it is not a promise, and changes no instance or reservation.
   */
  tentatively<T>(work: () => T): T;
  /** Decides without changing anything (only `random` moves the generator on). Reuse request objects: they are compiled once. */
  place(request: PlacementRequest): Placed | { readonly unplaceable: Unplaceable };
  /** Decides and takes the room at once, for batches: undefined when it cannot be placed (`explain` says why). */
  reserve(request: PlacementRequest): Reservation | undefined;
  /** Gives the room back. */
  release(reservation: Reservation): void;
  /** The reservation becomes the task; false when it was released before. */
  confirm(reservation: Reservation, taskId: string): boolean;
  /** Where a request stands: how many instances could take it, and what rules out the others. */
  explain(request: PlacementRequest): PlacementExplanation;
  /** Adds what of the plan can still be done, in its order, by the same feasibility function that made it. */
  commit(plan: readonly PlannedTask[]): PlanOutcome;
  snapshot(): PlacementSnapshot;
  /** What is left on an instance; undefined when it is not in the index. */
  free(instanceId: string): { readonly cpu: number; readonly memory: number; readonly gpus: number } | undefined;
  /** A mark in the journal; grows with every change. */
  readonly version: string;
  /** The instances that changed (themselves or their tasks) since the mark; removed ones included. Undefined: all may have, start over. */
  changesSince(version: string): readonly string[] | undefined;
  /** One task on every ACTIVE instance that meets the constraints (semantics of schedulingStrategy DAEMON). */
  daemon(request: PlacementRequest): DaemonPlan;
  /** Failures of plug-ins so far, by name. */
  pluginFailures(): ReadonlyMap<string, { readonly count: number; readonly last: string }>;
  /** The one feasibility function, also used when a plan is committed: undefined when the instance can take the request now. */
  whyNot(instanceId: string, request: PlacementRequest): Unplaceable | undefined;
  /**
   * The move of one of the candidates that the request's strategies gain most by, at least one task of difference or a tenth of an amount;
   * undefined when none pays. At most 32 instances are looked at, those first that scale-in would take from.
   */
  improvement(request: PlacementRequest, candidates: readonly string[]): Improvement | undefined;
  /** Which of a group's tasks to end first, by the strategies in reverse (reference 2.3); every candidate is returned, in order.
   * Ties keep the order given. Candidates that are on no instance come first. `limit`: only the first so many are needed.
   * `gone`: other tasks that have been chosen already and count as ended. */
  scaleInOrder(
    candidates: readonly string[],
    strategies: readonly StrategySpec[],
    limit?: number,
    gone?: readonly string[],
  ): readonly string[];
}

export interface PlacementOptions {
  /** Seed of the injected generator that breaks ties of `random`; the same seed and the same calls give the same decisions. */
  readonly seed: number;
  /** Plug-ins beside the core's own. */
  readonly strategies?: readonly Strategy[];
  readonly constraints?: readonly Constraint[];
  /** Measures plug-ins: milliseconds from any start, such as `() => performance.now()`. Without it slow ones go unnoticed. */
  readonly stopwatch?: () => number;
  /** What the plug-ins may take together for one decision, in milliseconds for each 10,000 instances. Default 20. */
  readonly pluginBudgetMs?: number;
}
