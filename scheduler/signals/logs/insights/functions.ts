import { isInSubnet, kindOfAddress } from './addresses.ts';
import type { Row } from './row.ts';
import { finite, Instant, numberOf, textOf, type Value } from './values.ts';
import { structureFunctions } from './structures.ts';

/** A function of expressions (CloudWatch Logs user guide, "Supported operations and functions"). */
export interface QueryFunction {
  /** How many arguments it takes, least and most. */
  readonly takes: readonly [number, number];
  /** @param given the values of its arguments, for this row */
  readonly of: (given: readonly Value[], row: Row) => Value;
  /** How it is written, for messages. */
  readonly written: string;
}

/** Longest text that a function makes, characters: what comes behind is cut off. */
const longest = 1024 * 1024;

/** Of one number. */
const numeric = (written: string, of: (number: number) => number): QueryFunction => ({
  written,
  takes: [1, 1],
  of: ([value]) => {
    const number = numberOf(value);
    return number === undefined ? undefined : finite(of(number));
  },
});

/** Of a text and further arguments; nothing for what is no text. */
const textual = (
  written: string,
  takes: readonly [number, number],
  of: (text: string, rest: readonly Value[], row: Row) => Value,
): QueryFunction => ({
  written,
  takes,
  of: ([value, ...rest], row) => {
    const text = textOf(value);
    if (text === undefined) return undefined;
    row.spend(text.length);
    return of(text, rest, row);
  },
});

/** The greatest or the least of numbers. */
const extreme = (written: string, sign: 1 | -1): QueryFunction => ({
  written,
  takes: [1, 100],
  of: (given) => {
    const numbers = given.map(numberOf).filter((number) => number !== undefined);
    return numbers.length < given.length ? undefined : sign * Math.max(...numbers.map((number) => sign * number));
  },
});

/** Without the characters at the ends, white space unless the second argument names others. */
const trimming = (written: string, left: boolean, right: boolean): QueryFunction =>
  textual(written, [1, 2], (text, [given], row) => {
    const named = textOf(given);
    row.spend(named?.length ?? 0);
    // A set: both may be as long as a line.
    const characters = named === undefined ? undefined : new Set(named.split(''));
    const goes = (at: number): boolean =>
      characters === undefined ? /\s/.test(text.charAt(at)) : characters.has(text.charAt(at));
    let [from, to] = [0, text.length];
    if (left) while (from < to && goes(from)) from++;
    if (right) while (to > from && goes(to - 1)) to--;
    return text.slice(from, to);
  });

const ofAddress = (written: string, holds: (text: string) => boolean): QueryFunction =>
  textual(written, [1, 1], (text) => holds(text.slice(0, 100)));

const ofSubnet = (written: string, kind: 4 | 6 | undefined): QueryFunction =>
  textual(written, [2, 2], (text, [given]) => {
    const subnet = textOf(given);
    return subnet === undefined ? undefined : isInSubnet(text.slice(0, 100), subnet.slice(0, 100), kind);
  });

