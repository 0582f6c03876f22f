/** The three states of an alarm, as CloudWatch has them. */
export const alarmStates = ['OK', 'ALARM', 'INSUFFICIENT_DATA'] as const;
export type AlarmState = (typeof alarmStates)[number];

/** What stands in for datapoints that are missing (CloudWatch: `TreatMissingData`). */
export const missingTreatments = ['missing', 'ignore', 'breaching', 'notBreaching'] as const;
export type MissingTreatment = (typeof missingTreatments)[number];

/** When a datapoint is breaching. */
export const comparisons = [
  'GreaterThanOrEqualToThreshold',
  'GreaterThanThreshold',
  'LessThanThreshold',
  'LessThanOrEqualToThreshold',
] as const;
export type Comparison = (typeof comparisons)[number];

/** Under which circumstances an alarm is in which state. */
export interface AlarmRule {
  readonly comparison: Comparison;
  readonly threshold: number;
  /** Seconds that one datapoint is about: 10, 20, 30 or a multiple of 60. */
  readonly period: number;
  /** N: so many of the newest datapoints decide. */
  readonly evaluationPeriods: number;
  /** M: so many of them must be breaching; at most N. */
  readonly datapointsToAlarm: number;
  readonly treatMissingData: MissingTreatment;
}

/** One datapoint that is there. */
export interface AlarmPoint {
  /** Where its period begins; milliseconds since the epoch. */
  readonly at: number;
  readonly value: number;
}
