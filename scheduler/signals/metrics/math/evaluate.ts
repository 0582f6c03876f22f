import { MathError } from './errors.ts';
import { functions } from './functions.ts';
import type { Expression, Operator } from './parse.ts';
import {
  called,
  joined,
  listOf,
  mapped,
  mostSeries,
  scalar,
  type SeriesList,
  type TimeSeries,
  type Value,
  type Work,
} from './values.ts';

/** What an expression is worked out in. */
export interface Surroundings {
  /** What has an id; undefined for none. */
  readonly valueOf: (id: string) => Value | undefined;
  /** All metrics that were asked for, with their ids. */
  readonly metrics: () => readonly { readonly id: string; readonly series: TimeSeries }[];
  /** Between which times (milliseconds, the second one exclusive) gaps are filled, and the period of what has none of its own, in seconds. */
  readonly from: number;
  readonly to: number;
  readonly period: number;
  readonly work: Work;
}

const truth = (value: boolean): number => (value ? 1 : 0);
const operators: Readonly<Record<Operator, (one: number, other: number) => number>> = {
  '+': (one, other) => one + other,
  '-': (one, other) => one - other,
  '*': (one, other) => one * other,
  // What is divided by 0 is no point.
  '/': (one, other) => (other === 0 ? Number.NaN : one / other),
  '^': (one, other) => one ** other,
  '==': (one, other) => truth(one === other),
  '!=': (one, other) => truth(one !== other),
  '<': (one, other) => truth(one < other),
  '<=': (one, other) => truth(one <= other),
  '>': (one, other) => truth(one > other),
  '>=': (one, other) => truth(one >= other),
  AND: (one, other) => truth(one !== 0 && other !== 0),
  OR: (one, other) => truth(one !== 0 || other !== 0),
};

/**
 * Works an expression out.
 * @throws MathError
 */
export function evaluate(expression: Expression, around: Surroundings): Value {
  const { at } = expression;
  switch (expression.kind) {
    case 'number':
      return scalar(expression.value);
    case 'text':
    case 'word':
      return { kind: 'word', text: expression.value };
    case 'id': {
      const value = around.valueOf(expression.id);
      if (value === undefined) throw new MathError(`there is no query with the id ${expression.id}`, at);
      return value;
    }
    case 'list': {
      const items: TimeSeries[] = [];
      for (const item of expression.items) {
        const more = seriesIn(evaluate(item, around), item.at);
        around.work.spend(more.length);
        if (items.length + more.length > mostSeries)
          throw new MathError(`a list has at most ${mostSeries} time series`, at);
        items.push(...more);
      }
      return listOf(items);
    }
    case 'negative':
      return mapped(evaluate(expression.of, around), at, around.work, (value) => -value);
    case 'binary': {
      const [left, right] = [evaluate(expression.left, around), evaluate(expression.right, around)];
      return joined(left, right, at, around.work, operators[expression.operator]);
    }
    case 'call': {
      const given = expression.given.map((one) => evaluate(one, around));
      return (functions[expression.name] as (typeof functions)[string])(given, { around, at });
    }
  }
}

/** The result of a query: series. @throws MathError for a number or a word */
export function resultOf(value: Value): readonly TimeSeries[] {
  if (value.kind === 'series') return [value];
  if (value.kind === 'list') return value.items;
  throw new MathError(
    `the expression returns ${called[value.kind]}, but must return a time series; TIME_SERIES makes one of a number`,
  );
}

function seriesIn(value: Value, at: number): SeriesList['items'] {
  if (value.kind === 'series') return [value];
  if (value.kind === 'list') return value.items;
  throw new MathError(`a list is of time series, not of ${called[value.kind]}`, at);
}
