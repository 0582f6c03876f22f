import { compareNumerals, order } from './deb.ts';

const qualifiers = ['alpha', 'beta', 'milestone', 'rc', 'snapshot', '', 'sp'];
const aliases: Readonly<Record<string, string>> = { cr: 'rc', ga: '', final: '', release: '' };
const short: Readonly<Record<string, string>> = { a: 'alpha', b: 'beta', m: 'milestone' };

interface Token {
  readonly separator: '.' | '-';
  readonly text: string;
}

/** Compares Maven versions (POM reference, "Version Order Specification"). */
export function compareMaven(a: string, b: string): number {
  const [x, y] = [tokens(a), tokens(b)];
  for (let at = 0; at < Math.max(x.length, y.length); at++) {
    const [left, right] = [x[at], y[at]];
    const difference = compareTokens(left ?? nothing(right as Token), right ?? nothing(left as Token));
    if (difference !== 0) return difference;
  }
  return 0;
}

/** What a shorter version is filled up with: 0 after a dot, the empty qualifier after a dash. */
const nothing = (other: Token): Token => ({
  separator: other.separator,
  text: isNumber(other.text) ? '0' : '',
});

function tokens(version: string): Token[] {
  const found: Token[] = [];
  let separator: Token['separator'] = '.';
  for (const part of version.toLowerCase().split(/([.\-_])/)) {
    if (part === '.' || part === '-' || part === '_') {
      separator = part === '.' ? '.' : '-';
      continue;
    }
    // A change between digits and letters separates like a dash.
    const pieces = part.match(/\d+|\D+/g) ?? ['0'];
    for (const [at, text] of pieces.entries()) {
      const followed = isNumber(pieces[at + 1] ?? '');
      found.push({ separator: at === 0 ? separator : '-', text: canonical(text, followed) });
    }
  }
  return trimmed(found);
}

const canonical = (text: string, followedByNumber: boolean): string =>
  isNumber(text) ? text : ((followedByNumber ? short[text] : undefined) ?? aliases[text] ?? text);

/** Takes away what means nothing (0 and the empty qualifier) at the end, and before every dash. */
function trimmed(all: readonly Token[]): Token[] {
  const kept: Token[] = [];
  let cutting = true;
  for (const token of all.toReversed()) {
    const empty = token.text === '' || /^0+$/.test(token.text);
    if (!(cutting && empty)) {
      kept.push(token);
      cutting = token.separator === '-';
    }
  }
  return kept.reverse();
}

function compareTokens(a: Token, b: Token): number {
  const [x, y] = [isNumber(a.text), isNumber(b.text)];
  if (x && y && a.separator === b.separator) return compareNumerals(a.text, b.text);
  // ".qualifier" = "-qualifier" < "-number" < ".number"
  const difference = kind(a, x) - kind(b, y);
  return difference !== 0 || x ? difference : rank(a.text) - rank(b.text) || order(a.text, b.text);
}

const kind = (token: Token, number: boolean): number => (number ? (token.separator === '-' ? 1 : 2) : 0);

/** Unknown qualifiers come after the known ones. */
const rank = (text: string): number => (qualifiers.includes(text) ? qualifiers.indexOf(text) : qualifiers.length);

const isNumber = (text: string): boolean => /^\d+$/.test(text);
