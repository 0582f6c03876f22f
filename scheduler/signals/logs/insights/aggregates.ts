import { QueryError, QueryTooHeavy } from './errors.ts';
import type { Expression } from './operators.ts';
import type { AggregateCall } from './scope.ts';
import type { Row } from './row.ts';
import { DistinctValues, Percentile } from './sketches.ts';
import { finite, Instant, numberOf, objectBytes, order, Structure, textOf, totalOrder, type Value } from './values.ts';

/** What a query may keep, bytes. */
const mostMemory = 64 * 1024 * 1024;

/** Counts what a query keeps. */
export class Memory {
  #used = 0;

  /** @param bytes negative: it keeps so many less @throws QueryTooHeavy when it is more than a query is given */
  spend(bytes: number): void {
    this.#used += bytes;
    if (this.#used > mostMemory)
      throw new QueryTooHeavy('the query keeps too many different values: filter more, or count by fewer fields');
  }
}

/** What a function of `stats` knows of the rows of one group. */
export interface Aggregation {
  add(row: Row): void;
  readonly result: Value;
}

/** Makes what a function of `stats` needs for one group. */
export type Aggregate = (memory: Memory) => Aggregation;

/** How each function is made for its field. */
const ofOneField: Readonly<Record<string, (of: Expression, memory: Memory) => Aggregation>> = {
  __proto__: null as never,
  count_distinct: ({ evaluate }, memory) => new Distinct(evaluate, memory),
  sum: ({ evaluate }) => new Moments(evaluate, ({ count, sum }) => (count === 0 ? undefined : sum)),
  avg: ({ evaluate }) => new Moments(evaluate, ({ mean }) => mean),
  stddev: ({ evaluate }) =>
    new Moments(evaluate, ({ count, squares }) => (count === 0 ? undefined : Math.sqrt(squares / count))),
  min: ({ evaluate }, memory) => new Extreme(evaluate, -1, memory),
  max: ({ evaluate }, memory) => new Extreme(evaluate, 1, memory),
  sortsfirst: ({ evaluate }, memory) => new Sorted(evaluate, -1, memory),
  sortslast: ({ evaluate }, memory) => new Sorted(evaluate, 1, memory),
  earliest: ({ evaluate }, memory) => new Nearest(evaluate, -1, memory),
  latest: ({ evaluate }, memory) => new Nearest(evaluate, 1, memory),
};

/**
 * A function of `stats` by how it is called (CloudWatch Logs user guide, "stats").
 * @param hasTimes whether rows are events, which have a time
 * @throws QueryError
 */
export function aggregateOf(call: AggregateCall, hasTimes: boolean): Aggregate {
  const { name, args, start, end } = call;
  const [of, second] = args;
  const fail = (sentence: string): never => {
    throw new QueryError(start, end, sentence);
  };
  if (name === 'count') {
    if (args.length > 1) fail('count takes one field, or *.');
    return () => new Count(of?.evaluate);
  }
  if (of === undefined) return fail(`${name} needs a field: ${name}(${name === 'pct' ? 'field, 95' : 'field'}).`);
  if (name === 'pct') {
    const percent = second?.constant === true ? numberOf(second.evaluate(undefined as never)) : undefined;
    if (args.length !== 2 || percent === undefined || percent < 0 || percent > 100)
      return fail('pct takes a field and a percentage from 0 to 100: pct(field, 95).');
    return (memory) => new Percent(of.evaluate, percent, memory);
  }
  if (args.length > 1) fail(`${name} takes one field.`);
  if (!hasTimes && (name === 'earliest' || name === 'latest'))
    fail(`${name} is about the times of events: after stats there are none.`);
  const make = ofOneField[name]!;
  return (memory) => make(of, memory);
}

type Evaluate = Expression['evaluate'];

class Count implements Aggregation {
  result = 0;
  readonly #of: Evaluate | undefined;
  constructor(of: Evaluate | undefined) {
    this.#of = of;
  }
  add(row: Row): void {
    if (this.#of === undefined || this.#of(row) !== undefined) this.result++;
  }
}

class Distinct implements Aggregation {
  readonly #of: Evaluate;
  readonly #values: DistinctValues;
  constructor(of: Evaluate, memory: Memory) {
    this.#of = of;
    this.#values = new DistinctValues((bytes) => memory.spend(bytes));
  }
  add(row: Row): void {
    this.#values.add(this.#of(row));
  }
  get result(): Value {
    return this.#values.count;
  }
}

/** Sum, mean and the sum of the squares of what differs from it (Welford). */
class Moments implements Aggregation {
  count = 0;
  sum = 0;
  squares = 0;
  #mean = 0;
  readonly #of: Evaluate;
  readonly #take: (moments: Moments) => number | undefined;
  constructor(of: Evaluate, take: (moments: Moments) => number | undefined) {
    this.#of = of;
    this.#take = take;
  }
  add(row: Row): void {
    const number = numberOf(this.#of(row));
    if (number === undefined) return;
    this.count++;
    this.sum += number;
    const away = number - this.#mean;
    this.#mean += away / this.count;
    this.squares += away * (number - this.#mean);
  }
  get mean(): number | undefined {
    return this.count === 0 ? undefined : this.sum / this.count;
  }
  get result(): Value {
    const taken = this.#take(this);
    return taken === undefined ? undefined : finite(taken);
  }
}

/** One of the values that there are, kept as long as no other one is further in its direction. */
abstract class Furthest implements Aggregation {
  readonly #held: Held;
  readonly #of: Evaluate;
  /** 1 for the greatest, -1 for the least. */
  protected readonly sign: 1 | -1;
  constructor(of: Evaluate, sign: 1 | -1, memory: Memory) {
    this.#held = new Held(memory);
    this.#of = of;
    this.sign = sign;
  }
  add(row: Row): void {
    const value = this.#of(row);
    if (value === undefined) return;
    const taken = this.taken(value, this.result);
    if (taken !== undefined) this.#held.take(taken);
  }
  get result(): Value {
    return this.#held.value;
  }
  /** What is kept of a value from now on; undefined where what was found before stays. */
  protected abstract taken(value: NonNullable<Value>, found: Value): Value;
}

/** The least or the greatest number; where there is none, the text that is so. Times stay times. */
class Extreme extends Furthest {
  protected taken(value: NonNullable<Value>, found: Value): Value {
    const [number, best] = [numberOf(value), numberOf(found)];
    if (best !== undefined && number === undefined) return undefined;
    const isFirst = found === undefined || (number !== undefined && best === undefined);
    if (!isFirst && this.sign * order(value, found) <= 0) return undefined;
    return number === undefined || value instanceof Instant ? value : number;
  }
}

/** What is first or last in the order that `sort` has. */
class Sorted extends Furthest {
  protected taken(value: NonNullable<Value>, found: Value): Value {
    return found === undefined || this.sign * totalOrder(value, found) > 0 ? value : undefined;
  }
}

/** The value of the event that is the first or the last one of those that have one. */
class Nearest implements Aggregation {
  #id = '';
  readonly #held: Held;
  readonly #of: Evaluate;
  readonly #sign: 1 | -1;
  constructor(of: Evaluate, sign: 1 | -1, memory: Memory) {
    this.#held = new Held(memory);
    this.#of = of;
    this.#sign = sign;
  }
  add(row: Row): void {
    const id = row.event?.id ?? '';
    if (this.#id !== '' && (this.#sign === 1 ? id <= this.#id : id >= this.#id)) return;
    const value = this.#of(row);
    if (value === undefined) return;
    this.#id = id;
    this.#held.take(value);
  }
  get result(): Value {
    return this.#held.value;
  }
}

class Percent implements Aggregation {
  readonly #of: Evaluate;
  readonly #percent: number;
  readonly #values: Percentile;
  constructor(of: Evaluate, percent: number, memory: Memory) {
    this.#of = of;
    this.#percent = percent;
    this.#values = new Percentile((bytes) => memory.spend(bytes));
  }
  add(row: Row): void {
    const number = numberOf(this.#of(row));
    if (number !== undefined) this.#values.add(number);
  }
  get result(): Value {
    return this.#values.at(this.#percent);
  }
}

/** Longer texts are cut, as results are. */
const longest = 64 * 1024;

/** A value that a group keeps, counted as what it takes: a text without the message that it is a part of. */
class Held {
  value: Value;
  #size = 0;
  readonly #memory: Memory;
  constructor(memory: Memory) {
    this.#memory = memory;
  }
  /** Keeps this one instead. @throws QueryTooHeavy */
  take(value: Value): void {
    const isObject = value instanceof Structure;
    if (!isObject && typeof value !== 'string') return this.#keep(value, 0);
    const text = textOf(value);
    if (isObject && text !== undefined && text.length <= longest) return this.#keep(value, objectBytes(text));
    // What nests too deeply to be written is nothing that could be shown.
    const cut = text && Buffer.from(text.slice(0, longest)).toString();
    this.#keep(cut, 2 * (cut?.length ?? 0));
  }
  #keep(value: Value, size: number): void {
    this.#memory.spend(size - this.#size);
    this.#size = size;
    this.value = value;
  }
}
