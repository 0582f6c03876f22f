import type { Decision } from '../deployments/index.ts';

/** Counts what leaders do. */
export interface ControlMeter {
  /** A pass over services is over: planned, and committed where there was something to commit. Milliseconds. */
  passed(milliseconds: number): void;
  /** A decision was committed. */
  decided(what: Decision['what']): void;
}

export const noMeter: ControlMeter = { passed: () => {}, decided: () => {} };
