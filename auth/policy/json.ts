import { MalformedPolicy } from './errors.ts';

/** JSON with the place of every value, so that errors in a policy can name it. */
export type JsonNode = JsonObject | JsonArray | JsonScalar;

export interface JsonObject {
  readonly kind: 'object';
  readonly start: number;
  readonly end: number;
  readonly members: readonly JsonMember[];
}

export interface JsonMember {
  readonly key: string;
  readonly start: number;
  readonly value: JsonNode;
}

export interface JsonArray {
  readonly kind: 'array';
  readonly start: number;
  readonly end: number;
  readonly items: readonly JsonNode[];
}

export interface JsonScalar {
  readonly kind: 'string' | 'number' | 'boolean' | 'null';
  readonly start: number;
  readonly end: number;
  /** The string's value, or the source text of a number, `true`, `false` or `null`. */
  readonly text: string;
}

/** Deeper than any policy goes; keeps the reader's stack small whatever it is fed. */
const maxDepth = 24;

const numberSyntax = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const space = /[ \t\r\n]*/y;
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** A character that stands for itself inside a string; false also for the NaN after the end. */
const isPlain = (code: number): boolean => code >= 0x20 && code !== 0x22 && code !== 0x5c;

/** The line and column, counted from 1, of an offset in a text. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let next = text.indexOf('\n'); next !== -1 && next < offset; next = text.indexOf('\n', next + 1)) {
    line++;
    lineStart = next + 1;
  }
  return { line, column: offset - lineStart + 1 };
}

/**
 * Reads strict JSON (RFC 8259) and refuses what `JSON.parse` lets pass but IAM does not: an object that has the same key twice.
 * @throws MalformedPolicy
 */
export function readJson(text: string): JsonNode {
  const reader = new Reader(text);
  return reader.document();
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonNode {
    const node = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length)
      this.#fail('This policy contains invalid Json: text after the end of the document');
    return node;
  }

  #fail(problem: string, at = this.#at): never {
    throw new MalformedPolicy(problem, { path: '', ...placeOf(this.#text, at) });
  }

  #skipSpace(): void {
    space.lastIndex = this.#at;
    space.test(this.#text);
    this.#at = space.lastIndex;
  }

  #value(depth: number): JsonNode {
    if (depth > maxDepth) this.#fail('This policy contains invalid Json: nested too deeply for a policy');
    this.#skipSpace();
    const start = this.#at;
    switch (this.#text[start]) {
      case '{':
        return this.#object(start, depth);
      case '[':
        return this.#array(start, depth);
      case '"':
        return { kind: 'string', start, text: this.#string(), end: this.#at };
      case 't':
        return this.#word(start, 'true', 'boolean');
      case 'f':
        return this.#word(start, 'false', 'boolean');
      case 'n':
        return this.#word(start, 'null', 'null');
      case undefined:
        return this.#fail('This policy contains invalid Json: it ends where a value is expected');
      default:
        return this.#number(start);
    }
  }

  #word(start: number, word: string, kind: 'boolean' | 'null'): JsonScalar {
    if (!this.#text.startsWith(word, start)) this.#fail('This policy contains invalid Json: not a value');
    this.#at = start + word.length;
    return { kind, start, end: this.#at, text: word };
  }

  #number(start: number): JsonScalar {
    numberSyntax.lastIndex = start;
    if (!numberSyntax.test(this.#text)) this.#fail('This policy contains invalid Json: not a value');
    this.#at = numberSyntax.lastIndex;
    return { kind: 'number', start, end: this.#at, text: this.#text.slice(start, this.#at) };
  }

  #string(): string {
    const opened = this.#at;
    let value = '';
    this.#at++;
    for (;;) {
      const from = this.#at;
      while (isPlain(this.#text.charCodeAt(this.#at))) this.#at++;
      value += this.#text.slice(from, this.#at);
      const mark = this.#text[this.#at];
      if (mark === '"') {
        this.#at++;
        return value;
      }
      if (mark === undefined) this.#fail('This policy contains invalid Json: a string is not closed', opened);
      if (mark !== '\\') this.#fail('This policy contains invalid Json: a control character inside a string');
      value += this.#escape();
    }
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.#fail('This policy contains invalid Json: not a \\u escape');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const plain = Object.hasOwn(escapes, letter) ? escapes[letter] : undefined;
    if (plain === undefined) this.#fail('This policy contains invalid Json: not an escape sequence');
    this.#at += 2;
    return plain;
  }

  #array(start: number, depth: number): JsonArray {
    const items: JsonNode[] = [];
    this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === ']') {
      this.#at++;
      return { kind: 'array', start, end: this.#at, items };
    }
    for (;;) {
      items.push(this.#value(depth + 1));
      if (this.#separator(']')) return { kind: 'array', start, end: this.#at, items };
    }
  }

  #object(start: number, depth: number): JsonObject {
    const members: JsonMember[] = [];
    const keys = new Set<string>();
    this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return { kind: 'object', start, end: this.#at, members };
    }
    for (;;) {
      this.#skipSpace();
      const keyAt = this.#at;
      if (this.#text[keyAt] !== '"') this.#fail('This policy contains invalid Json: a member name is expected');
      const key = this.#string();
      if (keys.has(key)) this.#fail(`This policy contains invalid Json: duplicate key "${key}"`, keyAt);
      keys.add(key);
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') this.#fail('This policy contains invalid Json: ":" is expected');
      this.#at++;
      members.push({ key, start: keyAt, value: this.#value(depth + 1) });
      if (this.#separator('}')) return { kind: 'object', start, end: this.#at, members };
    }
  }

  /** Consumes `,` (false) or the closing mark (true). */
  #separator(close: ']' | '}'): boolean {
    this.#skipSpace();
    const mark = this.#text[this.#at];
    if (mark !== ',' && mark !== close) this.#fail(`This policy contains invalid Json: "," or "${close}" is expected`);
    this.#at++;
    return mark === close;
  }
}
