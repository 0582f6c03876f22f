import type { AlarmPoint } from '../evaluation/index.ts';
import type { MathSource, MetricSource } from '../store/records.ts';

/** What one evaluation looks at. */
export interface AskedPoints {
  readonly source: MetricSource | MathSource;
  /** Milliseconds since the epoch; the end is not included. */
  readonly start: number;
  readonly end: number;
  /** Seconds. */
  readonly period: number;
}

/** Reads stored datapoints. */
export interface PointReader {
  /** Whether the periods of a source may begin at any step of an alarm's pace; else they begin at multiples of the period. */
  readonly slides: (source: MetricSource | MathSource) => boolean;
  /**
   * The datapoints of each, oldest first.
   * @throws what the stores throw; one that cannot be read for good is undefined
   */
  readonly read: (
    account: string,
    asked: readonly AskedPoints[],
  ) => Promise<readonly (readonly AlarmPoint[] | undefined)[]>;
}
