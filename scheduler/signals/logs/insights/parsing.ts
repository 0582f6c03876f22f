import type { Regex } from './regexes.ts';
import type { Row } from './row.ts';
import { textOf, type Value } from './values.ts';

/** Takes the fields of `parse` out of a text: one for each name, or undefined when the text is not like that. */
export type Extract = (text: string, row: Row) => readonly Value[] | undefined;

/**
 * `parse "user=*, method:*"`: each star is what lies between the texts around it, as short as may be; a star at the end is all that is
 * left. The first text is found anywhere. Since the first place of each text that fits is the one to take, nothing is tried twice.
 */
export function globExtract(glob: string): { readonly count: number; readonly extract: Extract } {
  const texts = glob.split('*');
  const count = texts.length - 1;
  const longest = texts.reduce((long, one) => (one.length > long.length ? one : long), '');
  return {
    count,
    extract: (text, row) => {
      row.search(text, longest);
      const first = texts[0] as string;
      let at = text.indexOf(first);
      if (at === -1) return undefined;
      at += first.length;
      const found: string[] = [];
      for (const [index, next] of texts.slice(1).entries()) {
        // Only the last star can have nothing behind it.
        const end = next === '' && index === count - 1 ? text.length : text.indexOf(next, at);
        if (end === -1) return undefined;
        found.push(text.slice(at, end));
        at = end + next.length;
      }
      return found;
    },
  };
}

/** `parse /user=(?<user>\w+)/`: what the groups match, in the order of the names. */
export function regexExtract(regex: Regex, groups: readonly number[]): Extract {
  return (text, row) => {
    const found = regex.groups(text, row);
    return found && groups.map((group) => found[group]);
  };
}

/** Gives a row the fields of `parse`; where its text is not like that, it has none of them. */
export function extracting(from: (row: Row) => Value, names: readonly string[], extract: Extract): (row: Row) => void {
  return (row) => {
    const text = textOf(from(row));
    const found = text === undefined ? undefined : extract(text, row);
    for (const [index, name] of names.entries()) row.own.set(name, found?.[index]);
  };
}
