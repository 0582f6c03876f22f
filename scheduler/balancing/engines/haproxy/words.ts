import { createHash } from 'node:crypto';
import { bytesOf, isLiteral, wildcardPieces } from '../../../routing/index.ts';

/**
 * Writes text of users so that HAProxy reads it as one word and nothing else: bytes that might mean something to its reader become `\xHH`,
 * which that reader turns back into bytes after it has split words.
 */
export function word(text: string): string {
  return bytesOf(text).replace(/[^A-Za-z0-9_.:/@=-]/g, (char) => `\\x${hex(char)}`);
}

/** The same for words that are log formats, where `%` begins a variable. */
export function formatWord(text: string): string {
  return word(text.replaceAll('%', '%%'));
}

/** An argument of a sample fetch within a word: in quotes for the reader of arguments, whose own marks are escaped. */
export function argument(text: string): string {
  return word(`"${text.replace(/["\\]/g, (char) => `\\${char}`)}"`);
}

/** The name that an id of ours has in a configuration, for whatever characters the id is of. */
export function nameOf(kind: string, id: string): string {
  return `${kind}${createHash('sha256').update(id).digest('hex').slice(0, 20)}`;
}

/**
 * The regular expression (PCRE) that fits what a value with `*` and `?` fits, whole texts. Pieces between stars are taken at their first
 * fit and never given back, as the wildcard test does it, so that no text takes more steps than its length times the value's.
 * `star` and `one` say what the two stand for.
 */
export function wildcardExpression(value: string, star = '.', one = '.'): string {
  const [first = '', ...rest] = wildcardPieces(value).map((piece) => pieceExpression(piece, one));
  const last = rest.pop();
  if (last === undefined) return first;
  const middle = rest.filter((piece) => piece !== '').map((piece) => `(?>${star}*?${piece})`);
  return `${first}${middle.join('')}${star}*${last}`;
}

function pieceExpression(piece: string, one: string): string {
  return piece
    .split('')
    .map((char) => (char === '?' ? one : byteExpression(char)))
    .join('');
}

/** Every byte but letters and digits by its number, so that no file or word holds a character that means something. */
function byteExpression(char: string): string {
  return /[A-Za-z0-9]/.test(char) ? char : `\\x${hex(char)}`;
}

/** The lines of a pattern file for values of which any may fit a whole text. */
export function wildcardLines(values: readonly string[]): readonly string[] {
  return values.map((value) => `(?s)\\A${wildcardExpression(value)}\\z`);
}

/**
 * The expression for a query string of which one parameter has such a key and value: pieces of no parameter reach into the next one.
 * A parameter without `=` has an empty value.
 */
export function queryExpression({ key, value }: { readonly key?: string | undefined; readonly value: string }): string {
  // Marks that part parameters are in none of them.
  if (/[&=]/.test(key ?? '') || value.includes('&')) return '(?!)';
  const name = wildcardExpression(key ?? '*', '[^&=]', '[^&=]');
  const content = wildcardExpression(value, '[^&]', '[^&]');
  const withValue = `=${content}`;
  const fitsEmpty = isLiteral(value) ? value === '' : /^\*+$/.test(value);
  return `(?s)(?:\\A|&)(?=[^&])${name}${fitsEmpty ? `(?:${withValue})?` : withValue}(?:&|\\z)`;
}

function hex(char: string): string {
  return char.charCodeAt(0).toString(16).padStart(2, '0');
}
