/**
 * What was measured of a service last, seconds apart: for each look what its tasks used altogether, in the unit of the target of a policy.
 * A task counts once it has been looked at as often and has run for a while, so that what it takes to begin does not.
 */
export interface Readings {
  /** The newest first. */
  readonly sums: readonly number[];
  /** Tasks that the sums are of, the same ones in each. */
  readonly tasks: number;
  /** Of what is counted, and not gauged: how much was counted in all looks, and the minutes that they took. */
  readonly counted?: { readonly events: number; readonly minutes: number };
}

/** What the last readings say of a policy that holds their mean at a value. */
export interface Judged {
  /** Tasks that were measured. */
  readonly tasks: number;
  /** They are above the target. */
  readonly above?: {
    /** The mean of a task, by the look in the middle. */
    readonly value: number;
    /** The means of all looks, the newest first. */
    readonly means: readonly number[];
  };
  /** None of them is above it: what minutes say that is more was before. */
  readonly isCalm: boolean;
}

/** Looks in a row that have to be above the target. */
export const looks = 3;

/** Standard deviations by which events have to be more than the target would make them: fewer are chance, which minutes even out. */
const deviations = 3;

/**
 * Whether the last readings say that a service is above a target, and what they come to. All of them have to: a peak between two
 * that are not is none. The one in the middle is believed, which neither the look in which the load began nor a peak is. Pure.
 * @returns undefined: there are too few
 */
export function judge({ sums, tasks, counted }: Readings, target: number): Judged | undefined {
  const last = sums.slice(0, looks);
  if (last.length < looks || tasks <= 0) return undefined;
  const means = last.map((sum) => sum / tasks);
  const isCalm = means.every((mean) => mean <= target);
  const expected = counted === undefined ? 0 : target * tasks * counted.minutes;
  const isChance = counted !== undefined && counted.events < expected + deviations * Math.sqrt(expected);
  if (isChance || means.some((mean) => mean <= target)) return { tasks, isCalm };
  const value = means.toSorted((a, b) => a - b)[(looks - 1) / 2] ?? target;
  return { tasks, isCalm, above: { value, means } };
}

/**
 * The side of an alarm that still counts beside readings, which are newer than its minutes: nothing goes in while they are above the target, nor out
 * by minutes of a load that is met.
 */
export function believedSide<S extends 'high' | 'low' | undefined>(side: S, judged: Judged | undefined): S | undefined {
  const isDenied = (side === 'low' && judged?.above !== undefined) || (side === 'high' && judged?.isCalm === true);
  return isDenied ? undefined : side;
}
