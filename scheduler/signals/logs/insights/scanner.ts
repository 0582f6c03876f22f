import { QueryError } from './errors.ts';

/** One word of a query. Offsets are into the query. */
export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'sign' | 'end';
  /** What it says: of a text what is between its quotation marks, of a name without its backquotes. */
  readonly text: string;
  /** A name that was written in backquotes is never a keyword, and is one part however many points it has. */
  readonly quoted?: true;
  /** Of a number the letters that follow it: `5m`. */
  readonly unit?: string;
  /** Of a name: its parts, between points and in brackets. */
  readonly parts?: readonly string[];
  readonly start: number;
  readonly end: number;
}

const signs = ['!=', '<=', '>=', '=~', '=', '<', '>', '+', '-', '*', '/', '^', '%', '(', ')', '[', ']', ',', '|'];
const nameStart = /[A-Za-z_@]/;
const namePart = /[A-Za-z0-9_@]/;

/** A query, and how far it is read. */
export class Scanner {
  readonly query: string;
  #at = 0;
  #next: Token | undefined;
  /** Where the last token that was taken ends. */
  last = 0;

  constructor(query: string) {
    this.query = query;
  }

  /** The token that comes next. @throws QueryError when there is none that a query can have */
  get next(): Token {
    this.#next ??= this.#read();
    return this.#next;
  }

  take(): Token {
    const token = this.next;
    this.#next = undefined;
    this.last = token.end;
    return token;
  }

  /** Goes on at an offset. */
  skipTo(at: number): void {
    this.#at = at;
    this.#next = undefined;
    this.last = at;
  }

  /** Takes the next token if it is this sign. */
  takeSign(sign: string): boolean {
    const { kind, text } = this.next;
    if (kind !== 'sign' || text !== sign) return false;
    this.take();
    return true;
  }

  isWord(word: string): boolean {
    const { kind, text, quoted } = this.next;
    return kind === 'name' && quoted === undefined && text.toLowerCase() === word;
  }

  /** Takes the next token if it is this keyword, in letters of whichever case. */
  takeWord(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.take();
    return true;
  }

  expectSign(sign: string, why: string): void {
    if (!this.takeSign(sign)) this.fail(`${this.shown} stands where ${sign} must. ${why}`);
  }

  /** Takes `/expression/`, if it comes next. @returns what is between the slashes, and where it begins */
  takeRegex(): { readonly source: string; readonly start: number; readonly end: number } | undefined {
    const { kind, text, start } = this.next;
    if (kind !== 'sign' || text !== '/') return undefined;
    let at = start + 1;
    let within = false;
    for (; at < this.query.length; at++) {
      const character = this.query.charAt(at);
      if (character === '\\') at++;
      else if (character === '[') within = true;
      else if (character === ']') within = false;
      else if (character === '/' && !within) break;
    }
    if (at >= this.query.length)
      this.fail('the regular expression is never closed. Add a / at its end.', start, this.query.length);
    this.skipTo(at + 1);
    // A slash needs its backslash here alone.
    return { source: this.query.slice(start + 1, at).replaceAll('\\/', '/'), start, end: this.#at };
  }

  /** @throws QueryError at the next token, or elsewhere */
  fail(sentence: string, start = this.next.start, end = this.next.end): never {
    throw new QueryError(start, end, sentence);
  }

  /** How messages name what comes next. */
  get shown(): string {
    const { kind, start, end } = this.next;
    return kind === 'end' ? 'the end of the query' : `'${shortened(this.query.slice(start, end))}'`;
  }

  #read(): Token {
    this.#skip();
    const start = this.#at;
    const character = this.query.charAt(start);
    if (character === '') return { kind: 'end', text: '', start, end: start };
    if (character === '"' || character === "'") return this.#text(character);
    if (character === '`' || nameStart.test(character)) return this.#name();
    if (/[0-9]/.test(character) || (character === '.' && /[0-9]/.test(this.query.charAt(start + 1))))
      return this.#number();
    const sign = signs.find((one) => this.query.startsWith(one, start));
    if (sign === undefined) {
      const shown = String.fromCodePoint(this.query.codePointAt(start) as number);
      throw new QueryError(
        start,
        start + shown.length,
        `'${shown}' is no part of a query. Names with other characters than letters, digits, _, @ and points stand in backquotes.`,
      );
    }
    this.#at += sign.length;
    return { kind: 'sign', text: sign, start, end: this.#at };
  }

  /** White space, and comments up to the end of their line. */
  #skip(): void {
    for (;;) {
      while (this.#at < this.query.length && /\s/.test(this.query.charAt(this.#at))) this.#at++;
      if (this.query.charAt(this.#at) !== '#') return;
      const end = this.query.indexOf('\n', this.#at);
      this.#at = end === -1 ? this.query.length : end;
    }
  }

  #text(mark: string): Token {
    const start = this.#at++;
    let text = '';
    for (;;) {
      const character = this.query.charAt(this.#at);
      if (character === '')
        throw new QueryError(start, this.query.length, `the text is never closed. Add a ${mark} at its end.`);
      this.#at++;
      if (character === mark) return { kind: 'text', text, start, end: this.#at };
      const next = this.query.charAt(this.#at);
      if (character === '\\' && (next === mark || next === '\\')) {
        text += next;
        this.#at++;
      } else text += character;
    }
  }

  #number(): Token {
    const start = this.#at;
    const [written = '', number = '', unit = ''] =
      /^([0-9]{0,30}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,4})?)([A-Za-z_]{0,30})/.exec(
        this.query.slice(start, start + 100),
      ) ?? [];
    this.#at += written.length;
    return { kind: 'number', text: number, ...(unit === '' ? {} : { unit }), start, end: this.#at };
  }

  #name(): Token {
    const start = this.#at;
    const parts: string[] = [];
    let quoted = false;
    for (;;) {
      if (this.query.charAt(this.#at) === '`') {
        quoted = true;
        parts.push(this.#backquoted());
      } else parts.push(this.#part());
      // Places in lists, as .0 or as [0].
      for (;;) {
        const [index, digits = ''] = /^\[([0-9]{1,9})\]/.exec(this.query.slice(this.#at, this.#at + 11)) ?? [];
        if (index === undefined) break;
        this.#at += index.length;
        parts.push(digits);
      }
      if (this.query.charAt(this.#at) !== '.') break;
      this.#at++;
      const next = this.query.charAt(this.#at);
      if (next !== '`' && !namePart.test(next))
        throw new QueryError(
          this.#at,
          Math.min(this.#at + 1, this.query.length),
          'a name ends in a point. Write what follows it, or take it away.',
        );
    }
    const text = parts.join('.');
    return { kind: 'name', text, parts, ...(quoted ? { quoted: true } : {}), start, end: this.#at };
  }

  #part(): string {
    const start = this.#at;
    while (this.#at < this.query.length && namePart.test(this.query.charAt(this.#at))) this.#at++;
    return this.query.slice(start, this.#at);
  }

  #backquoted(): string {
    const start = this.#at;
    const end = this.query.indexOf('`', start + 1);
    if (end === -1) throw new QueryError(start, this.query.length, 'the name is never closed. Add a ` at its end.');
    if (end === start + 1) throw new QueryError(start, end + 1, 'there is no name between the backquotes.');
    this.#at = end + 1;
    return this.query.slice(start + 1, end);
  }
}

const shortened = (text: string): string => (text.length <= 40 ? text : `${text.slice(0, 39)}…`);
