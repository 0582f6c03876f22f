import { AwsError } from '@slipway/auth/contract';

import { type MathQuery, readQueries } from '../../signals/alarms/index.ts';
import { QueryError } from '../../signals/metrics/index.ts';
import { invalid, type TrackedMath, type TrackedMetric } from '../targets/index.ts';
import { flag, list, type Of, required, struct, text } from './shapes.ts';

const dimensions = (name: string) => list(struct(name, { Name: required(text), Value: required(text) }));

/** A metric of one's own that a policy holds at a value: one, or what math makes of several. */
export const customizedSpecification = struct('CustomizedMetricSpecification', {
  MetricName: text,
  Namespace: text,
  Dimensions: dimensions('MetricDimension'),
  Statistic: text,
  Unit: text,
  Metrics: list(
    struct('TargetTrackingMetricDataQuery', {
      Id: required(text),
      Expression: text,
      Label: text,
      MetricStat: struct('TargetTrackingMetricStat', {
        Metric: required(
          struct('TargetTrackingMetric', {
            Dimensions: dimensions('TargetTrackingMetricDimension'),
            MetricName: text,
            Namespace: text,
          }),
        ),
        Stat: required(text),
        Unit: text,
      }),
      ReturnData: flag,
    }),
  ),
});
type Given = Of<typeof customizedSpecification>;

/** Seconds: alarms of target tracking have periods of a minute. */
const period = 60;

/** @throws ValidationException */
export function customizedMetric(given: Given, account: string): TrackedMetric | TrackedMath {
  const { MetricName, Namespace, Statistic, Dimensions = [], Unit, Metrics } = given;
  if (Metrics !== undefined) {
    const both = (['MetricName', 'Namespace', 'Dimensions', 'Statistic', 'Unit'] as const).find(
      (member) => given[member] !== undefined,
    );
    if (both !== undefined) throw invalid(`${both} cannot be specified together with Metrics.`);
    return mathOf(Metrics, account);
  }
  if (MetricName === undefined || Namespace === undefined || Statistic === undefined)
    throw invalid('A CustomizedMetricSpecification must have MetricName, Namespace and Statistic, or Metrics.');
  if (new Set(Dimensions.map(({ Name }) => Name)).size < Dimensions.length)
    throw invalid('Dimensions name the same one twice.');
  return {
    namespace: Namespace,
    metric: MetricName,
    dimensions: Dimensions.map(({ Name, Value }) => ({ name: Name, value: Value })),
    statistic: Statistic,
    ...(Unit === undefined ? {} : { unit: Unit }),
  };
}

/** As alarms read queries, in the words of Application Auto Scaling. */
function mathOf(given: NonNullable<Given['Metrics']>, account: string): TrackedMath {
  const queries = given.map(({ MetricStat: stat, Expression, ...query }) => ({
    ...query,
    ...(Expression === undefined ? {} : { Expression, Period: period }),
    ...(stat === undefined ? {} : { MetricStat: { ...stat, Period: period } }),
  }));
  try {
    const { source } = readQueries(queries as Parameters<typeof readQueries>[0], account);
    if (source.kind === 'math') return { queries: source.queries };
  } catch (error) {
    if (error instanceof AwsError || error instanceof QueryError)
      throw invalid(`CustomizedMetricSpecification.Metrics: ${error.message}`);
    throw error;
  }
  throw new Error('queries are read as something else');
}

/** As it was asked for. */
export function customizedView(of: TrackedMetric | TrackedMath): Given {
  if ('queries' in of) return { Metrics: of.queries.map(queryView) };
  return {
    MetricName: of.metric,
    Namespace: of.namespace,
    Dimensions: of.dimensions.map(({ name, value }) => ({ Name: name, Value: value })),
    Statistic: of.statistic,
    ...(of.unit === undefined ? {} : { Unit: of.unit }),
  };
}

function queryView({ id, label, returnData, expression, metric }: MathQuery): NonNullable<Given['Metrics']>[number] {
  return {
    Id: id,
    ...(label === undefined ? {} : { Label: label }),
    ReturnData: returnData,
    ...(expression === undefined ? {} : { Expression: expression }),
    ...(metric === undefined
      ? {}
      : {
          MetricStat: {
            Metric: {
              Namespace: metric.namespace,
              MetricName: metric.metric,
              Dimensions: metric.dimensions.map(({ name, value }) => ({ Name: name, Value: value })),
            },
            Stat: metric.statistic,
            ...(metric.unit === undefined ? {} : { Unit: metric.unit }),
          },
        }),
  };
}
