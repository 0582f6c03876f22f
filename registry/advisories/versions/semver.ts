import { compareNumerals, order } from './deb.ts';

/**
 * Compares semantic versions (semver.org 2.0.0, section 11), forgiving a leading `v` and any number of numbers, as found in
 * Go modules and old npm packages. Build metadata counts for nothing.
 */
export function compareSemver(a: string, b: string): number {
  const [x, y] = [split(a), split(b)];
  for (let at = 0; at < Math.max(x.numbers.length, y.numbers.length); at++) {
    const difference = compareIdentifier(x.numbers[at] ?? '0', y.numbers[at] ?? '0');
    if (difference !== 0) return difference;
  }
  if (x.pre.length === 0 || y.pre.length === 0) return y.pre.length - x.pre.length;
  for (let at = 0; at < Math.max(x.pre.length, y.pre.length); at++) {
    const [left, right] = [x.pre[at], y.pre[at]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const difference = compareIdentifier(left, right);
    if (difference !== 0) return difference;
  }
  return 0;
}

function split(version: string): { numbers: string[]; pre: string[] } {
  const plain = version
    .trim()
    .replace(/^[=v]+/, '')
    .replace(/\+.*$/, '');
  const dash = plain.indexOf('-');
  return {
    numbers: (dash < 0 ? plain : plain.slice(0, dash)).split('.'),
    pre: dash < 0 ? [] : plain.slice(dash + 1).split('.'),
  };
}

/** Numbers by value and before texts. */
function compareIdentifier(a: string, b: string): number {
  const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (x && y) return compareNumerals(a, b);
  return x === y ? order(a, b) : x ? -1 : 1;
}
