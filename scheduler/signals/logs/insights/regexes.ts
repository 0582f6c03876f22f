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

/** Reads the regular expressions of one query, which share a budget. */
export class Regexes {
  #instructions = 0;

  /** @throws QueryError at the expression */
  compile({ source, start, end }: { readonly source: string; readonly start: number; readonly end: number }): Regex {
    if (source === '')
      throw new QueryError(start, end, 'the regular expression is empty. Write one between the slashes.');
    const pattern = compiled(source, start, end);
    const size = pattern.programSize();
    this.#instructions += size;
    if (this.#instructions > mostInstructions)
      throw new QueryError(
        start,
        end,
        `the regular expressions of the query are too long with their repetitions written out: ${mostInstructions} steps at most.`,
      );
    const shorten = (text: string, row: Row): string => {
      const seen = text.length > lookedAt ? text.slice(0, lookedAt) : text;
      row.spend((seen.length * (size + 32)) / 32);
      return seen;
    };
    const groupCount = pattern.groupCount();
    return {
      test: (text, row) => pattern.test(shorten(text, row)),
      groups: (text, row) => {
        const matcher = pattern.matcher(shorten(text, row));
        if (!matcher.find()) return undefined;
        return Array.from({ length: groupCount + 1 }, (_, group) => matcher.group(group) ?? undefined);
      },
      names: new Map(Object.entries(pattern.namedGroups())),
      groupCount,
      needs: /^[\w :=,-]+$/.test(source) ? source : '',
    };
  }
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
