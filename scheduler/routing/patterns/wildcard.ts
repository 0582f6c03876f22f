/** Whether a text fits a value of ELB's with `*` and `?`. Texts are bytes, one a character. */
export type TextTest = (text: string) => boolean;

/** Lower case of ASCII letters alone: what HTTP and ELB mean by case-insensitive. */
export function lower(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

/** UTF-8 bytes of a text, one a character: what comes over the wire is compared with this. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Whether the value holds neither `*` nor `?`. */
export function isLiteral(value: string): boolean {
  return !/[*?]/.test(value);
}

/** The bytes of a value, split at its stars. */
export function wildcardPieces(value: string): readonly string[] {
  return bytesOf(value).split('*');
}

/**
 * Compiles a value with `*` and `?` to a test of whole texts that takes the leftmost fit of each piece between stars: steps grow with
 * length of text times length of value, never with their power.
 */
export function wildcardTest(value: string, options: { readonly ignoreCase: boolean }): TextTest {
  const fold = options.ignoreCase ? lower : (text: string): string => text;
  const [first = '', ...rest] = wildcardPieces(fold(value));
  const last = rest.pop();
  if (last === undefined) {
    if (isLiteral(value)) return (text) => fold(text) === first;
    return (text) => text.length === first.length && fitsAt(fold(text), first, 0);
  }
  return (text) => {
    const folded = fold(text);
    if (folded.length < first.length + last.length || !fitsAt(folded, first, 0)) return false;
    const end = folded.length - last.length;
    if (!fitsAt(folded, last, end)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = find(folded, piece, at, end);
      if (found === -1) return false;
      at = found + piece.length;
    }
    return true;
  };
}

/** Where `piece` fits first in `text`, from `start` on and not beyond `end`; -1 if nowhere. */
function find(text: string, piece: string, start: number, end: number): number {
  if (!piece.includes('?')) {
    const found = text.indexOf(piece, start);
    return found !== -1 && found + piece.length <= end ? found : -1;
  }
  for (let at = start; at + piece.length <= end; at++) if (fitsAt(text, piece, at)) return at;
  return -1;
}

function fitsAt(text: string, piece: string, at: number): boolean {
  for (let i = 0; i < piece.length; i++) if (piece[i] !== '?' && piece[i] !== text[at + i]) return false;
  return true;
}
