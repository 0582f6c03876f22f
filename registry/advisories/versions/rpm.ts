import { compareNumerals, order } from './deb.ts';

/** Compares `[epoch:]version[-release]` as rpm does (rpm-version(7)); no release comes before any. */
export function compareRpm(a: string, b: string): number {
  const [x, y] = [split(a), split(b)];
  return (
    compareNumerals(x.epoch, y.epoch) || compareSegments(x.version, y.version) || compareSegments(x.release, y.release)
  );
}

function split(text: string): { epoch: string; version: string; release: string } {
  const [whole = '', epoch = '0'] = /^(\d+):/.exec(text) ?? [];
  const rest = text.slice(whole.length);
  const dash = rest.lastIndexOf('-');
  return { epoch, version: dash < 0 ? rest : rest.slice(0, dash), release: dash < 0 ? '' : rest.slice(dash + 1) };
}

/** Segments of digits or letters; everything else only separates, but `~` sorts before and `^` just after the end. */
function compareSegments(a: string, b: string): number {
  const [x, y] = [a.match(/\d+|[A-Za-z]+|[~^]/g) ?? [], b.match(/\d+|[A-Za-z]+|[~^]/g) ?? []];
  for (let at = 0; at < Math.max(x.length, y.length); at++) {
    const [left, right] = [x[at], y[at]];
    const difference = rank(left) - rank(right);
    if (difference !== 0) return difference;
    if (left === undefined || right === undefined) return 0;
    const inSegment = /\d/.test(left) ? compareNumerals(left, right) : order(left, right);
    if (inSegment !== 0) return inSegment;
  }
  return 0;
}

const rank = (segment: string | undefined): number => {
  if (segment === '~') return -2;
  if (segment === undefined) return -1;
  if (segment === '^') return 0;
  return /\d/.test(segment) ? 2 : 1;
};
