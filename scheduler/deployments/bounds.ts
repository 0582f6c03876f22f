import type { CircuitBreaker, DeploymentConfiguration } from '../state/index.ts';

/**
 * How many ends and recoveries one pass draws its conclusions from, and how many tasks it tells to stop. The rest follows in the next
 * pass, at once: a commit has a size, and so has the time for which a pass may keep everything else waiting.
 */
export const tasksPerPass = 1_000;

/** Tasks that must stay RUNNING and healthy: rounded up (ECS `DeploymentConfiguration.minimumHealthyPercent`). */
export const lowerBound = (desired: number, { minimumHealthyPercent }: DeploymentConfiguration): number =>
  Math.ceil((desired * minimumHealthyPercent) / 100);

/** Tasks that may be there at once, all revisions together: rounded down (ECS `DeploymentConfiguration.maximumPercent`). */
export const upperBound = (desired: number, { maximumPercent }: DeploymentConfiguration): number =>
  Math.floor((desired * maximumPercent) / 100);

/**
 * Failed tasks at which the circuit breaker trips, for the newest desired count: `BOUNDED_PERCENT` is clamped to 3..200,
 * `UNBOUNDED_PERCENT` and `COUNT` are not. At least 1 (ECS `DeploymentCircuitBreaker.thresholdConfiguration`).
 */
export function breakerThreshold(desired: number, { threshold }: Pick<CircuitBreaker, 'threshold'>): number {
  const share = Math.ceil((desired * threshold.value) / 100);
  switch (threshold.type) {
    case 'BOUNDED_PERCENT':
      return Math.min(200, Math.max(3, share));
    case 'UNBOUNDED_PERCENT':
      return Math.max(1, share);
    case 'COUNT':
      return Math.max(1, threshold.value);
  }
}
