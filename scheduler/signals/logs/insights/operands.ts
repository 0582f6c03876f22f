import { functionNames, functionOf } from './functions.ts';
import type { Expression } from './operators.ts';
import { fieldReader } from './row.ts';
import type { Scanner, Token } from './scanner.ts';
import { endOf, type Scope } from './scope.ts';
import { ceilTo, floorTo, type Period, periodOf } from './times.ts';
import { Instant, numberOf } from './values.ts';

/** Functions of `stats`. */
const aggregates: ReadonlySet<string> = new Set([
  'count',
  'count_distinct',
  'sum',
  'avg',
  'min',
  'max',
  'stddev',
  'pct',
  'earliest',
  'latest',
  'sortsfirst',
  'sortslast',
]);

/** Reads what stands between operators: fields, numbers, texts, functions, and expressions in parentheses. */
export class Operands {
  readonly #scanner: Scanner;
  readonly #scope: Scope;
  readonly #now: number;
  readonly #expression: () => Expression;

  /**
   * @param now milliseconds since the epoch
   * @param expression reads a whole one
   */
  constructor(scanner: Scanner, scope: Scope, now: number, expression: () => Expression) {
    this.#scanner = scanner;
    this.#scope = scope;
    this.#now = now;
    this.#expression = expression;
  }

  /** Reads the operand that comes next. @throws QueryError */
  read(): Expression {
    const scanner = this.#scanner;
    if (scanner.takeSign('(')) {
      const within = this.#expression();
      scanner.expectSign(')', 'The parenthesis is never closed.');
      return within;
    }
    const column = this.#column();
    if (column !== undefined) return column;
    const token = scanner.next;
    if (token.kind === 'text') {
      scanner.take();
      return { text: '', constant: true, literal: token.text, evaluate: () => token.text };
    }
    if (token.kind === 'number') {
      scanner.take();
      const number = Number(token.text);
      if (token.unit !== undefined || !Number.isFinite(number))
        scanner.fail(
          `'${token.text}${token.unit ?? ''}' is no number. Periods of time are for bin, datefloor and dateceil.`,
          token.start,
          token.end,
        );
      return { text: '', constant: true, evaluate: () => number };
    }
    if (token.kind !== 'name')
      scanner.fail(`${scanner.shown} stands where a field, a number, a "text" or a function must.`);
    scanner.take();
    if (scanner.next.kind === 'sign' && scanner.next.text === '(' && token.quoted === undefined)
      return this.#call(token);
    if (token.quoted === undefined && /^(?:true|false)$/i.test(token.text)) {
      const value = token.text.toLowerCase() === 'true';
      return { text: '', constant: true, evaluate: () => value };
    }
    return this.field(token);
  }

  /** A field by its name. @throws QueryError where there is none */
  field({ text, parts = [text], start, end }: Token): Expression {
    if (this.#scope.aggregate !== undefined)
      this.#scanner.fail(
        `'${text}' stands where a function of stats must, as in count(*) or avg(${text}).`,
        start,
        end,
      );
    if (this.#scope.columns !== undefined && !this.#scope.made.has(text) && !this.#scope.made.has(parts[0] ?? ''))
      this.#scanner.fail(
        `there is no '${text}' any more: after stats there are ${[...this.#scope.made].slice(0, 20).join(', ')}.`,
        start,
        end,
      );
    return { text, field: text, evaluate: fieldReader(text, parts) };
  }

