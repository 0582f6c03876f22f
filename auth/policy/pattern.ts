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

const variableSyntax = /^([^,'{}$]*[^,'{}$\s])\s*(?:,\s*'([^']*)'\s*)?$/;

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

/** What stands between two `*`: text in which some positions may be any character. */
interface Chunk {
  readonly length: number;
  isAt(text: string, at: number): boolean;
  /** The first place at or after `from` where the chunk stands, or -1. */
  find(text: string, from: number): number;
}

function literalChunk(literal: string): Chunk {
  return {
    length: literal.length,
    isAt: (text, at) => text.startsWith(literal, at),
    find: (text, from) => text.indexOf(literal, from),
  };
}

/**
 * A chunk with `?` in it. It is found with one bit per position of the chunk ("shift-and"): a step of the text moves all
 * bits on, 32 at a time, so no pattern makes the search slow.
 */
function chunkWithHoles(literal: string, holes: ReadonlySet<number>): Chunk {
  const words = Math.ceil(literal.length / 32);
  const open = new Uint32Array(words);
  for (const hole of holes) open[hole >>> 5] = (open[hole >>> 5] as number) | (1 << (hole & 31));
  const masks = new Map<number, Uint32Array>();
  for (let index = 0; index < literal.length; index++) {
    if (holes.has(index)) continue;
    const code = literal.charCodeAt(index);
    const mask = masks.get(code) ?? Uint32Array.from(open);
    mask[index >>> 5] = (mask[index >>> 5] as number) | (1 << (index & 31));
    masks.set(code, mask);
  }
  const lastBit = 1 << ((literal.length - 1) & 31);
  return {
    length: literal.length,
    isAt(text, at) {
      for (let index = 0; index < literal.length; index++) {
        if (!holes.has(index) && text.charCodeAt(at + index) !== literal.charCodeAt(index)) return false;
      }
      return true;
    },
    find(text, from) {
      const state = new Uint32Array(words);
      for (let at = from; at < text.length; at++) {
        const mask = masks.get(text.charCodeAt(at)) ?? open;
        let carry = 1;
        for (let word = 0; word < words; word++) {
          const bits = state[word] as number;
          state[word] = ((bits << 1) | carry) & (mask[word] as number);
          carry = bits >>> 31;
        }
        if (((state[words - 1] as number) & lastBit) !== 0) return at - literal.length + 1;
      }
      return -1;
    },
  };
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
    let holes = new Set<number>();
    const close = (): void => {
      chunks.push(holes.size === 0 ? literalChunk(text) : chunkWithHoles(text, holes));
    };
    for (const piece of pieces) {
      if (piece === anyRun) {
        close();
        text = '';
        holes = new Set();
      } else if (piece === anyOne) {
        holes.add(text.length);
        text += '?';
      } else if (typeof piece === 'string') text += piece;
      else throw new TypeError(`variable ${piece.key} is not resolved`);
    }
    close();
    this.#chunks = chunks;
    this.#exact = chunks.length === 1 && holes.size === 0 ? text : undefined;
    this.#everything = chunks.length > 1 && chunks.every((chunk) => chunk.length === 0);
  }

  matches(text: string): boolean {
    if (this.#everything) return true;
    if (this.#exact !== undefined) return this.#exact === text;
    const chunks = this.#chunks;
    const first = chunks[0] as Chunk;
    const last = chunks[chunks.length - 1] as Chunk;
    if (chunks.length === 1) return text.length === first.length && first.isAt(text, 0);
    const end = text.length - last.length;
    if (end < first.length || !first.isAt(text, 0) || !last.isAt(text, end)) return false;
    let at = first.length;
    for (let index = 1; index < chunks.length - 1; index++) {
      const chunk = chunks[index] as Chunk;
      const found = chunk.find(text, at);
      if (found === -1 || found + chunk.length > end) return false;
      at = found + chunk.length;
    }
    return true;
  }
}

/** A text in which `*` is any run of characters and `?` one, compiled; matching takes linear time whatever is in it. */
export function textGlob(pattern: string): (text: string) => boolean {
  const glob = new Glob(readPattern(pattern, { wildcards: true, variables: false }) ?? []);
  return (text) => glob.matches(text);
}
