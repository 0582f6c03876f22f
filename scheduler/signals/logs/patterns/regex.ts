import type { Scanner } from './scanner.ts';

/**
 * Regular expressions of filter patterns (CloudWatch Logs user guide, "Supported regex syntax"): no groups and no back-references. They are
 * run over all ways to match at once, so that the time grows with the line and never with the ways to match it.
 */
export interface Regex {
  /** Whether any part of the line matches. */
  readonly test: (line: string) => boolean;
}

/** Characters that stand for themselves. */
const literal = /[A-Za-z0-9:_#=@/;,-]/;
const special = '^$?[]{}|\\*+.';
/** Regular expressions of one pattern (CloudWatch Logs user guide). */
const mostRegexes = 2;
/** Characters above are all alike: no expression can name one. */
const alphabet = 257;
/** How often a character may be asked for in `{n,m}`, and how long an expression is when that is written out. */
const mostRepeats = 255;
const mostItems = 512;

type Characters = Uint8Array;

/** One place in a branch: a character that must come, may be left out, or repeats; or the beginning or the end of the line. */
type Item =
  | { readonly kind: 'one' | 'optional' | 'many'; readonly of: Characters }
  | { readonly kind: 'begin' | 'end' };

/** Reads a regular expression up to its closing `%`; the first has been read. @throws PatternError */
export function readRegex(scanner: Scanner): Regex {
  const from = scanner.at - 1;
  if (++scanner.regexes > mostRegexes) scanner.fail(`a pattern has ${mostRegexes} regular expressions at most.`, from);
  const branches: Item[][] = [[]];
  let count = 0;
  for (;;) {
    if (scanner.isOver) return scanner.fail('the regular expression is never closed. Add a % at its end.', from);
    if (scanner.take('%')) break;
    const branch = branches.at(-1) as Item[];
    if (scanner.take('|')) branches.push([]);
    else if (scanner.take('^')) branch.push({ kind: 'begin' });
    else if (scanner.take('$')) branch.push({ kind: 'end' });
    else {
      const start = scanner.at;
      const items = repeated(scanner, readCharacters(scanner));
      count += items.length;
      if (count > mostItems)
        scanner.fail(
          `the regular expression is too long with its repetitions written out: at most ${mostItems} characters.`,
          start,
        );
      branch.push(...items);
    }
  }
  if (branches.every(({ length }) => length === 0))
    return scanner.fail('the regular expression is empty. Write one between the % signs.', from);
  return automaton(branches);
}

/** One character, or one out of several. */
function readCharacters(scanner: Scanner): Characters {
  if (scanner.take('.')) return new Uint8Array(alphabet).fill(1);
  if (scanner.take('[')) return readSet(scanner);
  if (scanner.take('\\')) return readEscape(scanner);
  const { next } = scanner;
  if (!literal.test(next))
    return scanner.fail(
      next === '(' || next === ')'
        ? 'regular expressions of filter patterns have no groups. Write alternatives with | over the whole expression.'
        : special.includes(next)
          ? `${scanner.shown} has nothing before it to act on. Write \\${next} for the character itself.`
          : `${scanner.shown} is not supported in a regular expression. Letters, digits, : _ # = @ / ; , - and \\s, \\w, \\d, \\xhh are.`,
    );
  scanner.at++;
  return only(next);
}

function only(character: string): Characters {
  const set = new Uint8Array(alphabet);
  set[character.charCodeAt(0)] = 1;
  return set;
}

/** After a backslash: a class, a character by its code, or one that would mean something. */
function readEscape(scanner: Scanner): Characters {
  const { next } = scanner;
  const named = Object.hasOwn(classes, next) ? classes[next] : undefined;
  if (named !== undefined) {
    scanner.at++;
    return setOf((character) => named.test(character));
  }
  if (next === 'x') {
    const [, digits] = /^x([0-9A-Fa-f]{2})/.exec(scanner.text.slice(scanner.at, scanner.at + 3)) ?? [];
    if (digits === undefined) return scanner.fail('\\x needs two hexadecimal digits, as in \\x20.');
    scanner.at += 3;
    return only(String.fromCharCode(Number.parseInt(digits, 16)));
  }
  if (next === '' || !special.includes(next))
    return scanner.fail(
      `\\ before ${scanner.shown} is not supported: only before ${special}, and as \\d, \\s, \\w and \\xhh.`,
    );
  scanner.at++;
  return only(next);
}

const classes: Readonly<Record<string, RegExp>> = { d: /[0-9]/, s: /[ \t\n\r\f\v]/, w: /[A-Za-z0-9_]/ };
const setOf = (has: (character: string) => boolean): Characters =>
  Uint8Array.from({ length: alphabet }, (_, code) => (code < alphabet - 1 && has(String.fromCharCode(code)) ? 1 : 0));

/** `[a-z0-9]` or `[^a-z]`; the bracket has been read. */
function readSet(scanner: Scanner): Characters {
  const from = scanner.at - 1;
  const isNegated = scanner.take('^');
  const set = new Uint8Array(alphabet);
  let isEmpty = true;
  while (!scanner.take(']')) {
    if (scanner.isOver || scanner.next === '%')
      return scanner.fail('the [ is never closed. Add a ] after its characters.', from);
    const start = scanner.at;
    const first = readMember(scanner);
    isEmpty = false;
    const isRange = scanner.next === '-' && !['', ']', '%'].includes(scanner.text.charAt(scanner.at + 1));
    if (!isRange) {
      for (const [code, has] of first.entries()) set[code] = (set[code] as number) | has;
      continue;
    }
    scanner.at++;
    const [low, high] = [single(first), single(readMember(scanner))];
    if (low === undefined || high === undefined || low > high)
      return scanner.fail(
        'the range goes from nothing to anything. Write the lower character first, as in a-z.',
        start,
      );
    set.fill(1, low, high + 1);
  }
  if (isEmpty) return scanner.fail('the set is empty. Write the characters between [ and ].', from);
  return isNegated ? set.map((has) => 1 - has) : set;
}

/** In a set all of the operators but `]`, `\` and `^` are characters. */
function readMember(scanner: Scanner): Characters {
  if (scanner.take('\\')) return readEscape(scanner);
  const { next } = scanner;
  if (!literal.test(next) && !'$?{}|*+.'.includes(next))
    return scanner.fail(`${scanner.shown} is not supported in a set of characters. Write it as \\xhh.`);
  scanner.at++;
  return only(next);
}

function single(set: Characters): number | undefined {
  const first = set.indexOf(1);
  return set.lastIndexOf(1) === first ? first : undefined;
}

/** The character with what says how often it comes. */
function repeated(scanner: Scanner, of: Characters): Item[] {
  const one: Item = { kind: 'one', of };
  const many: Item = { kind: 'many', of };
  if (scanner.take('*')) return [many];
  if (scanner.take('+')) return [one, many];
  if (scanner.take('?')) return [{ kind: 'optional', of }];
  if (!scanner.take('{')) return [one];
  const start = scanner.at - 1;
  const [written, least = '', comma, most = ''] =
    /^(\d{1,3})(,)?(\d{1,3})?\}/.exec(scanner.text.slice(scanner.at, scanner.at + 9)) ?? [];
  if (written === undefined || (comma === undefined && most !== ''))
    return scanner.fail('a repetition is written {n}, {n,} or {n,m}. Write \\{ for the character itself.', start);
  const low = Number(least);
  const high = comma === undefined ? low : most === '' ? undefined : Number(most);
  if (Math.max(low, high ?? 0) > mostRepeats || (high !== undefined && high < low))
    return scanner.fail(`a repetition goes up, and to ${mostRepeats} at most.`, start);
  scanner.at += written.length;
  return [
    ...Array.from({ length: low }, () => one),
    ...(high === undefined ? [many] : Array.from({ length: high - low }, (): Item => ({ kind: 'optional', of }))),
  ];
}

