import { compareNumerals, order } from './deb.ts';

/** Compares RubyGems versions (`Gem::Version`): dotted segments, letters make a pre-release and come before numbers. */
export function compareGem(a: string, b: string): number {
  const [x, y] = [segments(a), segments(b)];
  for (let at = 0; at < Math.max(x.length, y.length); at++) {
    const [left, right] = [x[at] ?? '0', y[at] ?? '0'];
    const [p, q] = [/^\d/.test(left), /^\d/.test(right)];
    const difference = p && q ? compareNumerals(left, right) : p === q ? order(left, right) : p ? 1 : -1;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `-` stands for `.pre.`. */
const segments = (version: string): readonly string[] =>
  version
    .trim()
    .replaceAll('-', '.pre.')
    .match(/\d+|[A-Za-z]+/g) ?? [];