const functions: Readonly<Record<string, QueryFunction>> = {
  __proto__: null as never,
  abs: numeric('abs(number)', Math.abs),
  ceil: numeric('ceil(number)', Math.ceil),
  floor: numeric('floor(number)', Math.floor),
  log: numeric('log(number)', Math.log),
  sqrt: numeric('sqrt(number)', Math.sqrt),
  greatest: extreme('greatest(number, number, …)', 1),
  least: extreme('least(number, number, …)', -1),
  ispresent: { written: 'ispresent(field)', takes: [1, 1], of: ([value]) => value !== undefined },
  coalesce: {
    written: 'coalesce(field, field, …)',
    takes: [1, 100],
    of: (given) => given.find((one) => one !== undefined),
  },
  isempty: { written: 'isempty(field)', takes: [1, 1], of: ([value]) => value === undefined || value === '' },
  isblank: {
    written: 'isblank(field)',
    takes: [1, 1],
    of: ([value], row) => {
      if (typeof value === 'string') row.spend(value.length);
      return value === undefined || (typeof value === 'string' && !/\S/.test(value));
    },
  },
  concat: {
    written: 'concat(text, text, …)',
    takes: [1, 100],
    of: (given, row) => {
      let text = '';
      for (const one of given) text += (textOf(one) ?? '').slice(0, longest - text.length);
      row.spend(text.length);
      return text;
    },
  },
  ltrim: trimming('ltrim(text, characters)', true, false),
  rtrim: trimming('rtrim(text, characters)', false, true),
  trim: trimming('trim(text, characters)', true, true),
  strlen: textual('strlen(text)', [1, 1], (text) => codePoints(text)),
  toupper: textual('toupper(text)', [1, 1], (text) => text.toUpperCase()),
  tolower: textual('tolower(text)', [1, 1], (text) => text.toLowerCase()),
  substr: textual('substr(text, from, length)', [2, 3], (text, [from, length]) => {
    const [start, count] = [numberOf(from), length === undefined ? Infinity : numberOf(length)];
    if (start === undefined || count === undefined || start < 0 || count < 0) return undefined;
    return text.slice(Math.floor(start), Math.floor(start) + Math.floor(count));
  }),
  replace: textual('replace(text, what, by)', [3, 3], (text, [what, by], row) => {
    const [searched, put] = [textOf(what), textOf(by)];
    if (searched === undefined || put === undefined) return undefined;
    row.search(text, searched);
    return replaced(text, searched, put);
  }),
  strcontains: textual('strcontains(text, part)', [2, 2], (text, [part], row) => {
    const searched = textOf(part);
    if (searched === undefined) return undefined;
    row.search(text, searched);
    return text.includes(searched);
  }),
  frommillis: {
    written: 'fromMillis(number)',
    takes: [1, 1],
    of: ([value]) => {
      const ms = numberOf(value);
      return ms === undefined || Math.abs(ms) > 8.64e15 ? undefined : new Instant(ms);
    },
  },
  tomillis: {
    written: 'toMillis(time)',
    takes: [1, 1],
    of: ([value]) => (value instanceof Instant ? value.ms : undefined),
  },
  isvalidip: ofAddress('isValidIp(text)', (text) => kindOfAddress(text) !== undefined),
  isvalidipv4: ofAddress('isValidIpV4(text)', (text) => kindOfAddress(text) === 4),
  isvalidipv6: ofAddress('isValidIpV6(text)', (text) => kindOfAddress(text) === 6),
  isipinsubnet: ofSubnet('isIpInSubnet(text, "10.0.0.0/8")', undefined),
  isipv4insubnet: ofSubnet('isIpv4InSubnet(text, "10.0.0.0/8")', 4),
  isipv6insubnet: ofSubnet('isIpv6InSubnet(text, "fd00::/8")', 6),
  ...structureFunctions,
};

/** A function by its name, in letters of whichever case. */
export const functionOf = (name: string): QueryFunction | undefined => functions[name.toLowerCase()];

export const functionNames = (): string[] => Object.values(functions).map(({ written }) => written.replace(/\(.*/, ''));

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function replaced(text: string, what: string, by: string): string {
  if (what === '') return text;
  const parts: string[] = [];
  let length = 0;
  for (let from = 0; from <= text.length && length < longest;) {
    const at = text.indexOf(what, from);
    const part = at === -1 ? text.slice(from) : text.slice(from, at) + by;
    parts.push(part);
    length += part.length;
    if (at === -1) break;
    from = at + what.length;
  }
  return parts.join('').slice(0, longest);
}

/** The arithmetic of expressions: nothing where one side is no number, or the result is none. */
export const arithmetic: Readonly<Record<string, (one: number, other: number) => number>> = {
  '+': (one, other) => one + other,
  '-': (one, other) => one - other,
  '*': (one, other) => one * other,
  '/': (one, other) => one / other,
  '%': (one, other) => one % other,
  '^': (one, other) => one ** other,
};

/** What `in [..]` and the equality of texts go by: numbers by what they are. */
export function sameKey(value: Value): string | number | undefined {
  return numberOf(value) ?? textOf(value);
}
