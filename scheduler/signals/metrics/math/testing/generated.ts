import {
  type Arbitrary,
  array,
  constantFrom,
  type Memo,
  integer,
  memo,
  oneof,
  option,
  record,
  tuple,
} from 'fast-check';

/** Metrics of the generated expressions: as many points each, some of which are missing. */
export const length = 6;
export const period = 60;
/** A value at each time of the grid, where there is one. */
export type Dense = readonly (number | undefined)[];
export const metricIds = ['m1', 'm2', 'm3'] as const;

/** An expression as it is written, and what a slow reading of it comes to. */
export interface Generated {
  readonly text: string;
  readonly of: (metrics: Readonly<Record<string, Dense>>) => Dense;
}

const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined;
const each = (one: Dense, of: (value: number) => number): Dense =>
  one.map((value) => (value === undefined ? undefined : finite(of(value))));
const both = (one: Dense, other: Dense, of: (one: number, other: number) => number): Dense =>
  one.map((value, index) => {
    const beside = other[index];
    return value === undefined || beside === undefined ? undefined : finite(of(value, beside));
  });
const sign = (value: boolean): number => (value ? 1 : 0);

/** Operators with how strongly they bind. */
const operators = {
  '+': [4, (a: number, b: number) => a + b],
  '-': [4, (a: number, b: number) => a - b],
  '*': [5, (a: number, b: number) => a * b],
  '/': [5, (a: number, b: number) => (b === 0 ? Number.NaN : a / b)],
  '==': [3, (a: number, b: number) => sign(a === b)],
  '!=': [3, (a: number, b: number) => sign(a !== b)],
  '<': [3, (a: number, b: number) => sign(a < b)],
  '>=': [3, (a: number, b: number) => sign(a >= b)],
  AND: [2, (a: number, b: number) => sign(a !== 0 && b !== 0)],
  '&&': [2, (a: number, b: number) => sign(a !== 0 && b !== 0)],
  OR: [1, (a: number, b: number) => sign(a !== 0 || b !== 0)],
} as const;

interface Part extends Generated {
  /** How strongly its outermost operator binds; 9 for what needs no brackets. */
  readonly strength: number;
}
const whole = (text: string, of: Generated['of']): Part => ({ text, of, strength: 9 });
const within = ({ text, strength }: Part, least: number): string => (strength < least ? `(${text})` : text);

const metric: Arbitrary<Part> = constantFrom(...metricIds).map((id) => whole(id, (metrics) => metrics[id] as Dense));
const number = integer({ min: 0, max: 9 });

const functionsOfOne: Readonly<Record<string, (one: Dense) => Dense>> = {
  ABS: (one) => each(one, Math.abs),
  CEIL: (one) => each(one, Math.ceil),
  FLOOR: (one) => each(one, Math.floor),
  DIFF: (one) => stepped(one, (value, before) => value - before),
  RATE: (one) => stepped(one, (value, before, apart) => (value - before) / (apart * period)),
  RUNNING_SUM: (one) => one.map((value, index) => (value === undefined ? undefined : total(one.slice(0, index + 1)))),
};

const total = (values: Dense): number => values.reduce((sum: number, value) => sum + (value ?? 0), 0);

function stepped(one: Dense, of: (value: number, before: number, apart: number) => number): Dense {
  return one.map((value, index) => {
    const before = one.findLastIndex((other, place) => place < index && other !== undefined);
    return value === undefined || before < 0 ? undefined : finite(of(value, one[before] as number, index - before));
  });
}

const fills: Readonly<Record<string, (one: Dense) => Dense>> = {
  '7': (one) => one.map((value) => value ?? 7),
  REPEAT: (one) => one.map((_, index) => one.slice(0, index + 1).findLast((value) => value !== undefined)),
  LINEAR: (one) =>
    one.map((value, index) => {
      if (value !== undefined) return value;
      const before = one.findLastIndex((other, place) => place < index && other !== undefined);
      const after = one.findIndex((other, place) => place > index && other !== undefined);
      if (before < 0 || after < 0) return undefined;
      const [from, to] = [one[before] as number, one[after] as number];
      return from + ((index - before) / (after - before)) * (to - from);
    }),
};

/** Numbers of all that some series have at a time. */
const summaries: Readonly<Record<string, (values: readonly number[]) => number>> = {
  SUM: (values) => values.reduce((sum, value) => sum + value, 0),
  AVG: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  MIN: (values) => Math.min(...values),
  MAX: (values) => Math.max(...values),
};

const series: Memo<Part> = memo((depth) => {
  if (depth <= 1) return metric;
  const inner = series();
  const binary = record({
    operator: constantFrom(...(Object.keys(operators) as (keyof typeof operators)[])),
    left: inner,
    right: oneof(inner, number),
  }).map(({ operator, left, right }): Part => {
    const [strength, of] = operators[operator];
    const written = typeof right === 'number' ? String(right) : within(right, strength + 1);
    return {
      text: `${within(left, strength)} ${operator} ${written}`,
      strength,
      of: (metrics) => {
        const one = left.of(metrics);
        return typeof right === 'number' ? each(one, (value) => of(value, right)) : both(one, right.of(metrics), of);
      },
    };
  });
  const ofOne = tuple(constantFrom(...Object.keys(functionsOfOne)), inner).map(([name, one]) =>
    whole(`${name}(${one.text})`, (metrics) => (functionsOfOne[name] as (one: Dense) => Dense)(one.of(metrics))),
  );
  const fill = tuple(constantFrom(...Object.keys(fills)), inner).map(([how, one]) =>
    whole(`FILL(${one.text}, ${how})`, (metrics) => (fills[how] as (one: Dense) => Dense)(one.of(metrics))),
  );
  const negative = inner.map((one): Part => ({
    text: `-${within(one, 7)}`,
    strength: 6,
    of: (metrics) => each(one.of(metrics), (value) => -value),
  }));
  const choice = tuple(inner, inner, option(oneof(inner, number), { nil: undefined })).map(([asked, yes, no]) =>
    whole(
      `IF(${asked.text}, ${yes.text}${no === undefined ? '' : `, ${typeof no === 'number' ? no : no.text}`})`,
      (metrics) => {
        const then = yes.of(metrics);
        const otherwise = typeof no === 'object' ? no.of(metrics) : undefined;
        return asked.of(metrics).map((value, index) => {
          if (value === undefined) return undefined;
          if (value !== 0) return then[index];
          return typeof no === 'number' ? no : otherwise?.[index];
        });
      },
    ),
  );
  const across = tuple(constantFrom(...Object.keys(summaries)), array(inner, { minLength: 1, maxLength: 3 })).map(
    ([name, items]) =>
      whole(`${name}([${items.map(({ text }) => text).join(', ')}])`, (metrics) => {
        const rows = items.map((item) => item.of(metrics));
        return Array.from({ length }, (_, index) => {
          const values = rows.flatMap((row) => row[index] ?? []);
          return values.length === 0
            ? undefined
            : finite((summaries[name] as (values: readonly number[]) => number)(values));
        });
      }),
  );
  return oneof(metric, binary, ofOne, fill, negative, choice, across);
});

/** Expressions over `m1`, `m2` and `m3`. */
export const expressions: Arbitrary<Generated> = series(4);

const point = option(integer({ min: -3, max: 5 }), { nil: undefined });
const dense: Arbitrary<Dense> = array(point, { minLength: length, maxLength: length });
export const metricsOf: Arbitrary<Readonly<Record<string, Dense>>> = record({ m1: dense, m2: dense, m3: dense });
