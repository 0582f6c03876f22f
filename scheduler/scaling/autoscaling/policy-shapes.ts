import { flag, list, number, refused, required, struct, text } from './shapes.ts';

const math =
  'Put an alarm over the expression (put-metric-alarm), and a step scaling policy that it names as its action.';
const noForecast = 'Groups are not forecast: scheduled actions scale one before a load that is known.';

const customized = struct('CustomizedMetricSpecification', {
  MetricName: text,
  Namespace: text,
  Dimensions: list(struct('MetricDimension', { Name: required(text), Value: required(text) })),
  Statistic: text,
  Unit: text,
  Period: number,
  Metrics: refused(list(struct('TargetTrackingMetricDataQuery', { Id: required(text) })), math),
});

export const tracking = struct('TargetTrackingConfiguration', {
  PredefinedMetricSpecification: struct('PredefinedMetricSpecification', {
    PredefinedMetricType: required(text),
    ResourceLabel: text,
  }),
  CustomizedMetricSpecification: customized,
  TargetValue: required(number),
  DisableScaleIn: flag,
});

/** How a policy is, in requests and answers. */
export const configuration = {
  PolicyType: text,
  AdjustmentType: text,
  MinAdjustmentStep: refused(number, 'It is what MinAdjustmentMagnitude was called once: name that.'),
  MinAdjustmentMagnitude: number,
  ScalingAdjustment: number,
  Cooldown: number,
  MetricAggregationType: text,
  StepAdjustments: list(
    struct('StepAdjustment', {
      MetricIntervalLowerBound: number,
      MetricIntervalUpperBound: number,
      ScalingAdjustment: required(number),
    }),
  ),
  EstimatedInstanceWarmup: number,
  TargetTrackingConfiguration: tracking,
  Enabled: flag,
  PredictiveScalingConfiguration: refused(struct('PredictiveScalingConfiguration', {}), noForecast),
} as const;

export const alarms = list(struct('Alarm', { AlarmName: text, AlarmARN: text }));
