import type { History } from './history.ts';
import type { Invariant } from './invariants.ts';
import type { Plan } from './plan.ts';

/** How a run ended. */
export interface Outcome {
  readonly plan: Plan;
  readonly violation?: { readonly invariant: Invariant; readonly message: string; readonly at: number };
  /** The same for every run of the same plan. */
  readonly checksum: string;
  /** True milliseconds that were played. */
  readonly played: number;
  readonly counts: Counts;
  readonly history: History;
}

/** What a run did, so that nobody mistakes a run in which nothing happened for a good one. */
export interface Counts {
  commits: number;
  tasksStarted: number;
  containersStarted: number;
  faults: number;
  calls: number;
  refused: number;
  unanswered: number;
  /** Requests that load balancers brought to tasks. */
  requests: number;
  /** Stages that deployments which shift traffic went on to. */
  stages: number;
  /** Machines that the provider of an Auto Scaling group has made. */
  machines: number;
  /** Verdicts on steps of deployments that are judged. */
  verdicts: number;
}
