/** What an installation may tune about how services are kept. All times in milliseconds. */
export interface ReconcilerOptions {
  /** A task that nothing checks counts as healthy this long after it reached RUNNING. Default 40,000, as on ECS. */
  readonly healthyAfterRunning: number;
  /** An identical event is not repeated before this time unless its cause went away in between. Default 6 hours, as on ECS. */
  readonly repeatEventsAfter: number;
}

export const defaultReconcilerOptions: ReconcilerOptions = {
  healthyAfterRunning: 40_000,
  repeatEventsAfter: 6 * 3_600_000,
};
