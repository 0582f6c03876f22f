import { requestTags, type Tags } from '@slipway/auth/kit';

import { combination, invalid, missing } from '../../metrics/index.ts';
import {
  type AlarmRule,
  type Comparison,
  comparisons,
  missingTreatments,
  type MissingTreatment,
} from '../evaluation/index.ts';
import type { AlarmSubject } from '../store/index.ts';
import { actionsOf } from './actions.ts';
import { type AlarmOperations, mayOn, operation } from './operation.ts';
import { checkPeriod, day, metric, readQueries, type Sourced } from './queries.ts';
import {
  common,
  type MetricDataQuery,
  metricMembers,
  nothing,
  number,
  type Of,
  refused,
  required,
  struct,
  tagList,
  text,
} from './shapes.ts';
import { alarmTags } from './tags.ts';

const fixed = 'Nothing here learns what is usual. Compare with a Threshold.';
const input = struct('PutMetricAlarmInput', {
  AlarmName: required(text),
  ...common,
  ...metricMembers,
  EvaluateLowSampleCountPercentile: text,
  Tags: tagList,
  ThresholdMetricId: refused(text, fixed),
  EvaluationCriteria: refused(
    struct('EvaluationCriteria', {}),
    'Alarms look at metrics: name one with MetricName or Metrics.',
  ),
  EvaluationInterval: refused(number, 'Alarms are evaluated each minute, those of a shorter Period each ten seconds.'),
});
type Input = Of<typeof input>;

export const putMetricOperations: AlarmOperations = {
  PutMetricAlarm: operation({
    input,
    output: nothing,
    access: mayOn(
      'PutMetricAlarm',
      ({ AlarmName }) => [AlarmName],
      ({ Tags: given }) => requestTags(tagsOf(given)),
    ),
    handle: async (given, scene) => {
      checkName(given.AlarmName);
      const tags = alarmTags.parse(given.Tags);
      const { AlarmDescription: description } = given;
      await scene.api.alarms.put(
        scene.account,
        {
          name: given.AlarmName,
          ...(description === undefined ? {} : { description }),
          actionsEnabled: given.ActionsEnabled ?? true,
          actions: actionsOf(given, scene),
          subject: subjectOf(given, scene.account),
        },
        tags,
      );
      return {};
    },
  }),
};

export const tagsOf = (given: readonly { readonly Key: string; readonly Value: string }[] | undefined): Tags =>
  Object.fromEntries((given ?? []).map(({ Key, Value }) => [Key, Value]));

/** Names are in the keys of records. */
const longestName = 900;

export function checkName(name: string): void {
  // oxlint-disable-next-line no-control-regex -- these are the characters that are refused
  if (/[\u0000-\u001f\u007f]/.test(name)) throw invalid('AlarmName has control characters.');
  if (Buffer.byteLength(name) > longestName) throw invalid(`AlarmName is longer than ${longestName} bytes.`);
}

function subjectOf(given: Input, account: string): AlarmSubject {
  const { EvaluationPeriods, Threshold, TreatMissingData = 'missing' } = given;
  if (EvaluationPeriods === undefined) throw missing('The parameter EvaluationPeriods is required.');
  const { DatapointsToAlarm = EvaluationPeriods } = given;
  const comparison = comparisonOf(given.ComparisonOperator);
  if (Threshold === undefined) throw missing('The parameter Threshold is required.');
  if (!Number.isFinite(Threshold)) throw invalid('Threshold is no number.');
  if (DatapointsToAlarm > EvaluationPeriods)
    throw invalid('DatapointsToAlarm must be less than or equal to EvaluationPeriods.');
  if (!missingTreatments.includes(TreatMissingData as MissingTreatment))
    throw invalid(`TreatMissingData '${TreatMissingData}' is none of ${missingTreatments.join(', ')}.`);
  if (given.EvaluateLowSampleCountPercentile === 'ignore')
    throw invalid(
      'EvaluateLowSampleCountPercentile ignore is not supported by this installation. Percentiles are evaluated however few samples there are: leave it out.',
    );
  const { source, period } = given.Metrics === undefined ? metricOf(given) : queriesOf(given, given.Metrics, account);
  checkPeriod(period);
  const span = period * EvaluationPeriods;
  if (span > (period >= 3600 ? 7 * day : day))
    throw combination(
      `Period times EvaluationPeriods is ${span} seconds: it may be ${day}, or ${7 * day} with a Period of at least 3600.`,
    );
  const rule: AlarmRule = {
    comparison,
    threshold: Threshold,
    period,
    evaluationPeriods: EvaluationPeriods,
    datapointsToAlarm: DatapointsToAlarm,
    treatMissingData: TreatMissingData as MissingTreatment,
  };
  return { kind: 'metric', source, rule };
}

function comparisonOf(operator: string | undefined): Comparison {
  if (operator === undefined) throw missing('The parameter ComparisonOperator is required.');
  if (comparisons.includes(operator as Comparison)) return operator as Comparison;
  throw invalid(
    `ComparisonOperator ${operator} is for anomaly detection, which is not supported by this installation. ${fixed}`,
  );
}

function metricOf({
  MetricName,
  Namespace,
  Statistic,
  ExtendedStatistic,
  Dimensions = [],
  Period,
  Unit,
}: Input): Sourced {
  if (MetricName === undefined || Namespace === undefined)
    throw missing('Either MetricName with Namespace, or Metrics must be specified.');
  if (Period === undefined) throw missing('The parameter Period is required.');
  if ((Statistic === undefined) === (ExtendedStatistic === undefined))
    throw combination('Exactly one of Statistic and ExtendedStatistic must be specified.');
  return {
    source: {
      kind: 'metric',
      ...metric(Namespace, MetricName, Dimensions, Statistic ?? ExtendedStatistic ?? '', Unit),
    },
    period: Period,
  };
}

function queriesOf(given: Input, queries: readonly MetricDataQuery[], account: string): Sourced {
  const both = (
    ['MetricName', 'Namespace', 'Statistic', 'ExtendedStatistic', 'Dimensions', 'Period', 'Unit'] as const
  ).find((member) => given[member] !== undefined);
  if (both !== undefined) throw combination(`${both} cannot be specified together with Metrics.`);
  return readQueries(queries, account);
}
