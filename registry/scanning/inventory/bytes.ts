import { Unscannable } from './limits.ts';

/** Takes a stream of chunks apart into blocks, with as little copying as possible. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes, or undefined at the very end. @throws Unscannable when the stream ends in between */
  async exactly(length: number): Promise<Buffer | undefined> {
    if (this.#chunk.length - this.#at >= length) return this.#take(length);
    const parts: Buffer[] = [];
    let missing = length;
    for await (const part of this.upTo(length)) {
      parts.push(part);
      missing -= part.length;
    }
    if (missing === length) return undefined;
    if (missing > 0) throw new Unscannable('the layer ends in the middle of an entry');
    return Buffer.concat(parts, length);
  }

  /** The next bytes piece by piece, fewer than `length` only at the end. A piece is valid until the next one is asked for. */
  async *upTo(length: number): AsyncGenerator<Buffer> {
    let missing = length;
    while (missing > 0) {
      if (this.#at === this.#chunk.length && !(await this.#next())) return;
      const part = this.#take(Math.min(missing, this.#chunk.length - this.#at));
      missing -= part.length;
      yield part;
    }
  }

  /** Passes over bytes. @throws Unscannable when there are fewer */
  async skip(length: number): Promise<void> {
    let missing = length;
    for (;;) {
      const step = Math.min(missing, this.#chunk.length - this.#at);
      this.#at += step;
      missing -= step;
      if (missing === 0) return;
      if (!(await this.#next())) throw new Unscannable('the layer ends in the middle of an entry');
    }
  }

  /** Reads to the end of the stream, so that what follows the archive counts against the limits as well. */
  async drain(): Promise<void> {
    while (await this.#next());
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #next(): Promise<boolean> {
    for (;;) {
      const { value, done } = await this.#source.next();
      if (done === true) return false;
      if (value.length === 0) continue;
      this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      this.#at = 0;
      return true;
    }
  }

  #take(length: number): Buffer {
    const part = this.#chunk.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }
}
