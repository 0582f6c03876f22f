import { arithmetic, sameKey } from './functions.ts';
import { Operands } from './operands.ts';
import { comparisonOf, type Expression } from './operators.ts';
import { type Regex, Regexes } from './regexes.ts';
import type { Scanner, Token } from './scanner.ts';
import type { Scope } from './scope.ts';
import { finite, isTrue, numberOf, textOf, type Value } from './values.ts';

/** How deep parentheses, functions and signs may lie in each other. */
const deepest = 50;

const comparisons = new Set(['=', '!=', '<', '<=', '>', '>=']);

/** Reads expressions, each as a function of rows. What a query has made so far decides what a name means. */
export class Expressions {
  readonly #scanner: Scanner;
  readonly #scope: Scope;
  readonly #operands: Operands;
  readonly #regexes = new Regexes();
  #depth = 0;

  /** @param now milliseconds since the epoch */
  constructor(scanner: Scanner, scope: Scope, now: number) {
    this.#scanner = scanner;
    this.#scope = scope;
    this.#operands = new Operands(scanner, scope, now, () => this.read());
  }

  /** Reads the expression that comes next. @throws QueryError */
  read(): Expression {
    const { start } = this.#scanner.next;
    if (++this.#depth > deepest)
      this.#scanner.fail(
        `expressions lie in each other more than ${deepest} deep. Give a part of it a name with fields … as.`,
      );
    const expression = this.#either();
    this.#depth--;
    return { ...expression, text: this.#text(start) };
  }

  /** Reads a name. @param what it is for, as in "the field to parse" */
  name(what: string): Token {
    if (this.#scanner.next.kind !== 'name')
      this.#scanner.fail(
        `${this.#scanner.shown} stands where ${what} must. Names with other characters than letters, digits, _, @ and points stand in backquotes.`,
      );
    return this.#scanner.take();
  }

  /** Reads a field, and nothing that follows it. */
  field(what: string): Expression {
    return this.#operands.field(this.name(what));
  }

  /** Reads `/expression/`, if it comes next. */
  regex(): Regex | undefined {
    const found = this.#scanner.takeRegex();
    return found && this.#regexes.compile(found);
  }

  /** What was read from `start` on, as it is written but for its white space: how columns are named. */
  #text(start: number): string {
    return this.#scanner.query
      .slice(start, this.#scanner.last)
      .replace(/\s{1,10000}/g, ' ')
      .trim();
  }

  #either(): Expression {
    const all = [this.#both()];
    while (this.#scanner.takeWord('or')) all.push(this.#both());
    if (all.length === 1) return all[0]!;
    return { text: '', evaluate: (row) => all.some(({ evaluate }) => isTrue(evaluate(row))) };
  }

  #both(): Expression {
    const all = [this.#negated()];
    while (this.#scanner.takeWord('and')) all.push(this.#negated());
    if (all.length === 1) return all[0]!;
    const streams = all.flatMap((one) => (one.streams === undefined ? [] : [one.streams]));
    return {
      text: '',
      evaluate: (row) => all.every(({ evaluate }) => isTrue(evaluate(row))),
      terms: all.flatMap(({ terms = [] }) => terms),
      ...(streams.length === 0
        ? {}
        : { streams: streams.reduce((some, others) => some.filter((one) => others.includes(one))) }),
    };
  }

  #negated(): Expression {
    let times = 0;
    while (this.#scanner.takeWord('not')) times++;
    const of = this.#comparison();
    if (times === 0) return of;
    return { text: '', evaluate: (row) => isTrue(of.evaluate(row)) === (times % 2 === 0) };
  }

  #comparison(): Expression {
    const scanner = this.#scanner;
    const left = this.#sum();
    const { kind, text } = scanner.next;
    if (kind === 'sign' && comparisons.has(text)) {
      scanner.take();
      return comparisonOf(text, left, this.#sum(), (field) => this.#scope.isOfEvents(field));
    }
    if (scanner.takeSign('=~')) return this.#like(left);
    const negated = scanner.isWord('not');
    if (negated) scanner.take();
    const found = scanner.takeWord('like') ? this.#like(left) : scanner.takeWord('in') ? this.#among(left) : undefined;
    if (found === undefined) return negated ? scanner.fail(`${scanner.shown} stands where like or in must.`) : left;
    return negated ? { text: '', evaluate: (row) => !isTrue(found.evaluate(row)) } : found;
  }

  #like(left: Expression): Expression {
    const { next } = this.#scanner;
    const regex = this.regex();
    if (regex === undefined && next.kind !== 'text')
      this.#scanner.fail(`${this.#scanner.shown} stands where "text" or /regular expression/ must.`);
    const part = regex === undefined ? this.#scanner.take().text : '';
    const needs = regex?.needs ?? part;
    return {
      text: '',
      evaluate: (row) => {
        const text = textOf(left.evaluate(row));
        if (text === undefined) return false;
        if (regex !== undefined) return regex.test(text, row);
        row.search(text, part);
        return text.includes(part);
      },
      ...(left.field === '@message' && this.#scope.isOfEvents('@message') && needs !== '' ? { terms: [needs] } : {}),
    };
  }

  #among(left: Expression): Expression {
    const scanner = this.#scanner;
    scanner.expectSign('[', 'Write what it may be as ["a", "b"].');
    const values: Value[] = [];
    do {
      const { start } = scanner.next;
      const one = this.#sum();
      if (one.constant !== true) scanner.fail('only texts and numbers can stand in this list.', start, scanner.last);
      values.push(one.evaluate(undefined as never));
    } while (scanner.takeSign(','));
    scanner.expectSign(']', 'The list is never closed.');
    const keys = new Set(values.map(sameKey));
    const texts = values.filter((value) => typeof value === 'string');
    const ofStream =
      left.field === '@logStream' && this.#scope.isOfEvents('@logStream') && texts.length === values.length;
    return {
      text: '',
      evaluate: (row) => {
        const key = sameKey(left.evaluate(row));
        return key !== undefined && keys.has(key);
      },
      // A name that reads as a number is like every other text that reads as the same one.
      ...(ofStream && texts.every((one) => numberOf(one) === undefined) ? { streams: texts } : {}),
    };
  }

  #sum(): Expression {
    return this.#chain(['+', '-'], () => this.#chain(['*', '/', '%'], () => this.#power()));
  }

  #power(): Expression {
    return this.#chain(['^'], () => this.#signed());
  }

