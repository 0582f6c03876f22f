import { RE2JS } from 're2js';

import { QueryError } from './errors.ts';
import type { Row } from './row.ts';

/** A regular expression, which takes time in proportion to the text whatever it is (RE2JS: kept by one author, releases every few weeks). */
export interface Regex {
  readonly test: (text: string, row: Row) => boolean;
  /** What its groups match: by number, undefined where one took no part; undefined when nothing matches. */
  readonly groups: (text: string, row: Row) => readonly (string | undefined)[] | undefined;
  /** The numbers of the groups that have names. */
  readonly names: ReadonlyMap<string, number>;
  readonly groupCount: number;
  /** A text that everything that matches holds; empty where none is known. */
  readonly needs: string;
}

/** How much of a text is looked at, characters: the rest of one line may be a megabyte. */
export const lookedAt = 16_384;
/** Instructions of all expressions of a query together, with repetitions written out. */
const mostInstructions = 2000;
/** How much of a text all expressions of a query are tried at together, instructions times characters: some 100 ms at their slowest. */
const mostSteps = 4 * 1024 * 1024;
/** Parts of one expression, counted before it is compiled: that takes time and memory for each of its instructions, of which there could be a million. */
const mostParts = 4 * mostInstructions;

/** Reads the regular expressions of one query, which share a budget. */
export class Regexes {
  #instructions = 0;

  /** @throws QueryError at the expression */
  compile({ source, start, end }: { readonly source: string; readonly start: number; readonly end: number }): Regex {
    if (source === '')
      throw new QueryError(start, end, 'the regular expression is empty. Write one between the slashes.');
    const tooLong = (): never => {
      throw new QueryError(
        start,
        end,
        `the regular expressions of the query are too long with their repetitions written out: ${mostInstructions} steps at most.`,
      );
    };
    if (partsOf(source) > mostParts) tooLong();
    const pattern = compiled(source, start, end);
    const size = pattern.programSize();
    this.#instructions += size;
    if (this.#instructions > mostInstructions) tooLong();
    const shorten = (text: string, row: Row, times: number): string => {
      // Other requests wait meanwhile: what long expressions look at is shorter.
      const most = Math.min(lookedAt, Math.floor(mostSteps / this.#instructions));
      const seen = text.length > most ? text.slice(0, most) : text;
      row.spend((times * seen.length * (size + 32)) / 32);
      return seen;
    };
    const groupCount = pattern.groupCount();
    return {
      test: (text, row) => pattern.test(shorten(text, row, 1)),
      groups: (text, row) => {
        // Each step copies where all groups are.
        const matcher = pattern.matcher(shorten(text, row, 1 + groupCount));
        if (!matcher.find()) return undefined;
        return Array.from({ length: groupCount + 1 }, (_, group) => matcher.group(group) ?? undefined);
      },
      names: new Map(Object.entries(pattern.namedGroups())),
      groupCount,
      needs: /^[\w :=,-]+$/.test(source) ? source : '',
    };
  }
}

/** How many characters, classes and other parts an expression has with its repetitions written out, about; of one that cannot be read any number. */
export function partsOf(source: string): number {
  const outer: number[] = [];
  let sum = 0;
  let last = 0;
  for (let at = 0; at < source.length; at++) {
    const character = source.charAt(at);
    if (character === '{') {
      const [written = '', least = '', most = ''] =
        /^\{(\d{1,9})(?:,(\d{0,9}))?\}/.exec(source.slice(at, at + 24)) ?? [];
      const times = Math.max(1, Number(least), Number(most));
      sum += last * (times - 1);
      last *= times;
      at += Math.max(0, written.length - 1);
    } else if (character === '(') {
      outer.push(sum);
      sum = 0;
      last = 0;
    } else if (character === ')') {
      last = sum + 1;
      sum = last + (outer.pop() ?? 0);
    } else if (!'*+?|}'.includes(character)) {
      if (source.startsWith('\\Q', at)) {
        // What is quoted is as long as it is written.
        const end = source.indexOf('\\E', at + 2);
        sum += source.slice(at, end === -1 ? undefined : end).length;
        at = end === -1 ? source.length : end + 1;
      } else if (/^\\[xpP]\{/.test(source.slice(at, at + 3))) at = Math.max(at, source.indexOf('}', at));
      else if (character === '\\') at++;
      else if (character === '[') at = endOfClass(source, at);
      last = 1;
      sum++;
    }
  }
  return outer.reduce((all, one) => all + one, sum);
}

/** Where the class that begins at a bracket has its last one. */
function endOfClass(source: string, start: number): number {
  let at = source.charAt(start + 1) === '^' ? start + 2 : start + 1;
  // The first one may be a bracket itself.
  if (source.charAt(at) === ']') at++;
  for (; at < source.length && source.charAt(at) !== ']'; at++) {
    if (source.charAt(at) === '\\') at++;
    else if (source.startsWith('[:', at)) at = Math.max(at, source.indexOf(':]', at + 2) + 1);
  }
  return at;
}

function compiled(source: string, start: number, end: number): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const [, reason = 'it cannot be read'] = /parsing regexp: ([^]{1,200})/.exec((error as Error).message) ?? [];
    throw new QueryError(
      start,
      end,
      `the regular expression is none: ${reason}. The syntax is RE2's, without looking ahead or back and without back-references.`,
    );
  }
}
