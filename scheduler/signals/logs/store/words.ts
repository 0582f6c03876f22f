import { Bits } from './bits.ts';

/**
 * Which bytes are parts of words: letters, digits, `_`, and everything outside ASCII. The others divide words. Written to disk with
 * the filters: another choice needs another version of the file.
 */
const isWordByte = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 || /[A-Za-z0-9_]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/** Sizes, durations and parts of addresses and times are numbers of few digits: nearly every block has any of them. */
const numberDigits = 5;

/**
 * Calls back with the hash (FNV-1a, mixed once more) of each word in bytes; those of one byte, and numbers of up to five digits, are left
 * out. (Files of version 1 have the numbers as well.)
 */
export function eachWord(bytes: Uint8Array, start: number, end: number, found: (hash: number) => void): void {
  let hash = basis;
  let length = 0;
  let digits = 0;
  for (let at = start; at <= end; at++) {
    const byte = at < end ? bytes[at]! : 0;
    if (isWordByte[byte] === 1) {
      hash = Math.imul(hash ^ byte, 0x01000193);
      length += 1;
      if (byte >= 0x30 && byte <= 0x39) digits += 1;
    } else if (length > 0) {
      if (length > 1 && (digits < length || length > numberDigits)) found(mixed(hash));
      hash = basis;
      length = 0;
      digits = 0;
    }
  }
}

const basis = 0x811c9dc5;

/** Filters take the lowest bits, which differ least. */
function mixed(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (half ^ (half >>> 13)) >>> 0;
}

/** The hashes of words that whatever holds the text as it stands has as whole words: those with a divider on both sides. */
export function wordsWithin(text: string): readonly number[] {
  const bytes = Buffer.from(text);
  const first = bytes.findIndex((byte) => isWordByte[byte] === 0);
  const last = bytes.findLastIndex((byte) => isWordByte[byte] === 0);
  const hashes: number[] = [];
  if (first !== -1) eachWord(bytes, first, last + 1, (hash) => hashes.push(hash));
  return hashes;
}

const largest = 8192;
const probes = 3;

/** Which words a block may have: a Bloom filter. */
export class WordFilter {
  readonly #bits: Bits;

  constructor(bytes: Uint8Array = new Uint8Array(largest)) {
    this.#bits = new Bits(bytes);
  }

  readonly add = (word: number): void => {
    const step = stepOf(word);
    for (let count = 0, at = word; count < probes; count++, at = (at + step) >>> 0) this.#bits.set(at);
  };

  mayHave(word: number): boolean {
    const step = stepOf(word);
    for (let count = 0, at = word; count < probes; count++, at = (at + step) >>> 0)
      if (!this.#bits.has(at)) return false;
    return true;
  }

  /** The same as small as it may be. */
  folded(): Uint8Array {
    return this.#bits.folded();
  }
}

/** Says of every word that a block may have it. */
export const anyWord = Uint8Array.of(0xff);

const stepOf = (word: number): number => (Math.imul(word, 0x9e3779b1) >>> 0) | 1;
