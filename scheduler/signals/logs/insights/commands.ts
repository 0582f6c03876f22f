import { type Aggregate, aggregateOf } from './aggregates.ts';
import { type Column, placeOf } from './collectors.ts';
import { Expressions } from './expressions.ts';
import type { Expression } from './operators.ts';
import { extracting, globExtract, regexExtract } from './parsing.ts';
import { fieldReader, type Row } from './row.ts';
import type { Scanner } from './scanner.ts';
import { likeness, Scope } from './scope.ts';
import { isTrue, type Value } from './values.ts';

/** One command of a query, as what it does to rows. */
export type Step =
  /** Makes fields of a row, or says that it goes no further. */
  | { readonly kind: 'row'; readonly isFilter: boolean; readonly apply: (row: Row) => boolean }
  | { readonly kind: 'sort'; readonly keys: readonly { readonly of: Expression; readonly sign: 1 | -1 }[] }
  | { readonly kind: 'limit'; readonly count: number }
  | { readonly kind: 'dedup'; readonly of: readonly Expression[] }
  | {
      readonly kind: 'stats';
      readonly by: readonly { readonly name: string; readonly of: Expression }[];
      readonly aggregates: readonly Aggregate[];
      readonly columns: readonly Column[];
    };

/** What is shown of a row. */
export interface Shown {
  readonly name: string;
  readonly of: (row: Row) => Value;
}

/** Rows that a query answers, at most; also without `limit` (CloudWatch Logs quotas). */
export const mostRows = 10_000;
/** `stats` commands of one query (CloudWatch Logs user guide). */
const mostStats = 2;
/** Functions, fields or keys of one command. */
const mostParts = 100;
/** Of what all events must hold so many texts are looked for, as bytes, and of each the beginning: the filters themselves see the rest. */
const mostTerms = 20;
const termLength = 256;

/** Commands of AWS's language that are not here, and what to do instead. */
const notServed: Readonly<Record<string, string>> = {
  __proto__: null as never,
  pattern: 'Use stats count(*) by a field that parse takes out of the message.',
  diff: 'Run the query over both times.',
  anomaly: 'Metric filters and alarms watch what comes.',
  unnest: 'Name the members of a list by their places: items.0.id.',
  filterindex: 'There are no field indexes: use filter.',
  source: 'Name the log groups with logGroupNames or logGroupIdentifiers.',
  join: 'Run a query for each side.',
  lookup: 'There are no lookup tables.',
  fieldsummary: 'GetLogGroupFields says which fields there are.',
};

/** Reads commands one by one, and keeps what they make known to those that follow. */
export class Commands {
  readonly steps: Step[] = [];
  /** What all events hold that get through the filters at the beginning; see {@link Expression}. */
  readonly terms: string[] = [];
  streams: readonly string[] | undefined;
  readonly #scanner: Scanner;
  readonly #scope = new Scope();
  readonly #expressions: Expressions;
  #shown: Shown[] = [];
  #displayed: readonly Shown[] | undefined;
  #stats = 0;
  /** Whether events are still counted off by nothing but filters. */
  #isFirst = true;

  /** @param now milliseconds since the epoch */
  constructor(scanner: Scanner, now: number) {
    this.#scanner = scanner;
    this.#expressions = new Expressions(scanner, this.#scope, now);
  }

