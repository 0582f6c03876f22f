const smallest = 64;
/** Bits are not folded where more of them are set than this part. */
const densest = 0.25;

/**
 * The bits of a Bloom filter. They begin at their largest size, and are folded in half as long as few are set: places are counted modulo
 * a power of two, so that folded ones answer as such that had been made with that size.
 */
export class Bits {
  readonly bytes: Uint8Array;
  readonly #mask: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#mask = bytes.length * 8 - 1;
  }

  set(place: number): void {
    const at = place & this.#mask;
    this.bytes[at >> 3]! |= 1 << (at & 7);
  }

  has(place: number): boolean {
    const at = place & this.#mask;
    return (this.bytes[at >> 3]! & (1 << (at & 7))) !== 0;
  }

  folded(): Uint8Array {
    let { bytes } = this;
    while (bytes.length > smallest && setBits(bytes) / (bytes.length * 8) < densest) {
      const half = bytes.length / 2;
      const upper = bytes.subarray(half);
      bytes = bytes.slice(0, half).map((byte, at) => byte | upper[at]!);
    }
    return bytes;
  }
}

function setBits(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