/** Places as bits: place `p` is bit `p % 32` of word `p / 32`. */
type Places = Uint32Array;

/**
 * Runs all branches at once: which places before an item are possible is one bit each, and a character moves all of them in a few
 * operations on whole words, so that a character costs the same whatever came before it.
 */
function automaton(branches: readonly (readonly Item[])[]): Regex {
  // All branches behind each other, each with an end of its own.
  const items: (Item | undefined)[] = branches.flatMap((branch) => [...branch, undefined]);
  const words = Math.ceil(items.length / 32);
  const placesOf = (has: (item: Item | undefined, place: number) => boolean): Places => {
    const places = new Uint32Array(words);
    for (const [place, item] of items.entries()) if (has(item, place)) places[place >>> 5]! |= 1 << (place & 31);
    return places;
  };
  const starts = placesOf((_, place) => place === 0 || items[place - 1] === undefined);
  const ends = placesOf((item) => item === undefined);
  const stays = placesOf((item) => item?.kind === 'many');
  const isSkipped = (item: Item | undefined): boolean => item?.kind === 'optional' || item?.kind === 'many';
  const skipped = placesOf(isSkipped);
  const skippedAtBegin = placesOf((item) => isSkipped(item) || item?.kind === 'begin');
  const skippedAtEnd = placesOf((item) => isSkipped(item) || item?.kind === 'end');
  const skippedAtBoth = placesOf((item) => isSkipped(item) || item?.kind === 'begin' || item?.kind === 'end');
  const classes = characterClasses(items);
  const taking = classes.representatives.map((code) =>
    placesOf((item) => item !== undefined && 'of' in item && item.of[code] === 1),
  );
  return {
    test(line) {
      const possible = starts.slice();
      close(possible, line === '' ? skippedAtBoth : skippedAtBegin);
      for (let at = 0; at < line.length; at++) {
        if (meets(possible, ends)) return true;
        move(
          possible,
          taking[classes.of[Math.min(line.charCodeAt(at), alphabet - 1)] as number] as Places,
          stays,
          starts,
        );
        close(possible, skipped);
      }
      close(possible, skippedAtEnd);
      return meets(possible, ends);
    },
  };
}

