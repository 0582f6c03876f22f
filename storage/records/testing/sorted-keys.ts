import { compareKeys } from '../encode.ts';

/** Keys in one block; larger blocks are split in two. */
const blockSize = 512;

/** A set of keys in the order of their UTF-8 bytes, in blocks: adding to and removing from a million costs microseconds. */
export class SortedKeys {
  /** Never empty but for the only one. */
  #blocks: string[][] = [[]];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  copy(): SortedKeys {
    const copy = new SortedKeys();
    copy.#blocks = this.#blocks.map((block) => [...block]);
    copy.#size = this.#size;
    return copy;
  }

  /** Adds a key that is not there. */
  add(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at]!;
    block.splice(firstFrom(block, key), 0, key);
    this.#size += 1;
    if (block.length > blockSize) this.#blocks.splice(at + 1, 0, block.splice(blockSize / 2));
  }

  /** Removes a key that is there. */
  remove(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at]!;
    block.splice(firstFrom(block, key), 1);
    this.#size -= 1;
    if (block.length === 0 && this.#blocks.length > 1) this.#blocks.splice(at, 1);
  }

  /** Keys from the first that is not below `key`, in order. */
  *from(key: string): Generator<string, undefined> {
    const at = this.#blockOf(key);
    for (let block = at, place = firstFrom(this.#blocks[at]!, key); block < this.#blocks.length; block++, place = 0) {
      for (const keys = this.#blocks[block]!; place < keys.length; place++) yield keys[place]!;
    }
  }

  /** The last block that begins at or below the key. */
  #blockOf(key: string): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compareKeys(this.#blocks[middle]![0]!, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The index of the first key that is not below `key`. */
function firstFrom(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(keys[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