  /** Operands one behind the other, from the left: a long row of them lies no deeper than a short one. */
  #chain(signs: readonly string[], operand: () => Expression): Expression {
    const first = operand();
    const others: { readonly of: (one: number, other: number) => number; readonly right: Expression }[] = [];
    while (this.#scanner.next.kind === 'sign' && signs.includes(this.#scanner.next.text)) {
      const of = arithmetic[this.#scanner.take().text]!;
      others.push({ of, right: operand() });
    }
    if (others.length === 0) return first;
    return {
      text: '',
      constant: first.constant === true && others.every(({ right }) => right.constant === true),
      evaluate: (row) => {
        let sum = numberOf(first.evaluate(row));
        for (const { of, right } of others) {
          const number = numberOf(right.evaluate(row));
          if (sum === undefined || number === undefined) return undefined;
          sum = finite(of(sum, number));
        }
        return sum;
      },
    };
  }

  #signed(): Expression {
    let times = 0;
    while (this.#scanner.takeSign('-')) times++;
    const of = this.#operands.read();
    if (times === 0) return of;
    const sign = times % 2 === 0 ? 1 : -1;
    return {
      text: '',
      constant: of.constant,
      evaluate: (row) => {
        const number = numberOf(of.evaluate(row));
        return number === undefined ? undefined : sign * number;
      },
    };
  }
}
