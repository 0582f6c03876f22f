import { basicStatistics, checkQueries, combination, invalid, missing, statisticOf } from '../../metrics/index.ts';
import type { AlarmSubject, MathQuery, MetricSource } from '../store/index.ts';
import type { MetricDataQuery } from './shapes.ts';

/** Seconds that evaluated periods may span together: a day, with periods of at least an hour seven (API reference). */
export const day = 86_400;

export interface Sourced {
  readonly source: Extract<AlarmSubject, { readonly kind: 'metric' }>['source'];
  readonly period: number;
}

/** One metric, as a request names it. @throws InvalidParameterValue */
export function metric(
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

/**
 * Queries of which exactly one returns data, all of one period.
 * @throws InvalidParameterValue, InvalidParameterCombination, MissingParameter with the query that is wrong
 */
export function readQueries(queries: readonly MetricDataQuery[], account: string): Sourced {
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

/** @throws InvalidParameterValue for seconds that no alarm can have */
export function checkPeriod(period: number): void {
  if ([10, 20, 30].includes(period) || (period >= 60 && period <= day && period % 60 === 0)) return;
  throw invalid(`Period must be 10, 20, 30 or a multiple of 60 up to ${day}, not ${period}.`);
}
