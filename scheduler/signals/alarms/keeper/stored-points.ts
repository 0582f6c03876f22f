import {
  type Bucket,
  checkQueries,
  type Distribution,
  evaluateQueries,
  type MetricQuery,
  MetricsDamaged,
  type MetricStore,
  QueryError,
  type QueryRange,
  statisticOf,
} from '../../metrics/index.ts';
import { type AlarmPoint, strideOf } from '../evaluation/index.ts';
import type { MathQuery, MathSource, MetricSource } from '../store/records.ts';
import type { AskedPoints, PointReader } from './points.ts';

/** Series that are asked for at once. */
const batch = 500;

/** Of what is asked, the one metric that returns data; undefined where that is an expression. */
export function metricOf(source: MetricSource | MathSource): Omit<MetricSource, 'kind'> | undefined {
  return source.kind === 'metric' ? source : source.queries.find(({ returnData }) => returnData)?.metric;
}

/** Datapoints of alarms from the metric store. */
export class StoredPoints implements PointReader {
  readonly #metrics: MetricStore;

  constructor(metrics: MetricStore) {
    this.#metrics = metrics;
  }

  readonly slides: PointReader['slides'] = (source) => metricOf(source) !== undefined;

  readonly read: PointReader['read'] = async (account, asked) => {
    const answers: (readonly AlarmPoint[] | undefined)[] = asked.map(() => undefined);
    const plans = asked.flatMap((one, place) => {
      const metric = metricOf(one.source);
      return metric === undefined ? [] : [{ ...one, place, metric, step: stepOf(one) }];
    });
    const alike = Map.groupBy(plans, ({ start, end, step, metric }) => `${start} ${end} ${step} ${metric.unit ?? ''}`);
    for (const group of alike.values())
      for (let first = 0; first < group.length; first += batch) {
        const part = group.slice(first, first + batch);
        const found = await this.#buckets(account, part);
        for (const [index, plan] of part.entries()) answers[plan.place] = pointsOf(plan, found[index]);
      }
    for (const [place, { source, start, end }] of asked.entries())
      if (source.kind === 'math' && metricOf(source) === undefined)
        answers[place] = await this.#worked(account, source, { from: start, to: end, now: end });
    return answers;
  };

  /** What an expression comes to; undefined where it cannot be worked out, or is several series. */
  async #worked(
    account: string,
    { queries }: MathSource,
    range: QueryRange,
  ): Promise<readonly AlarmPoint[] | undefined> {
    try {
      const checked = checkQueries(queries.map(asAsked), account);
      const [one, ...others] = await evaluateQueries(this.#metrics, account, checked, range);
      if (one === undefined || others.length > 0) return undefined;
      return Array.from(one.points, ([at, value]) => ({ at, value })).filter(
        ({ at }) => at >= range.from && at < range.to,
      );
    } catch (error) {
      if (error instanceof QueryError || error instanceof MetricsDamaged) return undefined;
      throw error;
    }
  }

  /** Undefined for series that cannot be read for good. */
  async #buckets(account: string, plans: readonly Plan[]): Promise<readonly (readonly Bucket[] | undefined)[]> {
    const [first] = plans;
    if (first === undefined) return [];
    const { start: from, end: to, step: period } = first;
    const { unit } = first.metric;
    const series = plans.map(({ metric }) => ({
      namespace: metric.namespace,
      name: metric.metric,
      dimensions: metric.dimensions,
    }));
    try {
      return await this.#metrics.read(account, series, { from, to, period, ...(unit === undefined ? {} : { unit }) });
    } catch (error) {
      if (!(error instanceof MetricsDamaged)) throw error;
      if (plans.length === 1) return [undefined];
      // One that is damaged keeps none of the others from being evaluated.
      const each = await Promise.all(plans.map((plan) => this.#buckets(account, [plan])));
      return each.flat();
    }
  }
}

const asAsked = ({ id, label, returnData, expression, period, metric }: MathQuery): MetricQuery => ({
  Id: id,
  Label: label,
  ReturnData: returnData,
  Expression: expression,
  Period: period,
  MetricStat: metric && {
    Metric: {
      Namespace: metric.namespace,
      MetricName: metric.metric,
      Dimensions: metric.dimensions.map(({ name, value }) => ({ Name: name, Value: value })),
    },
    Period: metric.period,
    Stat: metric.statistic,
    Unit: metric.unit,
  },
});

interface Plan extends AskedPoints {
  readonly metric: Omit<MetricSource, 'kind'>;
  /** Seconds of what is read: datapoints are put together of it where they do not begin at multiples of their period. */
  readonly step: number;
}

const stepOf = ({ start, period }: AskedPoints): number =>
  (start / 1000) % period === 0 ? period : strideOf({ period }, true);

function pointsOf(
  { start, period, metric }: Plan,
  buckets: readonly Bucket[] | undefined,
): readonly AlarmPoint[] | undefined {
  const statistic = statisticOf(metric.statistic);
  if (buckets === undefined || statistic === undefined) return undefined;
  const length = period * 1000;
  const windows = Map.groupBy(buckets, ({ time }) => start + Math.floor((time - start) / length) * length);
  return [...windows].flatMap(([at, parts]) => {
    const value = statistic(together(at, parts));
    return value === undefined ? [] : [{ at, value }];
  });
}

/** What came in several periods that follow each other, as of one. */
function together(time: number, parts: readonly Bucket[]): Bucket {
  const [first, ...others] = parts;
  if (first === undefined) throw new Error('a window without buckets');
  return others.reduce<Bucket>(
    (sum, one) => ({
      time,
      unit: sum.unit === one.unit ? sum.unit : 'None',
      count: sum.count + one.count,
      sum: sum.sum + one.sum,
      min: Math.min(sum.min, one.min),
      max: Math.max(sum.max, one.max),
      distribution: bothOf(sum.distribution, one.distribution),
    }),
    { ...first, time },
  );
}

function bothOf(one: Distribution | undefined, other: Distribution | undefined): Distribution | undefined {
  if (one === undefined || other === undefined) return undefined;
  const counts = new Map<number, number>();
  for (const { values, counts: seen } of [one, other])
    for (const [index, value] of values.entries()) counts.set(value, (counts.get(value) ?? 0) + (seen[index] ?? 0));
  const values = [...counts.keys()].sort((a, b) => a - b);
  return { values, counts: values.map((value) => counts.get(value) ?? 0) };
}