  #call({ text: name, start, end }: Token): Expression {
    const scanner = this.#scanner;
    const lower = name.toLowerCase();
    if (this.#scope.aggregate !== undefined && aggregates.has(lower)) return this.#aggregated(lower, start);
    scanner.take();
    if (['bin', 'datefloor', 'dateceil'].includes(lower)) return this.#time(lower);
    const args: Expression[] = [];
    if (!scanner.takeSign(')')) {
      do args.push(this.#expression());
      while (scanner.takeSign(','));
      scanner.expectSign(')', `The parenthesis of ${name} is never closed.`);
    }
    if (lower === 'now') {
      const seconds = Math.floor(this.#now / 1000);
      return { text: '', constant: true, evaluate: () => seconds };
    }
    const found = functionOf(name);
    if (found === undefined)
      return scanner.fail(
        aggregates.has(lower)
          ? `${name} is a function of stats: stats ${name}(…) by ….`
          : `there is no function ${name}. There are ${functionNames().join(', ')}, bin, datefloor, dateceil and now.`,
        start,
        end,
      );
    const [least, most] = found.takes;
    if (args.length < least || args.length > most)
      scanner.fail(`${name} is written ${found.written}.`, start, scanner.last);
    return {
      text: '',
      evaluate: (row) =>
        found.of(
          args.map(({ evaluate }) => evaluate(row)),
          row,
        ),
    };
  }

  /** A function of `stats`, in whose arguments there are fields, and no such functions. */
  #aggregated(name: string, start: number): Expression {
    const scanner = this.#scanner;
    const { aggregate } = this.#scope;
    this.#scope.aggregate = undefined;
    scanner.take();
    const args: Expression[] = [];
    const isAll = name === 'count' && scanner.takeSign('*');
    if (!isAll && !(scanner.next.kind === 'sign' && scanner.next.text === ')'))
      do args.push(this.#expression());
      while (scanner.takeSign(','));
    scanner.expectSign(')', `The parenthesis of ${name} is never closed.`);
    this.#scope.aggregate = aggregate;
    return aggregate!({ name, args, start, end: scanner.last });
  }

  /** `bin(5m)`, `bin(field, 5m)`, `datefloor(field, 1h)`. */
  #time(name: string): Expression {
    const scanner = this.#scanner;
    let of: Expression | undefined;
    if (scanner.next.kind !== 'number') {
      of = this.#expression();
      scanner.expectSign(',', `${name} needs a period, as in ${name}(@timestamp, 5m).`);
    } else if (name !== 'bin') scanner.fail(`${name} needs a time and a period: ${name}(@timestamp, 5m).`);
    const period = this.#period();
    scanner.expectSign(')', `The parenthesis of ${name} is never closed.`);
    if (of === undefined && this.#scope.columns !== undefined)
      scanner.fail('after stats there is no @timestamp any more: give bin the name of a column, as in bin(hour, 1d).');
    const time = of?.evaluate ?? fieldReader('@timestamp', ['@timestamp']);
    const round = name === 'dateceil' ? ceilTo : floorTo;
    return {
      text: '',
      evaluate: (row) => {
        const ms = numberOf(time(row));
        return ms === undefined || Math.abs(ms) > 8.64e14 ? undefined : new Instant(round(ms, period));
      },
    };
  }

  #period(): Period {
    const { kind, text, unit, start } = this.#scanner.next;
    if (kind === 'number') {
      this.#scanner.take();
      // As one word, or as two.
      const named = unit ?? (this.#scanner.next.kind === 'name' ? this.#scanner.take().text : '');
      const period = periodOf(Number(text), named);
      if (period !== undefined) return period;
    }
    return this.#scanner.fail(
      'a period is a whole number of ms, s, m, h, d, w, mo, q or y, as in 5m.',
      start,
      this.#scanner.last,
    );
  }

  /** A column of `stats` that was written as what comes next is: `count(*)`. */
  #column(): Expression | undefined {
    if (this.#scope.columns === undefined || this.#scope.aggregate !== undefined) return undefined;
    const scanner = this.#scanner;
    let found: { readonly name: string; readonly end: number } | undefined;
    for (const [like, name] of this.#scope.columns) {
      const end = like.includes('(') ? endOf(like, scanner.query, scanner.next.start) : undefined;
      if (end !== undefined && end > (found?.end ?? 0)) found = { name, end };
    }
    if (found === undefined) return undefined;
    scanner.skipTo(found.end);
    return { text: '', field: found.name, evaluate: fieldReader(found.name, [found.name]) };
  }
}
