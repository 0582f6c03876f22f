import type { AlarmState } from '../evaluation/index.ts';

/** The rule of a composite alarm, as it was read. */
export type CompositeRule =
  | { readonly kind: 'state'; readonly state: AlarmState; readonly alarm: string }
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'not'; readonly of: CompositeRule }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly CompositeRule[] };

/** A rule that cannot be read; `at` is the place of the character that is wrong, from 1. */
export class RuleError extends Error {
  readonly at: number;

  constructor(what: string, at: number) {
    super(`${what} at character ${at} of the rule.`);
    this.at = at;
  }
}

/** The longest rule, and how deep brackets and NOT may lie in each other. */
export const longestRule = 10_240;
const deepest = 100;

/** Different alarms that one rule may name. */
export const mostChildren = 100;

const states = ['ALARM', 'OK', 'INSUFFICIENT_DATA'] as const satisfies readonly AlarmState[];

interface Token {
  readonly text: string;
  /** From 0. */
  readonly at: number;
}

/**
 * Reads the rule of a composite alarm (CloudWatch API reference, PutCompositeAlarm): `ALARM("a") AND (NOT OK(b) OR TRUE)`. NOT binds closest,
 * then AND, then OR. Names stand in quotation marks where they hold blanks or brackets; `\` keeps a quotation mark in one. An alarm may be named
 * by its ARN.
 * @throws RuleError
 */
export function parseRule(text: string): CompositeRule {
  if (text.length > longestRule) throw new RuleError(`More than ${longestRule} characters`, longestRule + 1);
  return new Reader(text).read();
}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  readonly #children = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  read(): CompositeRule {
    const rule = this.#or();
    const rest = this.#peek();
    if (rest.text !== '') throw this.#wrong('Expected AND, OR or the end', rest);
    if (this.#children.size > mostChildren)
      throw new RuleError(`More than ${mostChildren} different alarms`, this.#text.length);
    return rule;
  }

  #or(): CompositeRule {
    return this.#chain('or', 'OR', () => this.#chain('and', 'AND', () => this.#not()));
  }

  #chain(kind: 'and' | 'or', word: string, part: () => CompositeRule): CompositeRule {
    const first = part();
    const parts = [first];
    while (this.#takes(word)) parts.push(part());
    return parts.length === 1 ? first : { kind, parts };
  }

  #not(): CompositeRule {
    const begin = this.#peek();
    if (++this.#depth > deepest) throw new RuleError(`More than ${deepest} levels`, begin.at + 1);
    const rule = this.#takes('NOT') ? ({ kind: 'not', of: this.#not() } as const) : this.#one();
    this.#depth--;
    return rule;
  }

  #one(): CompositeRule {
    const token = this.#peek();
    if (this.#takes('(')) {
      const rule = this.#or();
      this.#expect(')');
      return rule;
    }
    if (this.#takes('TRUE')) return { kind: 'constant', value: true };
    if (this.#takes('FALSE')) return { kind: 'constant', value: false };
    for (const state of states)
      if (this.#takes(state)) {
        this.#expect('(');
        const alarm = this.#name();
        this.#expect(')');
        this.#children.add(alarm);
        return { kind: 'state', state, alarm };
      }
    throw this.#wrong('Expected ALARM, OK, INSUFFICIENT_DATA, NOT, TRUE, FALSE or (', token);
  }

  #name(): string {
    this.#skip();
    const from = this.#at;
    const quote = this.#text[from];
    if (quote !== '"' && quote !== "'") {
      const [bare = ''] = /^[^\s()"',]+/.exec(this.#text.slice(from, from + 2000)) ?? [];
      if (bare === '') throw new RuleError('Expected the name of an alarm', from + 1);
      this.#at += bare.length;
      return nameOf(bare, from);
    }
    let name = '';
    for (let at = from + 1; at < this.#text.length; at++) {
      const character = this.#text[at] ?? '';
      if (character === quote) {
        if (name === '') throw new RuleError('The name of an alarm is empty', from + 1);
        this.#at = at + 1;
        return nameOf(name, from);
      }
      const next = this.#text[at + 1];
      if (character === '\\' && (next === quote || next === '\\')) {
        name += next;
        at++;
      } else name += character;
    }
    throw new RuleError('The quotation mark has no end', from + 1);
  }

  #skip(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  /** The next word or bracket, in capitals; empty at the end. */
  #peek(): Token {
    this.#skip();
    const at = this.#at;
    const first = this.#text[at] ?? '';
    const [word = first] = /^\w+/.exec(this.#text.slice(at, at + 64)) ?? [];
    return { text: word.toUpperCase(), at };
  }

  #takes(word: string): boolean {
    const { text } = this.#peek();
    if (text !== word) return false;
    this.#at += word.length;
    return true;
  }

  #expect(bracket: string): void {
    const token = this.#peek();
    if (!this.#takes(bracket)) throw this.#wrong(`Expected ${bracket}`, token);
  }

  #wrong(what: string, { text, at }: Token): RuleError {
    return new RuleError(
      `${what}, not ${text === '' ? 'the end' : `'${this.#text.slice(at, at + text.length)}'`},`,
      at + 1,
    );
  }
}

/** The name in an ARN of an alarm; any other text is a name itself. */
function nameOf(text: string, from: number): string {
  if (!text.startsWith('arn:')) return checked(text, from);
  const [, name] = /^arn:[^:]*:cloudwatch:[^:]*:\d*:alarm:(.+)$/.exec(text) ?? [];
  if (name === undefined) throw new RuleError('The ARN is not one of an alarm', from + 1);
  return checked(name, from);
}

function checked(name: string, from: number): string {
  if (name.length > 255) throw new RuleError('The name of an alarm has more than 255 characters', from + 1);
  return name;
}
