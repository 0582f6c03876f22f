/** How long data of a resolution is kept, finest first (CloudWatch, "Metrics retention"). Seconds, and milliseconds. */
export interface Resolution {
  readonly seconds: number;
  readonly keptFor: number;
}

const hour = 3_600_000;
const day = 24 * hour;

export const resolutions: readonly Resolution[] = [
  { seconds: 1, keptFor: 3 * hour },
  { seconds: 60, keptFor: 15 * day },
  { seconds: 300, keptFor: 63 * day },
  { seconds: 3600, keptFor: 455 * day },
];

/** The begin of the period that a time lies in. @param seconds of the period */
export function periodOf(time: number, seconds: number): number {
  const length = seconds * 1000;
  return Math.floor(time / length) * length;
}

/** The resolutions that a period can be made up of, coarsest first. */
export const resolutionsFor = (period: number): readonly Resolution[] =>
  resolutions.filter(({ seconds }) => period % seconds === 0).toReversed();
