import { MathError } from './errors.ts';
import type { Surroundings } from './evaluate.ts';
import {
  called,
  eachSeries,
  joined,
  listOf,
  mapped,
  scalar,
  type SeriesList,
  type TimeSeries,
  type Value,
  withPoints,
  type Work,
} from './values.ts';

/** Where a function is called. */
interface Place {
  readonly around: Surroundings;
  readonly at: number;
}
type Call = (given: readonly Value[], place: Place) => Value;

/** A number of many, in whatever order; never of none. */
type Summary = (values: readonly number[]) => number;
const sum: Summary = (values) => values.reduce((before, value) => before + value, 0);
const average: Summary = (values) => sum(values) / values.length;
const summaries: Readonly<Record<'AVG' | 'MIN' | 'MAX' | 'SUM' | 'STDDEV', Summary>> = {
  AVG: average,
  MIN: (values) => values.reduce((before, value) => Math.min(before, value)),
  MAX: (values) => values.reduce((before, value) => Math.max(before, value)),
  SUM: sum,
  STDDEV: (values) => {
    const mean = average(values);
    return Math.sqrt(average(values.map((value) => (value - mean) ** 2)));
  },
};

/** A number of each series; of several, a series of what they have at each time. */
const summarized =
  (of: Summary): Call =>
  ([value], { around, at }) => {
    const given = value as Value;
    if (given.kind === 'scalar') return given;
    if (given.kind === 'word') throw needsSeries(given, at);
    if (given.kind === 'series') {
      around.work.spend(given.points.size);
      return scalar(given.points.size === 0 ? Number.NaN : of([...given.points.values()]));
    }
    return across(given, around, of);
  };

function across({ items }: SeriesList, { work, period }: Surroundings, of: Summary): TimeSeries {
  const times = new Map<number, number[]>();
  for (const { points } of items) {
    work.spend(1 + points.size);
    for (const [time, value] of points) {
      const values = times.get(time);
      if (values === undefined) times.set(time, [value]);
      else values.push(value);
    }
  }
  const base = { kind: 'series', label: '', period: items[0]?.period ?? period, points: new Map() } as const;
  return withPoints(
    base,
    [...times].sort(([one], [other]) => one - other).map(([time, values]) => [time, of(values)] as const),
  );
}

const pointwise =
  (of: (value: number, time: number) => number): Call =>
  ([value], { around, at }) =>
    mapped(value as Value, at, around.work, of);

/** A part of a time, of each point's. */
const ofTime =
  (of: (time: Date) => number): Call =>
  ([value], { around, at }) =>
    mapped(series(value, at), at, around.work, (_, time) => of(new Date(time)));

/** Each point after the first, from it and the one before. */
const steps =
  (of: (value: number, before: number, seconds: number) => number): Call =>
  ([value], { around, at }) =>
    eachSeries(series(value, at), (one) => {
      around.work.spend(1 + one.points.size);
      let last: readonly [number, number] | undefined;
      const points: (readonly [number, number])[] = [];
      for (const [time, point] of one.points) {
        if (last !== undefined) points.push([time, of(point, last[1], (time - last[0]) / 1000)]);
        last = [time, point];
      }
      return withPoints(one, points);
    });

export const functions: Readonly<Record<string, Call>> = {
  ...Object.fromEntries(Object.entries(summaries).map(([name, of]) => [name, summarized(of)])),
  ABS: pointwise(Math.abs),
  CEIL: pointwise(Math.ceil),
  FLOOR: pointwise(Math.floor),
  LOG: pointwise(Math.log),
  LOG10: pointwise(Math.log10),
  MINUTE: ofTime((time) => time.getUTCMinutes()),
  HOUR: ofTime((time) => time.getUTCHours()),
  // Monday is 1, Sunday 7.
  DAY: ofTime((time) => time.getUTCDay() || 7),
  DATE: ofTime((time) => time.getUTCDate()),
  MONTH: ofTime((time) => time.getUTCMonth() + 1),
  YEAR: ofTime((time) => time.getUTCFullYear()),
  EPOCH: ofTime((time) => time.getTime() / 1000),
  DIFF: steps((value, before) => value - before),
  DIFF_TIME: steps((_value, _before, seconds) => seconds),
  RATE: steps((value, before, seconds) => (value - before) / seconds),
  RUNNING_SUM: ([value], { around, at }) => {
    return eachSeries(series(value, at), (one) => {
      let total = 0;
      return mapped(one, at, around.work, (point) => (total += point)) as TimeSeries;
    });
  },
  DATAPOINT_COUNT: ([value], { around, at }) => {
    const given = series(value, at);
    return given.kind === 'series' ? scalar(given.points.size) : across(given, around, (values) => values.length);
  },
  METRIC_COUNT: ([value], { at }) => scalar(list(value, at).items.length),
  PERIOD: ([value], { at }) => {
    const given = series(value, at);
    if (given.kind === 'list') throw new MathError('PERIOD takes one time series, not several', at);
    return scalar(given.period);
  },
  TIME_SERIES: ([value], { around, at }) => {
    const given = number(value, at);
    const empty: TimeSeries = { kind: 'series', label: '', period: around.period, points: new Map() };
    return withPoints(
      empty,
      grid(around, around.period, at).map((time) => [time, given] as const),
    );
  },
  FIRST: ([value], { at }) => one(list(value, at).items.at(0), at),
  LAST: ([value], { at }) => one(list(value, at).items.at(-1), at),
  REMOVE_EMPTY: ([value], { at }) => listOf(list(value, at).items.filter(({ points }) => points.size > 0)),
  SLICE: ([value, from, to], { at }) => {
    const { items } = list(value, at);
    const begin = number(from, at);
    // One alone, or those up to an end that is not among them.
    return to === undefined ? one(items.at(begin), at) : listOf(items.slice(begin, number(to, at)));
  },
  SORT: ([value, by, order, most], { around, at }) => {
    const of = summaries[word(by, at, ['AVG', 'MIN', 'MAX', 'SUM']) as keyof typeof summaries];
    const sign = word(order, at, ['ASC', 'DESC']) === 'ASC' ? 1 : -1;
    const ranked = list(value, at).items.map((item) => {
      around.work.spend(1 + item.points.size);
      return { item, rank: item.points.size === 0 ? undefined : of([...item.points.values()]) };
    });
    // Those without points come last.
    ranked.sort((left, right) =>
      left.rank === undefined || right.rank === undefined
        ? Number(left.rank === undefined) - Number(right.rank === undefined)
        : sign * (left.rank - right.rank),
    );
    const items = ranked.map(({ item }) => item);
    return listOf(most === undefined ? items : items.slice(0, number(most, at)));
  },
  METRICS: ([part], { around, at }) => {
    const text = part === undefined ? '' : word(part, at);
    around.work.spend(around.metrics().length);
    return listOf(around.metrics().flatMap(({ id, series: found }) => (id.includes(text) ? [found] : [])));
  },
  IF: ([condition, then, otherwise], { around, at }) => {
    const asked = condition as Value;
    if (asked.kind === 'list') throw new MathError('IF decides by one time series or a number, not by several', at);
    if (asked.kind === 'word') throw needsSeries(asked, at);
    if (asked.kind === 'scalar') {
      const chosen = asked.value === 0 ? otherwise : then;
      return chosen ?? { kind: 'series', label: '', period: around.period, points: new Map() };
    }
    return chosenBy(asked, then as Value, otherwise, around.work, at);
  },
  FILL: ([value, how], { around, at }) => {
    return eachSeries(series(value, at), (one) => filled(one, how as Value, around, at));
  },
};

