import { basicStatistics } from '../../metrics/index.ts';
import type { AlarmRecord, AlarmSubject, MathQuery } from '../store/index.ts';
import { arnIn, type Scene } from './operation.ts';
import type { compositeAlarm, metricAlarm, MetricDataQuery, Of } from './shapes.ts';

type Place = Pick<Scene, 'account' | 'region'>;

const common = (place: Place, alarm: AlarmRecord) => ({
  AlarmName: alarm.name,
  AlarmArn: arnIn(place, alarm.name),
  ...(alarm.description === undefined ? {} : { AlarmDescription: alarm.description }),
  AlarmConfigurationUpdatedTimestamp: new Date(alarm.configuredAt),
  ActionsEnabled: alarm.actionsEnabled,
  OKActions: [...alarm.actions.OK],
  AlarmActions: [...alarm.actions.ALARM],
  InsufficientDataActions: [...alarm.actions.INSUFFICIENT_DATA],
  StateValue: alarm.state,
  StateReason: alarm.reason.slice(0, 1023),
  ...(alarm.reasonData === undefined ? {} : { StateReasonData: alarm.reasonData.slice(0, 4000) }),
  StateUpdatedTimestamp: new Date(alarm.updatedAt),
  StateTransitionedTimestamp: new Date(alarm.changedAt),
});

/** A composite alarm as DescribeAlarms gives it back. */
export const compositeView = (place: Place, alarm: AlarmRecord, rule: string): Of<typeof compositeAlarm> => ({
  ...common(place, alarm),
  AlarmRule: rule,
});

/** A metric alarm, the same. */
export function metricView(
  place: Place,
  alarm: AlarmRecord,
  { source, rule }: Extract<AlarmSubject, { readonly kind: 'metric' }>,
): Of<typeof metricAlarm> {
  return {
    ...common(place, alarm),
    ...(source.kind === 'math'
      ? { Metrics: source.queries.map(queryView) }
      : {
          MetricName: source.metric,
          Namespace: source.namespace,
          [basicStatistics.includes(source.statistic) ? 'Statistic' : 'ExtendedStatistic']: source.statistic,
          Dimensions: wireDimensions(source.dimensions),
          Period: rule.period,
          ...(source.unit === undefined ? {} : { Unit: source.unit }),
        }),
    EvaluationPeriods: rule.evaluationPeriods,
    // Only what was asked for: programs compare it with what they sent.
    ...(rule.datapointsToAlarm === rule.evaluationPeriods ? {} : { DatapointsToAlarm: rule.datapointsToAlarm }),
    Threshold: rule.threshold,
    ComparisonOperator: rule.comparison,
    TreatMissingData: rule.treatMissingData,
  };
}

const wireDimensions = (dimensions: readonly { readonly name: string; readonly value: string }[]) =>
  dimensions.map(({ name, value }) => ({ Name: name, Value: value }));

const queryView = ({ id, label, returnData, expression, period, metric }: MathQuery): MetricDataQuery => ({
  Id: id,
  ...(label === undefined ? {} : { Label: label }),
  ...(expression === undefined ? {} : { Expression: expression }),
  ...(period === undefined ? {} : { Period: period }),
  ...(metric === undefined
    ? {}
    : {
        MetricStat: {
          Metric: {
            Namespace: metric.namespace,
            MetricName: metric.metric,
            Dimensions: wireDimensions(metric.dimensions),
          },
          Period: metric.period,
          Stat: metric.statistic,
          ...(metric.unit === undefined ? {} : { Unit: metric.unit }),
        },
      }),
  ReturnData: returnData,
});
