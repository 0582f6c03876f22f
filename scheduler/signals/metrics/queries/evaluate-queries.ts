import { evaluate, MathError, resultOf, scalar, type TimeSeries, usesOf, type Value, Work } from '../math/index.ts';
import { basicStatistics, type Bucket, type MetricStore } from '../store/index.ts';

import { type CheckedExpression, type CheckedMetric, type CheckedQuery, inQuery, QueryError } from './check.ts';
import { labelOf, type Properties } from './labels.ts';

/** Points that the metrics of one request may have, and that its expressions may work out; series that it may answer. */
const mostPoints = 1_000_000;
const mostWork = 5_000_000;
const mostResults = 1000;

export interface QueryRange {
  /** Milliseconds; the second one exclusive. */
  readonly from: number;
  readonly to: number;
  /** Nothing is filled in for what comes later. */
  readonly now: number;
}
/** What came of a query, which is several series if its expression is. */
export interface QueryResult {
  readonly id: string;
  readonly label: string;
  /** Ascending times in milliseconds, one value each. */
  readonly points: ReadonlyMap<number, number>;
}

/**
 * Reads metrics and works out expressions of them. Those that are not returned are left out of the answer.
 * @throws QueryError, and what the store throws
 */
export async function evaluateQueries(
  store: Pick<MetricStore, 'read'>,
  account: string,
  queries: readonly CheckedQuery[],
  range: QueryRange,
): Promise<readonly QueryResult[]> {
  const metrics = queries.filter((query) => 'series' in query);
  const points = metrics.reduce((sum, { period }) => sum + Math.ceil((range.to - range.from) / (1000 * period)), 0);
  if (points > mostPoints)
    throw new QueryError(
      'value',
      `The queries ask for up to ${points} datapoints, which exceeds ${mostPoints}. Increase Period, decrease the time range, or ask for fewer metrics.`,
    );
  const read = await readAll(store, account, metrics, range);
  const values = valuesOf(queries, read, range);
  const usual = usualLabels(metrics);
  let results = 0;
  return queries.flatMap((query): QueryResult[] => {
    if (!query.returned) return [];
    try {
      const series = resultOf(values(query.id));
      results += series.length;
      if (results > mostResults)
        throw new QueryError('value', `The queries return more than ${mostResults} time series. Return fewer of them.`);
      return series.map((one) => {
        const named = usual.get(query.id) ?? query.id;
        const label = series.length > 1 && one.label !== '' ? one.label : named;
        const text = query.label === undefined ? label : labelOf(query.label, label, one, propertiesOf(query));
        return { id: query.id, label: text, points: one.points };
      });
    } catch (error) {
      throw inQuery(query.id, error);
    }
  });
}

/**
 * What each query comes to that is returned, or that one of those needs. Expressions are worked out one after the other, each behind those
 * that it names: however many name each other, the stack is as deep as one of them.
 * @throws QueryError
 */
function valuesOf(
  queries: readonly CheckedQuery[],
  read: ReadonlyMap<string, TimeSeries>,
  { from, to, now }: QueryRange,
): (id: string) => Value {
  const metrics = queries.flatMap(({ id }) => {
    const series = read.get(id);
    return series === undefined ? [] : [{ id, series }];
  });
  const period = Math.min(...metrics.map(({ series }) => series.period));
  const work = new Work(mostWork);
  const known = new Map<string, Value>(read);
  for (const query of needed(queries)) {
    const around = {
      valueOf: (id: string) => known.get(id),
      metrics: () => metrics,
      from,
      to: Math.min(to, now),
      period: query.period ?? (Number.isFinite(period) ? period : 60),
      work,
    };
    try {
      known.set(query.id, evaluate(query.expression, around));
    } catch (error) {
      throw inQuery(query.id, error);
    }
  }
  return (id) => known.get(id) ?? scalar(Number.NaN);
}

/**
 * The expressions that are to be worked out, each behind those that it names.
 * @throws QueryError for one that needs its own result, directly or through others
 */
function needed(queries: readonly CheckedQuery[]): readonly CheckedExpression[] {
  const expressions = new Map(queries.flatMap((query) => ('expression' in query ? [[query.id, query] as const] : [])));
  const uses = new Map(
    Array.from(expressions, ([id, { expression }]) => {
      const ids = [...usesOf(expression).ids].filter((used) => expressions.has(used));
      const use = { ids, left: ids.length };
      return [id, use] as const;
    }),
  );
  const users = new Map<string, string[]>();
  for (const [id, { ids }] of uses) for (const used of ids) users.getOrInsertComputed(used, () => []).push(id);
  const order = Array.from(uses).flatMap(([id, { left }]) => (left === 0 ? [id] : []));
  for (const id of order)
    for (const user of users.get(id) ?? []) {
      const use = uses.get(user);
      if (use !== undefined && --use.left === 0) order.push(user);
    }
  for (const [id, { left }] of uses) if (left > 0) throw inQuery(id, new MathError('it is part of itself'));
  const wanted = new Set(queries.flatMap(({ id, returned }) => (returned ? [id] : [])));
  for (const id of order.toReversed()) if (wanted.has(id)) for (const used of uses.get(id)?.ids ?? []) wanted.add(used);
  return order.flatMap((id) => (wanted.has(id) ? (expressions.get(id) ?? []) : []));
}

/** The series of all metrics, by the ids of their queries. */
async function readAll(
  store: Pick<MetricStore, 'read'>,
  account: string,
  metrics: readonly CheckedMetric[],
  { from, to }: QueryRange,
): Promise<ReadonlyMap<string, TimeSeries>> {
  const found = new Map<string, TimeSeries>();
  const isBasic = ({ stat }: CheckedMetric): boolean => basicStatistics.includes(stat);
  const groups = Map.groupBy(metrics, (metric) => `${metric.period} ${metric.unit ?? ''} ${isBasic(metric)}`);
  for (const group of groups.values()) {
    const [first] = group as [CheckedMetric];
    const { period, unit } = first;
    const series = group.map((metric) => metric.series);
    const buckets = await store.read(account, series, { from, to, period, unit, distributions: !isBasic(first) });
    for (const [index, metric] of group.entries())
      found.set(metric.id, seriesOf(metric, buckets[index] as readonly Bucket[]));
  }
  return found;
}

function seriesOf({ series, period, statistic }: CheckedMetric, buckets: readonly Bucket[]): TimeSeries {
  const points = new Map<number, number>();
  for (const bucket of buckets) {
    const value = statistic(bucket);
    if (value !== undefined) points.set(bucket.time, value);
  }
  const label = [...series.dimensions.map(({ value }) => value), series.name].join(' ');
  return { kind: 'series', label, period, points };
}

/** The name of each metric, with the values of its dimensions where several have the same name. */
function usualLabels(metrics: readonly CheckedMetric[]): ReadonlyMap<string, string> {
  const named = Map.groupBy(metrics, ({ series }) => series.name);
  return new Map(
    metrics.map(({ id, series }) => {
      const alone = named.get(series.name)?.length === 1;
      return [id, alone ? series.name : [...series.dimensions.map(({ value }) => value), series.name].join(' ')];
    }),
  );
}

function propertiesOf(query: CheckedQuery): Properties {
  if (!('series' in query)) return {};
  const { series, stat, period } = query;
  return {
    MetricName: series.name,
    Namespace: series.namespace,
    Stat: stat,
    Period: String(period),
    ...Object.fromEntries(series.dimensions.map(({ name, value }) => [`Dim.${name}`, value])),
  };
}
