import { compareNumerals, order } from './deb.ts';

const before = ['alpha', 'beta', 'pre', 'rc'];
const after = ['cvs', 'svn', 'git', 'hg', 'p'];

/**
 * Compares Alpine versions: `1.2.3a_rc1-r4` (apk-tools, "apk-package(5)"). Numbers after the first that begin with 0 compare as
 * decimal fractions; `_alpha` to `_rc` come before the plain version, `_cvs` to `_p` after it.
 */
export function compareApk(a: string, b: string): number {
  const [x, y] = [parse(a), parse(b)];
  return (
    compareNumbers(x.numbers, y.numbers) ||
    order(x.letter, y.letter) ||
    compareSuffixes(x.suffixes, y.suffixes) ||
    compareNumerals(x.release, y.release) ||
    order(x.rest, y.rest)
  );
}

interface ApkVersion {
  readonly numbers: readonly string[];
  readonly letter: string;
  readonly suffixes: readonly { readonly rank: number; readonly number: string }[];
  readonly release: string;
  /** What does not belong to the grammar, so that different texts are never the same version. */
  readonly rest: string;
}

function parse(version: string): ApkVersion {
  const numbers = /^\d+(?:\.\d+)*/.exec(version)?.[0] ?? '';
  let rest = version.slice(numbers.length);
  const letter = /^[a-z]/.exec(rest)?.[0] ?? '';
  rest = rest.slice(letter.length);
  const suffixes: { rank: number; number: string }[] = [];
  for (;;) {
    const [whole, name = '', number = ''] = /^_([a-z]+)(\d*)/.exec(rest) ?? [];
    const rank = rankOf(name);
    if (whole === undefined || rank === undefined) break;
    suffixes.push({ rank, number });
    rest = rest.slice(whole.length);
  }
  rest = rest.replace(/^~[0-9a-f]+/, '');
  const [whole = '', release = ''] = /^-r(\d+)/.exec(rest) ?? [];
  return { numbers: numbers.split('.'), letter, suffixes, release, rest: rest.slice(whole.length) };
}

function rankOf(name: string): number | undefined {
  if (before.includes(name)) return before.indexOf(name) - before.length;
  return after.includes(name) ? after.indexOf(name) + 1 : undefined;
}

function compareNumbers(a: readonly string[], b: readonly string[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [x, y] = [a[at], b[at]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const difference = at > 0 && (x.startsWith('0') || y.startsWith('0')) ? order(x, y) : compareNumerals(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareSuffixes(a: ApkVersion['suffixes'], b: ApkVersion['suffixes']): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [x, y] = [a[at] ?? { rank: 0, number: '' }, b[at] ?? { rank: 0, number: '' }];
    const difference = x.rank - y.rank || compareNumerals(x.number, y.number);
    if (difference !== 0) return difference;
  }
  return 0;
}
