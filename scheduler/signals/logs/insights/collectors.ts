import { type Aggregate, type Aggregation, Memory } from './aggregates.ts';
import type { Expression } from './operators.ts';
import { Row } from './row.ts';
import { shortKey } from './sketches.ts';
import { Instant, order, Structure, textOf, totalOrder, type Value } from './values.ts';

/** Rows that come in one by one, of which some or others come out, in an order. */
export interface Collector {
  add(row: Row): void;
  /** What comes out; in order, unless they are lines of `stats`. Nothing may be added any more. */
  drain(): Iterable<Row>;
  readonly isOrdered: boolean;
}

/** Which of two rows comes first. */
export type Compare = (one: Row, other: Row) => number;

/**
 * Rows by the values that they were sorted by; equal ones as they stood before: events the newest first, lines of `stats` by what they are
 * grouped by, times from the newest on.
 */
export const comparing =
  (signs: readonly (1 | -1)[]): Compare =>
  (one, other) => {
    for (const [index, sign] of signs.entries()) {
      const difference = sign * order(one.order[index], other.order[index]);
      if (difference !== 0) return difference;
    }
    if (one.place !== undefined && other.place !== undefined) return one.place - other.place;
    const [first, second] = [one.event, other.event];
    if (first === undefined || second === undefined) return byGroup(one.by, other.by);
    if (first.id !== second.id) return first.id < second.id ? 1 : -1;
    return first.log < second.log ? -1 : first.log > second.log ? 1 : 0;
  };

