/** The bounds of a target, and what a scheduled action makes of them. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** What a scheduled action came to. */
export type Ran =
  | { readonly kind: 'set'; readonly range: Range; readonly desired: number; readonly cause: string }
  | { readonly kind: 'refused'; readonly cause: string };

/**
 * Runs a scheduled action: it sets the bounds that it names, and a count outside the new ones goes to the nearest of them (Application Auto
 * Scaling user guide, "Scheduled scaling"). Bounds that would contradict each other change nothing.
 */
export function runScheduled(
  range: Range,
  desired: number,
  action: { readonly min?: number; readonly max?: number },
): Ran {
  const next = { min: action.min ?? range.min, max: action.max ?? range.max };
  if (next.max < next.min)
    return {
      kind: 'refused',
      cause: `the scheduled action would set a minimum capacity of ${next.min} above a maximum capacity of ${next.max}`,
    };
  if (desired < next.min)
    return { kind: 'set', range: next, desired: next.min, cause: `minimum capacity was set to ${next.min}` };
  if (desired > next.max)
    return { kind: 'set', range: next, desired: next.max, cause: `maximum capacity was set to ${next.max}` };
  return { kind: 'set', range: next, desired, cause: '' };
}
