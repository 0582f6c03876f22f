import { Bits } from './bits.ts';

/**
 * Four letters of ASCII in a row, which a text has wherever it stands in longer words: `payment declined` has `paym`, `ayme`, and seven
 * more. What can be a digit of a hexadecimal number is left out, where all four can: ids would have every one of them.
 */
const gramLength = 4;

/** By byte: 0 is no letter, 2 a letter that is a digit as well. */
const kinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[a-f]/i.test(character) ? 2 : /[g-z]/i.test(character) ? 1 : 0;
});

/** Calls back with the hash of each gram in bytes. */
export function eachGram(bytes: Uint8Array, start: number, end: number, found: (hash: number) => void): void {
  let letters = 0;
  let digits = 0;
  let gram = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    const kind = kinds[byte]!;
    if (kind === 0) {
      letters = 0;
      digits = 0;
      continue;
    }
    gram = (gram << 8) | byte;
    letters += 1;
    digits = kind === 2 ? digits + 1 : 0;
    if (letters >= gramLength && digits < gramLength) found(Math.imul(gram, 0x9e3779b1) >>> hashShift);
  }
}

/** The hashes of what every text that holds this one has. */
export function gramsWithin(text: string): readonly number[] {
  const bytes = Buffer.from(text);
  const hashes = new Set<number>();
  eachGram(bytes, 0, bytes.length, (hash) => hashes.add(hash));
  return [...hashes];
}

/** Bytes, so that a table takes less than a percent of its file. */
const largest = 2048;
/** The highest bits of a product are the ones that all of the gram has a part in. */
const hashShift = 32 - Math.log2(8 * largest);

/** Which grams a block may have: a bit for each, since whoever looks for a text looks for several. */
export class GramFilter {
  readonly #bits: Bits;

  constructor(bytes: Uint8Array = new Uint8Array(largest)) {
    this.#bits = new Bits(bytes);
  }

  readonly add = (gram: number): void => this.#bits.set(gram);

  mayHave(gram: number): boolean {
    return this.#bits.has(gram);
  }

  /** The same as small as it may be. */
  folded(): Uint8Array {
    return this.#bits.folded();
  }
}
