import { compareNumerals, order } from './deb.ts';

// Every part is optional and begins with a different kind of character, so matching takes linear time.
const grammar =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?(?:(?:-(\d+))|(?:[-_.]?(post|rev|r)[-_.]?(\d*)))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/;

/** Compares Python versions (PEP 440). Texts that are not of its grammar come before all others, in the order of their characters. */
export function comparePep440(a: string, b: string): number {
  const [x, y] = [parse(a), parse(b)];
  if (x === undefined || y === undefined) {
    return x === y ? order(a, b) : x === undefined ? -1 : 1;
  }
  return (
    compareNumerals(x.epoch, y.epoch) ||
    compareNumbers(x.release, y.release) ||
    x.preRank - y.preRank ||
    compareNumerals(x.pre, y.pre) ||
    compareOptional(x.post, y.post, -1) ||
    compareOptional(x.dev, y.dev, 1) ||
    compareLocal(x.local, y.local)
  );
}

function parse(text: string) {
  const found = grammar.exec(text.trim().toLowerCase());
  if (found === null) return undefined;
  const [, epoch, release = '', pre, preNumber, implicitPost, postName, postNumber, devName, devNumber, local] = found;
  const post = implicitPost ?? (postName === undefined ? undefined : postNumber || '0');
  const dev = devName === undefined ? undefined : devNumber || '0';
  return {
    epoch: epoch ?? '0',
    release: release.split('.'),
    // A development release of a plain version comes before its pre-releases.
    preRank: preRankOf(pre, post === undefined && dev !== undefined),
    pre: preNumber || '0',
    post,
    dev,
    local: local?.split(/[-_.]/),
  };
}

/** `a`, `b`, then `c`, `rc`, `pre` and `preview`, which are the same, then none. */
const preRankOf = (pre: string | undefined, onlyDev: boolean): number => {
  if (pre === undefined) return onlyDev ? -1 : 3;
  return pre.startsWith('a') ? 0 : pre.startsWith('b') ? 1 : 2;
};

function compareNumbers(a: readonly string[], b: readonly string[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = compareNumerals(a[at] ?? '0', b[at] ?? '0');
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `absent` is where a missing part sorts: -1 before, 1 after all that have it. */
function compareOptional(a: string | undefined, b: string | undefined, absent: -1 | 1): number {
  if (a !== undefined && b !== undefined) return compareNumerals(a, b);
  if (a === b) return 0;
  return a === undefined ? absent : -absent;
}

/** Local parts: numbers after texts, and longer after shorter. */
function compareLocal(a: readonly string[] | undefined, b: readonly string[] | undefined): number {
  for (let at = 0; at < Math.max(a?.length ?? 0, b?.length ?? 0); at++) {
    const [x, y] = [a?.[at], b?.[at]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const [left, right] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    const difference = left && right ? compareNumerals(x, y) : left === right ? order(x, y) : left ? 1 : -1;
    if (difference !== 0) return difference;
  }
  return 0;
}
