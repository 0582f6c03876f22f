/**
 * What the metric store promises. Times are milliseconds since the epoch, periods and resolutions are seconds. Every call names its
 * account; accounts share nothing. Any server on the same stores sees what another one acknowledged.
 */

export interface Dimension {
  readonly name: string;
  readonly value: string;
}

/** A metric: its namespace, its name and its exact set of dimensions, in whatever order. */
export interface Series {
  readonly namespace: string;
  readonly name: string;
  /** At most 30, no name twice. */
  readonly dimensions: readonly Dimension[];
}

export interface StatisticSet {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
}

/** Values with how often each was seen; without counts, once each. */
export interface CountedValues {
  readonly values: readonly number[];
  readonly counts?: readonly number[] | undefined;
}

/** What was measured at one time. */
export interface Sample extends Series {
  readonly timestamp: number;
  /** One of CloudWatch's units; default `None`. */
  readonly unit?: string | undefined;
  /** Seconds: 1 is kept to the second for three hours; everything is kept to the minute and coarser. */
  readonly resolution: 1 | 60;
  readonly measured: number | StatisticSet | CountedValues;
}

/**
 * How often which values were seen, ascending: each `value` stands for all within {@link relativeError} of it. Plain numbers, so that
 * distributions add up.
 */
export interface Distribution {
  readonly values: readonly number[];
  readonly counts: readonly number[];
}

/** Everything that came of a series in one period. */
export interface Bucket extends StatisticSet {
  /** The begin of the period: a multiple of it since the epoch. */
  readonly time: number;
  /** What all of it was sent with; `None` if that was not the same. */
  readonly unit: string;
  /** Absent when statistic sets came that do not tell it: then there are no percentiles. */
  readonly distribution?: Distribution | undefined;
}

export interface ReadRange {
  /** Inclusive: the period that it lies in is the first one. */
  readonly from: number;
  /** Exclusive: periods that begin before it. */
  readonly to: number;
  /** Seconds: 1, 5, 10, 20, 30 or a multiple of 60. */
  readonly period: number;
  /** Only what was sent with this unit. */
  readonly unit?: string | undefined;
  /** Whether buckets need their distributions: without them a read takes a third of the time. Default true. */
  readonly distributions?: boolean | undefined;
}

export interface SeriesFilter {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  /** Dimensions that a series must have, of this value or of any; it may have others. */
  readonly dimensions?: readonly { readonly name: string; readonly value?: string | undefined }[] | undefined;
  /** Series that reported at this time or later, give or take half an hour. */
  readonly since?: number | undefined;
  /** `next` of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface SeriesPage {
  readonly series: readonly Series[];
  /** Where to go on; absent on the last page. A page may be empty and have one. */
  readonly next?: string | undefined;
}

export interface MetricStore {
  /**
   * Takes samples in. When it resolves they are durable and readable on every server; all of them, or none when it throws (an unknown
   * outcome of the record store aside: then all or none). A sample may be late: it counts in its period as long as that is kept. Which
   * times are too old or too new is the caller's to decide.
   * @throws TooManySeries when the account would have more series than it may; nothing was taken
   * @throws MetricsThrottled when more waits to be written than memory is given for; nothing was taken
   * @param once a name of these samples: what was taken under it is not taken again, for 15 days, so that whoever does not know may send it again
   * @throws RangeError for samples out of bounds: values beyond 2^360, counts that are not above 0, names that are too long
   */
  put(account: string, samples: readonly Sample[], once?: string): Promise<void>;
  /**
   * What came of each of the series, in their order: ascending buckets, none for a period in which nothing came, or that is finer than
   * what is kept of its time (a second for 3 hours, a minute for 15 days, 5 minutes for 63 days, an hour for 455 days).
   * @throws MetricsDamaged
   */
  read(account: string, series: readonly Series[], range: ReadRange): Promise<readonly (readonly Bucket[])[]>;
  /** Series that have reported, in an order that stays. */
  list(account: string, filter: SeriesFilter): Promise<SeriesPage>;
}

/** How far a value of a distribution may be from what was seen, as a part of it. */
export const relativeError = 0.01;

/** Values may be so far from 0 (CloudWatch, PutMetricData). */
export const mostValue = 2 ** 360;

/** The account has as many series as it may; those that it has take samples as before. */
export class TooManySeries extends Error {
  override readonly name = 'TooManySeries';
}

/** Nothing was taken; the same call may succeed after `retryAfter` milliseconds. */
export class MetricsThrottled extends Error {
  override readonly name = 'MetricsThrottled';
  readonly retryAfter: number;
  constructor(message: string, retryAfter: number) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

/** Stored bytes are not what was stored. `slipway storage audit` names everything that is damaged. */
export class MetricsDamaged extends Error {
  override readonly name = 'MetricsDamaged';
}
