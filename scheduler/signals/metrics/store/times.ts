/** A resolution that is kept, and what its files are of. */
export interface Resolution {
  readonly seconds: number;
  /** How long, milliseconds. */
  readonly keptFor: number;
  /** One file has buckets of one span of so many milliseconds since the epoch. */
  readonly span: number;
}

const hour = 3_600_000;
const day = 24 * hour;

/** Finest first (CloudWatch, "Metrics retention"). Each is added to as samples come, so that none has to be worked out of a finer one. */
export const resolutions: readonly Resolution[] = [
  { seconds: 1, keptFor: 3 * hour, span: hour },
  { seconds: 60, keptFor: 15 * day, span: day },
  { seconds: 300, keptFor: 63 * day, span: 7 * day },
  { seconds: 3600, keptFor: 455 * day, span: 30 * day },
];

/** The begin of the period that a time lies in. @param seconds of the period */
export function periodOf(time: number, seconds: number): number {
  const length = seconds * 1000;
  return Math.floor(time / length) * length;
}

/** The coarsest resolution that a period is made up of: it has everything, and for the longest time. */
export function resolutionFor(period: number): Resolution {
  return resolutions.findLast(({ seconds }) => period % seconds === 0) as Resolution;
}

/** Whether a bucket that begins then is kept still. */
export const isKept = (begin: number, { keptFor }: Resolution, now: number): boolean => begin + keptFor > now;
