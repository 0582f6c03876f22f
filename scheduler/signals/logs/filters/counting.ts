import type { Sample } from '../../metrics/index.ts';
import { mostValue } from '../../metrics/index.ts';
import { type FilterPattern, parsePattern } from '../patterns/index.ts';

import type { MetricFilterRecord, MetricTransformation } from './records.ts';

/** An event, as far as it is counted. */
export interface CountedEvent {
  readonly timestamp: number;
  readonly ingestionTime: number;
  /** UTF-8. */
  readonly message: Uint8Array;
}

/**
 * Minutes of metrics, different values, and minutes that may get default values, that one counting keeps apart, of all filters together:
 * what log lines say must not fill the memory.
 */
export const countingLimits = { minutes: 2_000, values: 20_000, defaults: 10_000 } as const;
/** Different values of one minute that a sample has. */
const valuesOfSample = 100;
const minute = 60_000;

/** What came of one metric in one minute. */
interface Counted {
  readonly of: MetricTransformation;
  readonly dimensions: readonly (readonly [name: string, value: string])[];
  readonly at: number;
  /** How often each value was seen. */
  readonly values: Map<number, number>;
  /** Those that there was no room for. */
  rest?: { count: number; sum: number; min: number; max: number };
}

interface Compiled {
  readonly filter: MetricFilterRecord;
  readonly pattern: FilterPattern;
  /** Of a line that is let through: the metric's value, and those of its dimensions. */
  readonly valueOf: (line: string) => number | undefined;
  readonly dimensions: readonly { readonly name: string; readonly of: FieldReader }[];
  readonly needs: readonly Buffer[];
  /** Minutes in which events came, and whether one was let through; undefined where no default value asks for it. */
  readonly minutes: Map<number, boolean> | undefined;
}

/** Counts events of one group by its filters, into samples of minutes. It holds only what {@link countingLimits} let it. */
export class Counting {
  readonly #filters: readonly Compiled[];
  readonly #counted = new Map<string, Counted>();
  #values = 0;
  #defaults = 0;
  #left = 0;

  /** @param filters those that were checked when they were put */
  constructor(filters: readonly MetricFilterRecord[]) {
    this.#filters = filters.map((filter) => {
      const pattern = parsePattern(filter.pattern);
      const { value, dimensions = {}, defaultValue } = filter.transformation;
      const field = value.startsWith('$') ? fieldReader(filter.pattern, value) : undefined;
      const valueOf = (line: string): number | undefined =>
        field === undefined ? Number(value) : numberIn(field(line) ?? '');
      const read = Object.entries(dimensions).map(([name, of]) => ({ name, of: fieldReader(filter.pattern, of) }));
      return {
        filter,
        pattern,
        valueOf,
        dimensions: read,
        needs: pattern.needs.map((text) => Buffer.from(text)),
        minutes: defaultValue === undefined ? undefined : new Map(),
      };
    });
  }

  /** How many events were let through and counted in nothing, as there was no room. */
  get left(): number {
    return this.#left;
  }

  see(event: CountedEvent): void {
    for (const _ of this.steps(event));
  }

  /**
   * The same in steps, one for each filter that reads the line: a long line, asked for by many filters, is seconds of work, in which
   * others want their turn.
   */
  *steps(event: CountedEvent): Generator<void, void> {
    const bytes = Buffer.from(event.message.buffer, event.message.byteOffset, event.message.byteLength);
    let line: string | undefined;
    for (const [index, compiled] of this.#filters.entries()) {
      const { filter, pattern, needs, minutes } = compiled;
      if (event.ingestionTime < filter.createdAt) continue;
      const at = Math.floor(event.timestamp / minute) * minute;
      if (minutes !== undefined && !minutes.has(at) && this.#defaults < countingLimits.defaults) {
        minutes.set(at, false);
        this.#defaults++;
      }
      if (!needs.every((text) => bytes.includes(text))) continue;
      line ??= bytes.toString('utf8');
      if (pattern.matches(line)) {
        if (minutes?.has(at) === true) minutes.set(at, true);
        this.#take(index, compiled, line, at);
      }
      yield;
    }
  }

  /** What was counted, with the default values of minutes in which nothing was let through. */
  samples(): Sample[] {
    const all = [...this.#counted.values()].flatMap(samplesOf);
    for (const { filter, minutes } of this.#filters) {
      const { defaultValue, ...of } = filter.transformation;
      if (defaultValue === undefined || minutes === undefined) continue;
      for (const [at, some] of minutes)
        if (!some) all.push({ ...seriesOf(of, []), timestamp: at, measured: defaultValue });
    }
    return all;
  }

  #take(index: number, { filter, valueOf, dimensions: read }: Compiled, line: string, at: number): void {
    const of = filter.transformation;
    const value = valueOf(line);
    // A line without the number, or without a dimension, is none of the metric's (CloudWatch Logs user guide, "Creating metric filters").
    if (value === undefined) return;
    const dimensions: (readonly [string, string])[] = [];
    for (const dimension of read) {
      const text = dimension.of(line);
      if (text === undefined || text === '' || text.length > 1024) return;
      dimensions.push([dimension.name, text]);
    }
    const key = JSON.stringify([index, at, ...dimensions.map(([, text]) => text)]);
    let counted = this.#counted.get(key);
    if (counted === undefined) {
      if (this.#counted.size >= countingLimits.minutes) {
        this.#left++;
        return;
      }
      counted = { of, dimensions, at, values: new Map() };
      this.#counted.set(key, counted);
    }
    const seen = counted.values.get(value);
    if (seen !== undefined || this.#values < countingLimits.values) {
      if (seen === undefined) this.#values++;
      counted.values.set(value, (seen ?? 0) + 1);
      return;
    }
    const { count, sum, min, max } = counted.rest ?? { count: 0, sum: 0, min: Infinity, max: -Infinity };
    counted.rest = { count: count + 1, sum: sum + value, min: Math.min(min, value), max: Math.max(max, value) };
  }
}