/** At each time of a condition, what the one or the other value has then. */
function chosenBy(asked: TimeSeries, then: Value, otherwise: Value | undefined, work: Work, at: number): Value {
  const part = (from: Value | undefined, wanted: boolean): Value | undefined => {
    if (from === undefined) return undefined;
    const condition = withPoints(
      asked,
      Iterator.from(asked.points).filter(([, value]) => (value !== 0) === wanted),
    );
    return joined(condition, from, at, work, (_, value) => value);
  };
  const [yes, no] = [part(then, true) as Value, part(otherwise, false)];
  if (no === undefined) return yes;
  if (yes.kind === 'list' || no.kind === 'list')
    throw new MathError('IF chooses between numbers and single time series', at);
  const points = [...(yes as TimeSeries).points, ...(no as TimeSeries).points];
  return withPoints(
    asked,
    points.sort(([one], [other]) => one - other),
  );
}

/** A series with points where it had none. */
function filled(given: TimeSeries, how: Value, around: Surroundings, at: number): TimeSeries {
  const times = grid(around, given.period, at);
  const { points } = given;
  if (how.kind === 'list') throw new MathError('FILL fills with a number, a time series, REPEAT or LINEAR', at);
  if (how.kind !== 'word') {
    const beside = how.kind === 'scalar' ? () => how.value : (time: number) => how.points.get(time) ?? Number.NaN;
    return withPoints(
      given,
      times.map((time) => [time, points.get(time) ?? beside(time)] as const),
    );
  }
  const isLinear = word(how, at, ['REPEAT', 'LINEAR']) === 'LINEAR';
  const known = [...points.keys()];
  let next = 0;
  return withPoints(
    given,
    times.map((time) => {
      while (next < known.length && (known[next] as number) <= time) next++;
      const before = known[next - 1];
      if (before === undefined) return [time, Number.NaN] as const;
      const last = points.get(before) as number;
      const after = known[next];
      if (!isLinear || before === time) return [time, last] as const;
      if (after === undefined) return [time, Number.NaN] as const;
      const part = (time - before) / (after - before);
      return [time, last + part * ((points.get(after) as number) - last)] as const;
    }),
  );
}

/** The times of a period that were asked for. */
function grid({ from, to, work }: Surroundings, period: number, at: number): number[] {
  const length = 1000 * period;
  const first = Math.floor(from / length) * length;
  const count = Math.max(0, Math.ceil((to - first) / length));
  try {
    work.spend(1 + count);
  } catch (error) {
    throw new MathError((error as Error).message, at);
  }
  return Array.from({ length: count }, (_, index) => first + index * length);
}

const needsSeries = (value: Value, at: number): MathError =>
  new MathError(`a time series is needed, not ${called[value.kind]}`, at);

function series(value: Value | undefined, at: number): TimeSeries | SeriesList {
  const given = value as Value;
  if (given.kind === 'scalar' || given.kind === 'word') throw needsSeries(given, at);
  return given;
}

function list(value: Value | undefined, at: number): SeriesList {
  const given = series(value, at);
  return given.kind === 'list' ? given : listOf([given]);
}

function one(value: TimeSeries | undefined, at: number): TimeSeries {
  if (value === undefined) throw new MathError('there is no such time series', at);
  return value;
}

function number(value: Value | undefined, at: number): number {
  const given = value as Value;
  if (given.kind !== 'scalar') throw new MathError(`a number is needed, not ${called[given.kind]}`, at);
  return given.value;
}

/** @param allowed the words that may stand there; without them any text */
function word(value: Value | undefined, at: number, allowed?: readonly string[]): string {
  const given = value as Value;
  if (given.kind !== 'word' || (allowed !== undefined && !allowed.includes(given.text)))
    throw new MathError(`${allowed === undefined ? 'a text' : allowed.join(' or ')} is needed here`, at);
  return given.text;
}
