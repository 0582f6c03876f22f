/** Shapes that operations on alarms have in common. */
import { cloudWatchShapes } from '../../metrics/index.ts';

export const {
  text,
  number,
  flag,
  time,
  list,
  struct,
  nothing,
  texts,
  dimensions,
  metricDataQuery,
  tagList,
  required,
  refused,
} = cloudWatchShapes;
export type Of<S> = cloudWatchShapes.Of<S>;
export type MetricDataQuery = cloudWatchShapes.MetricDataQuery;

/** What every alarm has. */
export const common = {
  AlarmDescription: text,
  ActionsEnabled: flag,
  OKActions: texts,
  AlarmActions: texts,
  InsufficientDataActions: texts,
} as const;

const standing = {
  AlarmName: text,
  AlarmArn: text,
  AlarmConfigurationUpdatedTimestamp: time,
  StateValue: text,
  StateReason: text,
  StateReasonData: text,
  StateUpdatedTimestamp: time,
  StateTransitionedTimestamp: time,
} as const;

export const metricMembers = {
  MetricName: text,
  Namespace: text,
  Statistic: text,
  ExtendedStatistic: text,
  Dimensions: dimensions,
  Period: number,
  Unit: text,
  EvaluationPeriods: number,
  DatapointsToAlarm: number,
  Threshold: number,
  ComparisonOperator: text,
  TreatMissingData: text,
  Metrics: list(metricDataQuery),
} as const;

export const metricAlarm = struct('MetricAlarm', {
  ...standing,
  ...common,
  ...metricMembers,
  EvaluateLowSampleCountPercentile: text,
});
export const metricAlarms = list(metricAlarm);
export const compositeAlarm = struct('CompositeAlarm', { ...standing, ...common, AlarmRule: text });
export const compositeAlarms = list(compositeAlarm);
