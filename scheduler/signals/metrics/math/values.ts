import { MathError } from './errors.ts';

/** Points of a metric or of what was worked out: ascending times (milliseconds), one value each, a period in seconds. */
export interface TimeSeries {
  readonly kind: 'series';
  /** What it is called when it is one of several. */
  readonly label: string;
  readonly period: number;
  readonly points: ReadonlyMap<number, number>;
}
export interface Scalar {
  readonly kind: 'scalar';
  readonly value: number;
}
export interface SeriesList {
  readonly kind: 'list';
  readonly items: readonly TimeSeries[];
}
/** A text or a word that a function takes. */
export interface Word {
  readonly kind: 'word';
  readonly text: string;
}
export type Value = TimeSeries | Scalar | SeriesList | Word;

export const scalar = (value: number): Scalar => ({ kind: 'scalar', value });
export const listOf = (items: readonly TimeSeries[]): SeriesList => ({ kind: 'list', items });

/** What values are called in errors. */
export const called: Readonly<Record<Value['kind'], string>> = {
  series: 'a time series',
  scalar: 'a number',
  list: 'several time series',
  word: 'a word',
};

/** Time series in one list: each is a few bytes in the text of an expression, and lists of lists would be of any length. */
export const mostSeries = 1000;

/** Points, and series, that the expressions of one request may work out together: a bound on time. */
export class Work {
  #left: number;
  constructor(points: number) {
    this.#left = points;
  }

  /** @throws MathError */
  spend(points: number): void {
    this.#left -= points;
    if (this.#left < 0)
      throw new MathError('the expressions take too much work; ask for less time, longer periods or fewer metrics');
  }
}

/** A series with other points; those that are no finite number are left out. */
export function withPoints(series: TimeSeries, points: Iterable<readonly [time: number, value: number]>): TimeSeries {
  const kept = new Map<number, number>();
  for (const [time, value] of points) if (Number.isFinite(value)) kept.set(time, value);
  return { ...series, points: kept };
}

/** Each value of a number, a series or a list through a function. */
export function mapped(value: Value, at: number, work: Work, of: (value: number, time: number) => number): Value {
  if (value.kind === 'word') throw new MathError('a number or time series is needed, not a word', at);
  if (value.kind === 'scalar') return scalar(of(value.value, 0));
  return eachSeries(value, (series) => {
    work.spend(1 + series.points.size);
    return withPoints(
      series,
      Iterator.from(series.points).map(([time, point]) => [time, of(point, time)] as const),
    );
  });
}

/** A series, or each of a list, through a function. */
export const eachSeries = (value: TimeSeries | SeriesList, of: (series: TimeSeries) => TimeSeries): Value =>
  value.kind === 'series' ? of(value) : listOf(value.items.map(of));

/** Joins two values point by point: a time at which one of two series has no point has none. */
export function joined(
  left: Value,
  right: Value,
  at: number,
  work: Work,
  of: (one: number, other: number) => number,
): Value {
  if (left.kind === 'word' || right.kind === 'word')
    throw new MathError('a number or time series is needed, not a word', at);
  if (left.kind === 'scalar') return mapped(right, at, work, (value) => of(left.value, value));
  if (right.kind === 'scalar') return mapped(left, at, work, (value) => of(value, right.value));
  if (left.kind === 'list' && right.kind === 'list')
    throw new MathError('several time series cannot be joined with several others', at);
  const pair = (one: TimeSeries, other: TimeSeries, base: TimeSeries): TimeSeries => {
    work.spend(1 + one.points.size);
    const points: (readonly [number, number])[] = [];
    for (const [time, value] of one.points) {
      const beside = other.points.get(time);
      if (beside !== undefined) points.push([time, of(value, beside)]);
    }
    return withPoints({ ...base, period: Math.max(one.period, other.period) }, points);
  };
  if (left.kind === 'list') return listOf(left.items.map((item) => pair(item, right as TimeSeries, item)));
  if (right.kind === 'list') return listOf(right.items.map((item) => pair(left, item, item)));
  return pair(left, right, left);
}
