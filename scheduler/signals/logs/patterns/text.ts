import { readRegex, type Regex } from './regex.ts';
import { isSpace, type Scanner } from './scanner.ts';

/** A term of a text pattern: what is looked for anywhere in a line. */
interface Term {
  readonly sign: '' | '-' | '?';
  readonly of: string | Regex;
}

/** `ERROR -health "exit code"`: terms that must be, must not be, or of which one must be in a line. */
export interface TextPattern {
  readonly kind: 'text';
  readonly all: readonly (string | Regex)[];
  readonly none: readonly (string | Regex)[];
  /** Empty when any of the others is there: optional terms count only among themselves. */
  readonly any: readonly (string | Regex)[];
}

/** What stands in a term without quotation marks: letters, digits and `_`, and whatever is no ASCII. */
const isWord = (character: string): boolean => /\w/.test(character) || (character > '\x7f' && !isSpace(character));

/** @throws PatternError */
export function readText(scanner: Scanner): TextPattern {
  const terms: Term[] = [];
  for (scanner.skipSpace(); !scanner.isOver; scanner.skipSpace()) {
    const sign = scanner.take('-') ? '-' : scanner.take('?') ? '?' : '';
    terms.push({ sign, of: readTerm(scanner) });
    if (!scanner.isOver && !isSpace(scanner.next))
      scanner.fail(
        `${scanner.shown} is not part of a term. Put terms of other characters than letters, digits and _ in quotation marks.`,
      );
  }
  const of = (sign: Term['sign']): Term['of'][] => terms.flatMap((term) => (term.sign === sign ? [term.of] : []));
  const [all, none] = [of(''), of('-')];
  return { kind: 'text', all, none, any: all.length + none.length > 0 ? [] : of('?') };
}

function readTerm(scanner: Scanner): string | Regex {
  if (scanner.take('"')) return scanner.quoted();
  if (scanner.take('%')) return readRegex(scanner);
  const word = scanner.takeWhile(isWord);
  if (word !== '') return word;
  return scanner.fail(`${scanner.shown} begins no term. Write a word, a "phrase", or a %regular expression%.`);
}

export function matchesText({ all, none, any }: TextPattern, line: string): boolean {
  const has = (of: string | Regex): boolean => (typeof of === 'string' ? line.includes(of) : of.test(line));
  return all.every(has) && !none.some(has) && (any.length === 0 || any.some(has));
}
