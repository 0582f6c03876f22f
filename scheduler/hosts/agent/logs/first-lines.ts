import { RE2JS } from 're2js';

import type { ContainerLogs } from '../../wire/index.ts';

/** A pattern of a task definition is none. */
export class LogPatternRefused extends Error {
  override readonly name = 'LogPatternRefused';
}

const names = (...words: readonly string[]): string => `(?:${words.join('|')})`;
const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const months = 'January February March April May June July August September October November December'.split(' ');
const short = (words: readonly string[]): string => names(...words.map((word) => word.slice(0, 3)));

/** What strftime's letters stand for in a line, those that Docker's awslogs driver has ("awslogs-datetime-format"). */
const letters: Readonly<Record<string, string>> = {
  a: short(days),
  A: names(...days),
  w: '[0-6]',
  d: '(?:0[1-9]|[12][0-9]|3[01])',
  b: short(months),
  B: names(...months),
  m: '(?:0[1-9]|1[0-2])',
  Y: '\\d{4}',
  y: '\\d{2}',
  H: '(?:[01][0-9]|2[0-3])',
  I: '(?:0[0-9]|1[0-2])',
  p: '[AP]M',
  M: '[0-5][0-9]',
  S: '[0-5][0-9]',
  L: '\\.\\d{3}',
  f: '\\d{6}',
  z: '[+-]\\d{4}',
  Z: '[A-Z]{1,4}T',
  j: '(?:0[0-9][1-9]|[0-2][0-9][0-9]|3[0-5][0-9]|36[0-6])',
};

/** How much of a line is looked at, characters: dates and levels stand at its beginning. */
const lookedAt = 1024;

/**
 * Tells lines that start an event, or undefined when each line is one. Patterns are those of Go's `regexp`, as in Docker's driver, found anywhere in a line;
 * RE2JS takes time in proportion to the line whatever the pattern is (kept by one author, releases every few weeks).
 * @throws LogPatternRefused
 */
export function firstLines(logs: ContainerLogs): ((line: string) => boolean) | undefined {
  const { datetimeFormat, multilinePattern } = logs;
  const source = datetimeFormat === undefined ? multilinePattern : dateExpression(datetimeFormat);
  if (source === undefined) return undefined;
  try {
    const pattern = RE2JS.compile(source);
    return (line) => pattern.test(line.length > lookedAt ? line.slice(0, lookedAt) : line);
  } catch (error) {
    const option = datetimeFormat === undefined ? 'awslogs-multiline-pattern' : 'awslogs-datetime-format';
    throw new LogPatternRefused(`the log option ${option} is no pattern: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The expression of a date's form; what is no letter of strftime's is an expression itself. */
const dateExpression = (format: string): string =>
  format.replaceAll(/%(.)/g, (whole, letter: string) => letters[letter] ?? (letter === '%' ? '%' : whole));
