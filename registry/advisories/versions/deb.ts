/**
 * Compares Debian versions `[epoch:]upstream[-revision]` (Debian Policy 5.6.12): runs of non-digits and of digits by turns,
 * `~` before everything, even the end, letters before other characters.
 */
export function compareDeb(a: string, b: string): number {
  const [x, y] = [split(a), split(b)];
  return x.epoch - y.epoch || comparePart(x.upstream, y.upstream) || comparePart(x.revision, y.revision);
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(':');
  const epoch = colon > 0 && /^\d+$/.test(version.slice(0, colon)) ? Number(version.slice(0, colon)) : undefined;
  const rest = epoch === undefined ? version : version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: epoch ?? 0,
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    // "The absence of a debian_revision is equivalent to a debian_revision of 0."
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

function comparePart(a: string, b: string): number {
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = weight(a, i) - weight(b, j);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const [m, n] = [endOfDigits(a, i), endOfDigits(b, j)];
    const difference = compareNumerals(a.slice(i, m), b.slice(j, n));
    if (difference !== 0) return difference;
    [i, j] = [m, n];
  }
  return 0;
}

/** The rank of the character at a place; a digit ranks as the end does. */
function weight(text: string, at: number): number {
  if (at >= text.length || isDigit(text, at)) return 0;
  const code = text.charCodeAt(at);
  if (text[at] === '~') return -1;
  return /[A-Za-z]/.test(text[at] ?? '') ? code : code + 65_536;
}

const isDigit = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
};

function endOfDigits(text: string, from: number): number {
  let at = from;
  while (at < text.length && isDigit(text, at)) at++;
  return at;
}

/** Compares runs of digits of any length by value, without turning them into numbers. */
export function compareNumerals(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return x.length - y.length || order(x, y);
}

/** By UTF-16 code units, as -1, 0 or 1. */
export const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
