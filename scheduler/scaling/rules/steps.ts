/** Step scaling (Application Auto Scaling user guide, "Step scaling policies"). */

export const adjustmentTypes = ['ChangeInCapacity', 'PercentChangeInCapacity', 'ExactCapacity'] as const;
export type AdjustmentType = (typeof adjustmentTypes)[number];

/** One step: between which distances from the alarm's threshold it counts. Without a bound, to infinity. */
export interface Step {
  readonly lower?: number;
  readonly upper?: number;
  readonly adjustment: number;
}

export interface StepRule {
  readonly adjustmentType: AdjustmentType;
  /** In the order of their bounds. */
  readonly steps: readonly Step[];
  /** Of a change in percent: the least by which the count changes. */
  readonly minMagnitude?: number;
}

/** Steps of one policy (Application Auto Scaling quotas). */
export const mostSteps = 20;

/** Why these are no steps of a policy, or undefined: they lie beside each other, without gaps. */
export function stepsProblem(steps: readonly Step[], type: AdjustmentType): string | undefined {
  if (steps.length === 0) return 'At least one StepAdjustment must be specified.';
  if (steps.length > mostSteps) return `A step scaling policy has at most ${mostSteps} step adjustments.`;
  if (type === 'ExactCapacity' && steps.some(({ adjustment }) => adjustment < 0))
    return 'ScalingAdjustment must not be negative where AdjustmentType is ExactCapacity.';
  const sorted = inOrder(steps);
  for (const { lower, upper } of sorted) {
    if (lower === undefined && upper === undefined)
      return 'MetricIntervalLowerBound and MetricIntervalUpperBound cannot both be left out of a StepAdjustment.';
    if ((lower ?? Number.NEGATIVE_INFINITY) >= (upper ?? Number.POSITIVE_INFINITY))
      return `The lower bound ${lower} of a StepAdjustment must be less than its upper bound ${upper}.`;
  }
  if (sorted.filter(({ lower }) => lower === undefined).length > 1)
    return 'At most one StepAdjustment can be without MetricIntervalLowerBound.';
  if (sorted.filter(({ upper }) => upper === undefined).length > 1)
    return 'At most one StepAdjustment can be without MetricIntervalUpperBound.';
  for (const [index, { lower }] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before !== undefined && before.upper !== lower)
      return `StepAdjustments must neither overlap nor leave a gap: one ends at ${before.upper ?? 'infinity'}, and the next begins at ${lower}.`;
  }
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (first?.lower !== undefined && first.lower < 0)
    return 'With a negative lower bound one StepAdjustment must be without MetricIntervalLowerBound.';
  if (last?.upper !== undefined && last.upper > 0)
    return 'With a positive upper bound one StepAdjustment must be without MetricIntervalUpperBound.';
  return undefined;
}

/** Steps in the order of their bounds. */
export const inOrder = (steps: readonly Step[]): Step[] =>
  steps.toSorted((a, b) => (a.lower ?? Number.NEGATIVE_INFINITY) - (b.lower ?? Number.NEGATIVE_INFINITY));

/**
 * What a rule makes of a count. Above the threshold a step has its lower bound and not its upper one, below it the other way round.
 * @param distance how far the metric is above the threshold; negative: below
 * @returns undefined where no step counts; not yet within the bounds of the target
 */
export function stepCapacity(
  { adjustmentType, steps, minMagnitude = 0 }: StepRule,
  capacity: number,
  distance: number,
): number | undefined {
  const step = steps.find(({ lower = Number.NEGATIVE_INFINITY, upper = Number.POSITIVE_INFINITY }) =>
    distance >= 0 ? lower <= distance && distance < upper : lower < distance && distance <= upper,
  );
  if (step === undefined) return undefined;
  if (adjustmentType === 'ExactCapacity') return step.adjustment;
  if (adjustmentType === 'ChangeInCapacity') return capacity + step.adjustment;
  const delta = wholeOf((capacity * step.adjustment) / 100);
  if (delta === 0) return capacity;
  return capacity + Math.sign(delta) * Math.max(Math.abs(delta), minMagnitude);
}

/** Percent are rounded towards nothing, but a change that is less than one is one. */
const wholeOf = (delta: number): number => (Math.abs(delta) < 1 ? Math.sign(delta) : Math.trunc(delta));
