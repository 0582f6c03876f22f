import { zonedTime } from '../evaluation/index.ts';
import type { ActionRecord, AlarmSubject } from '../store/records.ts';

/** Where an alarm is, beside its name. */
export interface AlarmPlace {
  readonly account: string;
  readonly region: string;
}

export const alarmArn = ({ account, region }: AlarmPlace, name: string): string =>
  `arn:aws:cloudwatch:${region}:${account}:alarm:${name}`;

/** What a webhook is told: the message that CloudWatch publishes to an SNS topic. */
export function payloadOf(place: AlarmPlace, { alarmThen: alarm, from, at }: ActionRecord): object {
  return {
    AlarmName: alarm.name,
    AlarmDescription: alarm.description ?? null,
    AWSAccountId: place.account,
    AlarmConfigurationUpdatedTimestamp: zonedTime(alarm.configuredAt),
    NewStateValue: alarm.state,
    NewStateReason: alarm.reason,
    StateChangeTime: zonedTime(at),
    Region: place.region,
    AlarmArn: alarmArn(place, alarm.name),
    OldStateValue: from,
    OKActions: alarm.actions.OK,
    AlarmActions: alarm.actions.ALARM,
    InsufficientDataActions: alarm.actions.INSUFFICIENT_DATA,
    ...subject(alarm.subject),
  };
}

function subject(of: AlarmSubject): object {
  if (of.kind === 'composite') return { AlarmRule: of.rule };
  const { source, rule } = of;
  return {
    Trigger: {
      ...(source.kind === 'metric'
        ? {
            MetricName: source.metric,
            Namespace: source.namespace,
            StatisticType: 'Statistic',
            Statistic: source.statistic.toUpperCase(),
            Unit: source.unit ?? null,
            Dimensions: source.dimensions,
          }
        : {
            Metrics: source.queries.map(({ id, expression, returnData }) => ({
              Id: id,
              ...(expression === undefined ? {} : { Expression: expression }),
              ReturnData: returnData,
            })),
          }),
      Period: rule.period,
      EvaluationPeriods: rule.evaluationPeriods,
      DatapointsToAlarm: rule.datapointsToAlarm,
      ComparisonOperator: rule.comparison,
      Threshold: rule.threshold,
      TreatMissingData: rule.treatMissingData,
    },
  };
}
