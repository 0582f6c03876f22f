import type { Decision } from '../deployments/index.ts';
import type { HookResultRecord } from '../state/index.ts';

/** Counts what leaders do. */
export interface ControlMeter {
  /** A pass over services is over: planned, and committed where there was something to commit. Milliseconds. */
  passed(milliseconds: number): void;
  /** A decision was committed. */
  decided(what: Decision['what']): void;
  /**
   * A hook of a deployment was asked and its answer is recorded; IN_PROGRESS each time that it is to be asked again, and once for a task that
   * was started.
   */
  hooked(kind: 'webhook' | 'task', outcome: HookResultRecord['status']): void;
}

export const noMeter: ControlMeter = { passed: () => {}, decided: () => {}, hooked: () => {} };