function byGroup(one: readonly Value[], other: readonly Value[]): number {
  for (const [index, value] of one.entries()) {
    const difference = (value instanceof Instant ? -1 : 1) * totalOrder(value, other[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Bytes that the rows of one collector may take; of more the first ones stay. */
const mostBytes = 16 * 1024 * 1024;

interface Entry {
  row: Row;
  size: number;
  isKept: boolean;
}

/** The first rows of all, at most so many. */
export class FirstRows implements Collector {
  readonly isOrdered = true;
  readonly #compare: Compare;
  readonly #most: number;
  readonly #keep: (row: Row) => Row;
  #rows: Entry[] = [];
  #size = 0;
  #worst: Row | undefined;

  /** @param keep what of a row is kept */
  constructor(compare: Compare, most: number, keep: (row: Row) => Row = (row) => row) {
    this.#compare = compare;
    this.#most = most;
    this.#keep = keep;
  }

  add(row: Row): void {
    if (this.#worst !== undefined && this.#compare(row, this.#worst) >= 0) return;
    row.forget();
    const { size } = row;
    this.#rows.push({ row, size, isKept: false });
    this.#size += size;
    if (this.#rows.length > 2 * this.#most + 100 || this.#size > 2 * mostBytes) this.#cut();
  }

  drain(): readonly Row[] {
    this.#cut();
    return this.#rows.map(({ row }) => row);
  }

  #cut(): void {
    this.#rows.sort((one, other) => this.#compare(one.row, other.row));
    let size = 0;
    let count = 0;
    for (const one of this.#rows) {
      if (count === this.#most) break;
      // Most rows are soon behind others: only of those that are not is it worked out what is kept of them.
      if (!one.isKept) {
        one.row = this.#keep(one.row);
        one.size = one.row.size;
        one.isKept = true;
      }
      if (count > 0 && size + one.size > mostBytes) break;
      size += one.size;
      count++;
    }
    if (count < this.#rows.length || count === this.#most) this.#worst = this.#rows[count - 1]?.row;
    this.#rows.length = count;
    this.#size = size;
  }
}

/** Of rows that are alike in some values the first one; at most so many. */
export class DistinctRows implements Collector {
  readonly isOrdered = true;
  readonly #compare: Compare;
  readonly #of: readonly Expression[];
  readonly #most: number;
  #rows = new Map<string, Row>();
  #size = 0;

  constructor(compare: Compare, of: readonly Expression[], most: number) {
    this.#compare = compare;
    this.#of = of;
    this.#most = most;
  }

  add(row: Row): void {
    const key = keyOf(this.#of.map(({ evaluate }) => evaluate(row)));
    const known = this.#rows.get(key);
    if (known !== undefined && this.#compare(known, row) <= 0) return;
    row.forget();
    this.#size += row.size - (known?.size ?? -2 * key.length);
    this.#rows.set(key, row);
    if (this.#rows.size > 2 * this.#most || this.#size > 2 * mostBytes) this.#cut();
  }

  drain(): readonly Row[] {
    this.#cut();
    return [...this.#rows.values()];
  }

  /** What is cut off lies behind everything that stays, and so do all the rows that it stands for. */
  #cut(): void {
    const sorted = [...this.#rows].toSorted(([, one], [, other]) => this.#compare(one, other));
    this.#rows = new Map();
    this.#size = 0;
    for (const [key, row] of sorted) {
      const size = row.size + 2 * key.length;
      if (this.#rows.size === this.#most || (this.#size > 0 && this.#size + size > mostBytes)) break;
      this.#rows.set(key, row);
      this.#size += size;
    }
  }
}

/** A column of `stats`: its name, and how it is made of what functions found. */
export interface Column {
  readonly name: string;
  readonly evaluate: Expression['evaluate'];
}

/** One line for each group of rows. */
export class GroupedRows implements Collector {
  readonly isOrdered = false;
  readonly #by: readonly { readonly name: string; readonly of: Expression }[];
  readonly #aggregates: readonly Aggregate[];
  readonly #columns: readonly Column[];
  readonly #memory = new Memory();
  readonly #groups = new Map<string, { readonly by: readonly Value[]; readonly found: readonly Aggregation[] }>();

  constructor(
    by: readonly { readonly name: string; readonly of: Expression }[],
    aggregates: readonly Aggregate[],
    columns: readonly Column[],
  ) {
    this.#by = by;
    this.#aggregates = aggregates;
    this.#columns = columns;
  }

  add(row: Row): void {
    const by = this.#by.map(({ of }) => of.evaluate(row));
    const key = keyOf(by);
    let group = this.#groups.get(key);
    if (group === undefined) {
      const values = by.map(keptValue);
      this.#memory.spend(200 + 2 * key.length + values.reduce((sum: number, value) => sum + weightOf(value), 0));
      this.#memory.spend(100 * this.#aggregates.length);
      group = { by: values, found: this.#aggregates.map((make) => make(this.#memory)) };
      this.#groups.set(key, group);
    }
    for (const one of group.found) one.add(row);
  }

  *drain(): Generator<Row> {
    for (const { by, found } of this.#groups.values()) {
      const row = new Row();
      row.by = by;
      for (const [index, one] of found.entries()) row.own.set(placeOf(index), one.result);
      const values = this.#columns.map(({ name, evaluate }) => [name, evaluate(row)] as const);
      row.own.clear();
      for (const [index, { name }] of this.#by.entries()) row.own.set(name, by[index]);
      for (const [name, value] of values) row.own.set(name, value);
      yield row;
    }
  }
}

/** Where columns find what a function of `stats` found; no field has such a name. */
export const placeOf = (index: number): string => `\0${index}`;

function keyOf(values: readonly Value[]): string {
  return values
    .map((value) => {
      const text = textOf(value);
      return text === undefined ? '' : `${value instanceof Instant ? 't' : 'v'}${shortKey(text)}`;
    })
    .join('\u0001');
}

/** Longer values than this are cut where they are kept. */
const longest = 64 * 1024;
const keptValue = (value: Value): Value =>
  typeof value === 'string' || value instanceof Structure
    ? Buffer.from((textOf(value) ?? '').slice(0, longest)).toString()
    : value;
const weightOf = (value: Value): number => (typeof value === 'string' ? 2 * value.length : 16);