  /** What the answer shows: what `display` names last, or else what `fields`, `parse` and `stats` made. */
  get shown(): readonly Shown[] {
    if (this.#displayed !== undefined) return this.#displayed;
    const isBare = this.#stats === 0 && !this.#hasFields;
    return [...(isBare ? ['@timestamp', '@message'].map(plain) : []), ...this.#shown];
  }
  #hasFields = false;

  /** Whether rows are still events, which have a pointer. */
  get areEvents(): boolean {
    return this.#stats === 0;
  }

  /** Reads the command that comes next. @throws QueryError */
  read(): void {
    const { text, start, end, kind, quoted } = this.#scanner.next;
    const isName = kind === 'name' && quoted === undefined;
    const name = text.toLowerCase();
    const command = isName ? commands[name] : undefined;
    if (command !== undefined) {
      this.#scanner.take();
      return command(this);
    }
    const instead = isName ? notServed[name] : undefined;
    if (instead !== undefined)
      this.#scanner.fail(`the command ${text} is not supported by this installation. ${instead}`, start, end);
    this.#scanner.fail(
      `${this.#scanner.shown} stands where a command must: ${Object.keys(commands).join(', ')}.`,
      start,
      end,
    );
  }

  fields(): void {
    this.#hasFields = true;
    const made = this.#list('fields');
    this.#apply(made);
    for (const { name } of made) this.#show(name);
  }

  display(): void {
    const made = this.#list('display');
    this.#apply(made);
    this.#displayed = made.map(({ name }) => plain(name));
  }

  filter(): void {
    const { evaluate, terms = [], streams } = this.#expressions.read();
    if (this.#isFirst) {
      this.terms.push(...terms.slice(0, mostTerms - this.terms.length).map(beginningOf));
      if (streams !== undefined)
        this.streams = this.streams === undefined ? streams : this.streams.filter((one) => streams.includes(one));
    }
    this.steps.push({ kind: 'row', isFilter: true, apply: (row) => isTrue(evaluate(row)) });
  }

  parse(): void {
    const scanner = this.#scanner;
    const { kind, text: sign } = scanner.next;
    const isImplicit = kind === 'text' || sign === '/';
    const from = isImplicit
      ? fieldReader('@message', ['@message'])
      : this.#expressions.field('the field to parse').evaluate;
    const { start } = scanner.next;
    const regex = this.#expressions.regex();
    if (regex === undefined && scanner.next.kind !== 'text')
      scanner.fail(`${scanner.shown} stands where "a pattern with *" or /a regular expression/ must.`);
    const glob = regex === undefined ? globExtract(scanner.take().text) : undefined;
    const count = glob?.count ?? regex!.groupCount;
    const end = scanner.last;
    const names = this.#aliases();
    const isNamed = regex !== undefined && names.length === 0 && regex.names.size > 0;
    if (isNamed) names.push(...regex.names.keys());
    if (count === 0)
      scanner.fail(
        glob === undefined
          ? 'the regular expression has no groups: (?<name>…) takes a field out.'
          : 'the pattern has no *, which stands for what is taken out.',
        start,
        end,
      );
    if (!isNamed && names.length !== count)
      scanner.fail(
        `the pattern takes ${count} fields out, and ${names.length} have names: parse … as a, b.`,
        start,
        scanner.last,
      );
    const groups = isNamed ? [...regex.names.values()] : Array.from({ length: count }, (_, index) => index + 1);
    const apply = extracting(from, names, glob?.extract ?? regexExtract(regex!, groups));
    this.steps.push({
      kind: 'row',
      isFilter: false,
      apply: (row) => {
        apply(row);
        return true;
      },
    });
    for (const name of names) {
      this.#make(name);
      this.#show(name);
    }
  }

  stats(): void {
    const scanner = this.#scanner;
    const { start } = scanner.next;
    if (++this.#stats > mostStats) scanner.fail(`a query has ${mostStats} stats at most.`, start, scanner.next.end);
    const aggregates: Aggregate[] = [];
    const hasTimes = this.#stats === 1;
    this.#scope.aggregate = (call) => {
      const index = aggregates.push(aggregateOf(call, hasTimes)) - 1;
      if (aggregates.length > mostParts)
        scanner.fail(`stats has ${mostParts} functions at most.`, call.start, call.end);
      const place = placeOf(index);
      return { text: '', evaluate: (row) => row.own.get(place) };
    };
    const columns = this.#list('stats');
    this.#scope.aggregate = undefined;
    const by = scanner.takeWord('by') ? this.#list('stats … by') : [];
    this.steps.push({
      kind: 'stats',
      aggregates,
      by,
      columns: columns.map(({ name, of }) => ({ name, evaluate: of.evaluate })),
    });
    this.#isFirst = false;
    const all = [...by, ...columns];
    this.#scope.made.clear();
    for (const { name } of all) this.#scope.made.add(name);
    this.#scope.columns = new Map(all.map(({ name }) => [likeness(name), name]));
    this.#shown = [];
    this.#displayed = undefined;
    for (const { name } of all) this.#show(name);
  }

  sort(): void {
    const keys: { of: Expression; sign: 1 | -1 }[] = [];
    do {
      const of = this.#expressions.read();
      const sign = this.#scanner.takeWord('desc') ? -1 : (this.#scanner.takeWord('asc'), 1);
      keys.push({ of, sign });
      this.#count('sort', keys.length);
    } while (this.#scanner.takeSign(','));
    this.steps.push({ kind: 'sort', keys });
  }

  limit(): void {
    const { kind, text, unit } = this.#scanner.next;
    const count = Number(text);
    if (kind !== 'number' || unit !== undefined || !Number.isInteger(count) || count < 1 || count > mostRows)
      this.#scanner.fail(`limit takes a whole number from 1 to ${mostRows}.`);
    this.#scanner.take();
    this.steps.push({ kind: 'limit', count });
    this.#isFirst = false;
  }

  dedup(): void {
    this.steps.push({ kind: 'dedup', of: this.#list('dedup').map(({ of }) => of) });
    this.#isFirst = false;
  }

  /** Expressions with their names: `a, b + 1 as c`. */
  #list(command: string): { readonly name: string; readonly of: Expression; readonly isNew: boolean }[] {
    const all: { name: string; of: Expression; isNew: boolean }[] = [];
    do {
      const of = this.#expressions.read();
      const alias = this.#scanner.takeWord('as') ? this.#expressions.name('the name of a field').text : undefined;
      const name = alias ?? of.field ?? of.text;
      all.push({ name, of, isNew: alias !== undefined || of.field === undefined });
      this.#count(command, all.length);
    } while (this.#scanner.takeSign(','));
    return all;
  }

  #count(command: string, parts: number): void {
    if (parts > mostParts) this.#scanner.fail(`${command} names ${mostParts} things at most.`);
  }

  #apply(made: readonly { readonly name: string; readonly of: Expression; readonly isNew: boolean }[]): void {
    const fresh = made.filter(({ isNew }) => isNew);
    if (fresh.length === 0) return;
    this.steps.push({
      kind: 'row',
      isFilter: false,
      apply: (row) => {
        // Each sees the row as it was before.
        const values = fresh.map(({ of }) => of.evaluate(row));
        for (const [index, { name }] of fresh.entries()) row.own.set(name, values[index]);
        return true;
      },
    });
    for (const { name } of fresh) this.#make(name);
  }

  #make(name: string): void {
    this.#scope.made.add(name);
  }

  #show(name: string): void {
    if (!this.#shown.some((one) => one.name === name)) this.#shown.push(plain(name));
  }

  /** `as a, b`; empty when there is none. */
  #aliases(): string[] {
    if (!this.#scanner.takeWord('as')) return [];
    const names: string[] = [];
    do {
      names.push(this.#expressions.name('the name of a field').text);
      this.#count('parse', names.length);
    } while (this.#scanner.takeSign(','));
    return names;
  }
}

const plain = (name: string): Shown => ({ name, of: fieldReader(name, name.split('.')) });

/** Never half of a character, which would be found nowhere. */
const beginningOf = (text: string): string => text.slice(0, termLength).replace(/[\ud800-\udbff]$/, '');

const commands: Readonly<Record<string, (of: Commands) => void>> = {
  __proto__: null as never,
  fields: (of) => of.fields(),
  filter: (of) => of.filter(),
  where: (of) => of.filter(),
  parse: (of) => of.parse(),
  stats: (of) => of.stats(),
  sort: (of) => of.sort(),
  limit: (of) => of.limit(),
  dedup: (of) => of.dedup(),
  display: (of) => of.display(),
};