function samplesOf({ of, dimensions, at, values, rest }: Counted): Sample[] {
  const series = { ...seriesOf(of, dimensions), timestamp: at };
  const seen = [...values];
  const samples: Sample[] = [];
  for (let from = 0; from < seen.length; from += valuesOfSample) {
    const some = seen.slice(from, from + valuesOfSample);
    samples.push({
      ...series,
      measured: { values: some.map(([value]) => value), counts: some.map(([, count]) => count) },
    });
  }
  return rest === undefined ? samples : [...samples, { ...series, measured: rest }];
}

const seriesOf = (
  { namespace, name, unit }: Omit<MetricTransformation, 'defaultValue'>,
  dimensions: Counted['dimensions'],
): Omit<Sample, 'timestamp' | 'measured'> => ({
  namespace,
  name,
  unit,
  resolution: 60,
  dimensions: dimensions.map(([dimension, value]) => ({ name: dimension, value })),
});

/** One selector, and nothing beside it: it is put into a pattern. */
const jsonField = /^\$(?:\.[^\s=&|(){}<>!'"[\].*%]+|\[\d+\]|\.\['[^']+'\])+$/;

type FieldReader = (line: string) => string | undefined;

/**
 * Reads a field of lines that a pattern lets through: any of a JSON object, or a column that the pattern names.
 * @throws PatternError for what is no field; RangeError for one that the pattern does not have
 */
export function fieldReader(pattern: string, field: string): FieldReader {
  const kind = pattern.trimStart().charAt(0);
  if (kind === '{') {
    if (!jsonField.test(field)) throw new RangeError(`${field} is no field of JSON`);
    const { extract } = parsePattern(`{ ${field} = * }`);
    return (line) => Object.values(extract(line))[0];
  }
  const { extract } = parsePattern(pattern);
  const names = kind === '[' ? columnsOf(pattern) : new Set();
  if (!names.has(field)) throw new RangeError(`the filter pattern has no field ${field}`);
  return (line) => {
    const fields = extract(line);
    // Columns are named by whoever wrote the pattern: no member that every object has is one.
    return Object.hasOwn(fields, field) ? fields[field] : undefined;
  };
}

/** The columns of a pattern, as fields. */
const columnsOf = (pattern: string): ReadonlySet<string> =>
  new Set([...pattern.matchAll(/[[,]\s*(\w+)/g)].map(([, name]) => `$${name}`));

function numberIn(text: string): number | undefined {
  const trimmed = text.trim();
  return isMetricValue(trimmed) ? Number(trimmed) : undefined;
}

/** Whether a text is a number that a metric can have. */
export const isMetricValue = (text: string): boolean =>
  /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(text) && Math.abs(Number(text)) <= mostValue;
