/**
 * The two small interfaces everything that decides a placement goes through: a constraint rules instances out, a strategy
 * orders those that are left. The core's own are written against them, and so are plug-ins.
 */
import type { TaskShape } from './types.ts';

/** One instance as a constraint or a strategy sees it. Valid only during the call: keep nothing of it. */
export interface Candidate {
  readonly id: string;
  readonly totalCpu: number;
  readonly totalMemory: number;
  readonly totalGpus: number;
  /** Before the task is placed; CPU units, MiB, devices. */
  readonly freeCpu: number;
  readonly freeMemory: number;
  readonly freeGpus: number;
  /** Tasks on it with desired status RUNNING. */
  readonly runningTasks: number;
  /** Those of them that belong to the request's group, without those that leave (`PlacementIndex.setLeaving`). */
  readonly groupTasks: number;
  /** The group's tasks, counted in the same way, on all instances with the same value of the attribute as this one. */
  groupTasksWithSame(attribute: string): number;
  /** Undefined when the instance does not have the attribute. */
  attribute(name: string): string | undefined;
  holdsLayer(digest: string): boolean;
}

/**
 * What a score reads; it decides which index keeps the scores, so it must be true.
 * - `remaining`: the score is the remaining amount of the resource itself. One order serves every task of the cluster.
 * - `instance`: this instance's own values and the task's shape. Kept for each task class, renewed where instances change.
 * - `group`: that, and how many tasks the instance holds of the group. Kept for each task class and group.
 * - `spread`: the score is `groupTasksWithSame(attribute)`. Kept as counts.
 * - `cluster`: anything else. Nothing is kept: every instance is scored at every decision.
 * - `random`: no score; one of the candidates is drawn.
 */
export type Reads =
  | { readonly kind: 'remaining'; readonly resource: 'cpu' | 'memory' }
  | { readonly kind: 'instance' | 'group' | 'cluster' | 'random' }
  | { readonly kind: 'spread'; readonly attribute: string };

export interface Scorer {
  readonly reads: Reads;
  /** Less is better; the instances with the least score go on to the next strategy. Any number but NaN. */
  score(candidate: Candidate): number;
  /** When given, every score is a whole number from 0 up to (not including) this: lets scores of a chain share one key. */
  readonly bound?: number;
}

/** What a strategy or a constraint is opened for. */
export interface Use {
  readonly shape: TaskShape;
  readonly group: string;
}

export interface Strategy {
  /** `binpack`, or `<vendor>:<name>` outside the core. */
  readonly type: string;
  /** Throws (with a sentence for the user) when the field is not one the strategy knows. */
  open(use: Use & { readonly field?: string }): Scorer;
}

export interface Check {
  /** `instance`: the answer follows from attributes and totals. `tasks`: also from what runs or is free on the instance. */
  readonly reads: 'instance' | 'tasks';
  allows(candidate: Candidate): boolean;
}

export interface Constraint {
  readonly type: string;
  /** Throws (with a sentence for the user) when the expression is wrong. */
  open(use: Use & { readonly expression?: string }): Check;
}
