import type { Invariant } from '../invariants.ts';
import type { PlanOptions } from '../plan.ts';

/** A mistake that somebody could make in the control plane or the agent, and what must notice it. */
export interface Mutation {
  readonly name: string;
  /** From the repository's root. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** What may notice it. */
  readonly caughtBy: readonly Invariant[];
  /** The first seed that is tried, one that is known to notice it; the tests go on from there when it no longer does. */
  readonly from?: number;
  /** What its days are like where the seeds' own would show it too seldom: a mistake that matters only when two rare things meet. */
  readonly days?: PlanOptions;
  /** Another one that is made as well: what makes good for it otherwise. */
  readonly alongside?: string;
}
