/** `*`: any run of characters, also none. */
export const anyRun = Symbol('*');
/** `?`: exactly one character. */
export const anyOne = Symbol('?');

/** A policy variable: `${aws:username}`, or with a default `${aws:username, 'nobody'}`. */
export interface Variable {
  /** The condition key, lower case. */
  readonly key: string;
  readonly fallback?: string;
}

/** A part of a pattern: literal text, a wildcard, or a variable whose value is compared literally. */
export type Piece = string | typeof anyRun | typeof anyOne | Variable;

/** What the request says about a condition key (lower case), or undefined when it says nothing. */
export type ContextLookup = (key: string) => string | readonly string[] | undefined;

export interface PatternSyntax {
  /** Whether `*` and `?` are wildcards; otherwise they are ordinary characters. */
  readonly wildcards: boolean;
  /** Whether `${…}` is a variable (policy version 2012-10-17); otherwise it is ordinary text. */
  readonly variables: boolean;
}

const variableSyntax = /^([^,'{}$]+?)\s*(?:,\s*'([^']*)'\s*)?$/;

/**
 * Splits a policy string into pieces. Under version 2012-10-17 `${*}`, `${?}` and `${$}` are the characters themselves.
 * @returns undefined when a `${` is not closed or does not name a key
 */
export function readPattern(text: string, syntax: PatternSyntax): readonly Piece[] | undefined {
  const pieces: Piece[] = [];
  let literal = '';
  const flush = (): void => {
    if (literal !== '') pieces.push(literal);
    literal = '';
  };
  for (let at = 0; at < text.length; at++) {
    const mark = text[at] as string;
    if (syntax.variables && mark === '$' && text[at + 1] === '{') {
      const end = text.indexOf('}', at);
      if (end === -1) return undefined;
      const inner = text.slice(at + 2, end);
      if (inner === '*' || inner === '?' || inner === '$') literal += inner;
      else {
        const match = variableSyntax.exec(inner.trim());
        if (match === null) return undefined;
        flush();
        const fallback = match[2];
        const key = (match[1] as string).toLowerCase();
        pieces.push(fallback === undefined ? { key } : { key, fallback });
      }
      at = end;
    } else if (syntax.wildcards && mark === '*') {
      flush();
      if (pieces.at(-1) !== anyRun) pieces.push(anyRun);
    } else if (syntax.wildcards && mark === '?') {
      flush();
      pieces.push(anyOne);
    } else literal += mark;
  }
  flush();
  return pieces;
}

/** Whether a pattern has variables. */
export function hasVariables(pieces: readonly Piece[]): boolean {
  return pieces.some((piece) => typeof piece === 'object');
}

/**
 * Puts the request's values in place of the variables; wildcard characters in values stay ordinary characters.
 * @returns undefined when a variable has no value, or several, and no default
 */
export function resolve(pieces: readonly Piece[], lookup: ContextLookup): readonly Piece[] | undefined {
  const resolved: Piece[] = [];
  for (const piece of pieces) {
    if (typeof piece !== 'object') resolved.push(piece);
    else {
      const value = lookup(piece.key);
      const text = typeof value === 'string' ? value : piece.fallback;
      if (text === undefined) return undefined;
      resolved.push(text);
    }
  }
  return resolved;
}

/** Literal text between two `*`, with the positions that any character may take. */
interface Chunk {
  readonly text: string;
  readonly holes: ReadonlySet<number> | undefined;
}

/**
 * A wildcard pattern without variables, compiled. Matching never backtracks over more than the chunk at hand: the
 * leftmost place of each chunk between two `*` is always the right one, so a thousand stars cost as much as one.
 */
export class Glob {
  readonly #chunks: readonly Chunk[];
  readonly #exact: string | undefined;
  readonly #everything: boolean;

  constructor(pieces: readonly Piece[]) {
    const chunks: Chunk[] = [];
    let text = '';
    let holes: Set<number> | undefined;
    for (const piece of pieces) {
      if (piece === anyRun) {
        chunks.push({ text, holes });
        text = '';
        holes = undefined;
      } else if (piece === anyOne) {
        holes ??= new Set();
        holes.add(text.length);
        text += '?';
      } else if (typeof piece === 'string') text += piece;
      else throw new TypeError(`variable ${piece.key} is not resolved`);
    }
    chunks.push({ text, holes });
    this.#chunks = chunks;
    this.#exact = chunks.length === 1 && holes === undefined ? text : undefined;
    this.#everything = chunks.length > 1 && chunks.every((chunk) => chunk.text === '');
  }

  matches(text: string): boolean {
    if (this.#everything) return true;
    if (this.#exact !== undefined) return this.#exact === text;
    const chunks = this.#chunks;
    const first = chunks[0] as Chunk;
    const last = chunks[chunks.length - 1] as Chunk;
    if (chunks.length === 1) return text.length === first.text.length && isAt(first, text, 0);
    const end = text.length - last.text.length;
    if (end < first.text.length || !isAt(first, text, 0) || !isAt(last, text, end)) return false;
    let at = first.text.length;
    for (let index = 1; index < chunks.length - 1; index++) {
      const chunk = chunks[index] as Chunk;
      const found = find(chunk, text, at, end);
      if (found === -1) return false;
      at = found + chunk.text.length;
    }
    return at <= end;
  }
}

function isAt(chunk: Chunk, text: string, at: number): boolean {
  if (chunk.holes === undefined) return text.startsWith(chunk.text, at);
  for (let index = 0; index < chunk.text.length; index++) {
    if (!chunk.holes.has(index) && text.charCodeAt(at + index) !== chunk.text.charCodeAt(index)) return false;
  }
  return true;
}

/** The first place at or after `from` where the chunk stands and ends at or before `end`, or -1. */
function find(chunk: Chunk, text: string, from: number, end: number): number {
  const lastStart = end - chunk.text.length;
  if (chunk.holes === undefined) {
    const found = text.indexOf(chunk.text, from);
    return found <= lastStart ? found : -1;
  }
  for (let at = from; at <= lastStart; at++) if (isAt(chunk, text, at)) return at;
  return -1;
}