/** The places after a character that the items at `taking` take; a match may begin after it as well. */
function move(possible: Places, taking: Places, stays: Places, starts: Places): void {
  let carry = 0;
  for (let word = 0; word < possible.length; word++) {
    const taken = (possible[word] as number) & (taking[word] as number);
    const moving = taken & ~(stays[word] as number);
    possible[word] = (moving << 1) | carry | (taken & (stays[word] as number)) | (starts[word] as number);
    carry = moving >>> 31;
  }
}

/**
 * Adds the places that are reached without a character. In a run of places that may be skipped, whichever is possible makes all behind
 * it possible, and the one after the run: a carry that goes through the run in an addition does just that.
 */
function close(possible: Places, skipped: Places): void {
  let carry = 0;
  for (let word = 0; word < possible.length; word++) {
    const mask = skipped[word] as number;
    const here = ((possible[word] as number) | carry) >>> 0;
    const sum = mask + ((here & mask) >>> 0);
    possible[word] = here | (sum ^ mask);
    carry = sum > 0xffff_ffff ? 1 : 0;
  }
}

function meets(one: Places, other: Places): boolean {
  for (let word = 0; word < one.length; word++)
    if (((one[word] as number) & (other[word] as number)) !== 0) return true;
  return false;
}

/** Characters that no item tells apart are one class: of each character its class, and of each class one character. */
function characterClasses(items: readonly (Item | undefined)[]): {
  readonly of: Uint16Array;
  readonly representatives: readonly number[];
} {
  const sets = [...new Set(items.flatMap((item) => (item !== undefined && 'of' in item ? [item.of] : [])))];
  const numbers = new Map<string, number>();
  const representatives: number[] = [];
  const of = Uint16Array.from({ length: alphabet }, (_, code) => {
    const name = sets.map((set) => set[code]).join('');
    const present = numbers.get(name);
    if (present !== undefined) return present;
    representatives.push(code);
    numbers.set(name, numbers.size);
    return numbers.size - 1;
  });
  return { of, representatives };
}
