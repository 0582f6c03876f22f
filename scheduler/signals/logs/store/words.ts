import { hash32 } from './hash.ts';

/**
 * Which bytes are parts of words: letters, digits, `_`, and everything outside ASCII. The others divide words. Written to disk with
 * the filters: another choice needs another version of the file.
 */
const isWordByte = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 || /[A-Za-z0-9_]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/** Calls back with the hash of each word in bytes; those of one byte are left out. */
export function eachWord(bytes: Uint8Array, start: number, end: number, found: (hash: number) => void): void {
  for (let at = start; at < end;) {
    while (at < end && isWordByte[bytes[at]!] === 0) at++;
    const from = at;
    while (at < end && isWordByte[bytes[at]!] === 1) at++;
    if (at - from > 1) found(hash32(bytes, from, at));
  }
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

const smallest = 64;
const largest = 2048;
const bitsOfAWord = 6;
const probes = 3;

/** Which words a block may have: a Bloom filter, as large as the number of its words asks for, up to 2 KiB. */
export class WordFilter {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  static of(words: ReadonlySet<number>): WordFilter {
    const wanted = 2 ** Math.ceil(Math.log2((words.size * bitsOfAWord) / 8 || 1));
    const filter = new WordFilter(new Uint8Array(Math.min(largest, Math.max(smallest, wanted))));
    for (const word of words)
      filter.#each(word, (byte, bit) => {
        filter.bytes[byte]! |= bit;
      });
    return filter;
  }

  mayHave(word: number): boolean {
    let has = true;
    this.#each(word, (byte, bit) => {
      has &&= (this.bytes[byte]! & bit) !== 0;
    });
    return has;
  }

  #each(word: number, probe: (byte: number, bit: number) => void): void {
    const bits = this.bytes.length * 8;
    const step = (Math.imul(word, 0x9e3779b1) >>> 0) | 1;
    for (let count = 0; count < probes; count++) {
      const at = ((word + Math.imul(step, count)) >>> 0) % bits;
      probe(at >> 3, 1 << (at & 7));
    }
  }
}
