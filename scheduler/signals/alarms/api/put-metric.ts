import { requestTags, type Tags } from '@slipway/auth/kit';

import { basicStatistics, checkQueries, combination, invalid, missing, statisticOf } from '../../metrics/index.ts';
import {
  type AlarmRule,
  type Comparison,
  comparisons,
  missingTreatments,
  type MissingTreatment,
} from '../evaluation/index.ts';
import type { AlarmSubject, MathQuery, MetricSource } from '../store/index.ts';
import { actionsOf } from './actions.ts';
import { type AlarmOperations, mayOn, operation } from './operation.ts';
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

/** Seconds that evaluated periods may span together: a day, with periods of at least an hour seven (API reference). */
const day = 86_400;

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

interface Sourced {
  readonly source: Extract<AlarmSubject, { readonly kind: 'metric' }>['source'];
  readonly period: number;
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

function metric(
  namespace: string,
  name: string,
  dimensions: readonly { readonly Name: string; readonly Value: string }[],
  statistic: string,
  unit: string | undefined,
): Omit<MetricSource, 'kind'> {
  if (statisticOf(statistic) === undefined)
    throw invalid(
      `The statistic '${statistic}' is not known. Use one of ${basicStatistics.join(', ')}, or a percentile as p99.`,
    );
  if (new Set(dimensions.map(({ Name }) => Name)).size < dimensions.length)
    throw invalid('Dimensions name the same one twice.');
  return {
    namespace,
    metric: name,
    dimensions: dimensions.map(({ Name, Value }) => ({ name: Name, value: Value })),
    statistic,
    ...(unit === undefined ? {} : { unit }),
  };
}

function queriesOf(given: Input, queries: readonly MetricDataQuery[], account: string): Sourced {
  const both = (
    ['MetricName', 'Namespace', 'Statistic', 'ExtendedStatistic', 'Dimensions', 'Period', 'Unit'] as const
  ).find((member) => given[member] !== undefined);
  if (both !== undefined) throw combination(`${both} cannot be specified together with Metrics.`);
  if (queries.length === 0 || queries.length > 20) throw invalid('Metrics has 1 to 20 queries.');
  const returning = queries.filter(({ ReturnData }) => ReturnData ?? true);
  const [one] = returning;
  if (one === undefined || returning.length > 1)
    throw invalid('Exactly one query of Metrics must have ReturnData true.');
  const ids = new Set(queries.map(({ Id }) => Id));
  if (ids.size < queries.length) throw invalid('Two queries of Metrics have the same Id.');
  const read = queries.map((query) => queryOf(query));
  checkQueries(queries, account);
  const periods = new Set(read.flatMap(({ metric: of, period: own }) => of?.period ?? own ?? []));
  const [period = 0] = periods;
  if (periods.size > 1)
    throw invalid(`The queries of Metrics have periods of ${[...periods].join(', ')} seconds: all must have the same.`);
  return { source: { kind: 'math', queries: read }, period };
}

function queryOf({
  Id,
  MetricStat,
  Expression,
  Label,
  ReturnData = true,
  Period,
  AccountId,
}: MetricDataQuery): MathQuery {
  if (!/^[a-z]\w*$/.test(Id)) throw invalid(`The Id '${Id.slice(0, 100)}' does not begin with a small letter.`);
  if ((MetricStat === undefined) === (Expression === undefined))
    throw combination(`The query ${Id} must have exactly one of MetricStat and Expression.`);
  if (AccountId !== undefined)
    throw invalid(`AccountId of the query ${Id} is not supported by this installation. There are no linked accounts.`);
  const common = {
    id: Id,
    ...(Label === undefined ? {} : { label: Label }),
    returnData: ReturnData,
    ...(Period === undefined ? {} : { period: Period }),
  };
  if (Expression !== undefined) return { ...common, expression: Expression };
  const { Metric, Stat, Unit, Period: own } = MetricStat ?? {};
  if (Metric?.Namespace === undefined || Metric.MetricName === undefined || own === undefined || Stat === undefined)
    throw missing(`MetricStat of the query ${Id} needs Metric with Namespace and MetricName, Period and Stat.`);
  checkPeriod(own);
  return {
    ...common,
    metric: { ...metric(Metric.Namespace, Metric.MetricName, Metric.Dimensions ?? [], Stat, Unit), period: own },
  };
}

function checkPeriod(period: number): void {
  if ([10, 20, 30].includes(period) || (period >= 60 && period <= day && period % 60 === 0)) return;
  throw invalid(`Period must be 10, 20, 30 or a multiple of 60 up to ${day}, not ${period}.`);
}
