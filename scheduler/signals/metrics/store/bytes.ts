/** Numbers as bytes, appended to memory that grows. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  length = 0;

  /** What was written; valid until the next write. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.length++] = value;
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte, low ones first. */
  whole(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.length++] = rest;
  }

  /** A whole number of either sign. */
  signed(value: number): void {
    this.whole(value < 0 ? -2 * value - 1 : 2 * value);
  }

  double(value: number): void {
    this.#room(8);
    this.#bytes.writeDoubleLE(value, this.length);
    this.length += 8;
  }

  bytes(value: Uint8Array): void {
    this.#room(value.byteLength);
    this.#bytes.set(value, this.length);
    this.length += value.byteLength;
  }

  hex(value: string): void {
    this.#room(value.length / 2);
    this.length += this.#bytes.write(value, this.length, 'hex');
  }

  #room(size: number): void {
    if (this.length + size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.length + size));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }
}

/** Reads what {@link ByteWriter} wrote. Reading beyond the end throws a RangeError. */
export class ByteReader {
  readonly buffer: Buffer;
  at: number;
  readonly end: number;

  constructor(buffer: Buffer, at = 0, end = buffer.length) {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) throw new RangeError('it ends too early');
    return this.buffer[this.at++] as number;
  }

  whole(): number {
    const first = this.byte();
    // Most are of one byte.
    if (first < 0x80) return first;
    let value = first - 0x80;
    for (let factor = 0x80; ; factor *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      if (factor > 2 ** 49) throw new RangeError('a number is too long');
    }
  }

  signed(): number {
    const value = this.whole();
    // Beyond 2^31 bit operations would cut; up to there they take a fraction of a remainder of doubles.
    if (value < 0x8000_0000) return (value >>> 1) ^ -(value & 1);
    const half = Math.floor(value / 2);
    return value === 2 * half ? half : -half - 1;
  }

  double(): number {
    const value = this.buffer.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }

  hex(bytes: number): string {
    const from = this.at;
    this.skip(bytes);
    return this.buffer.toString('hex', from, this.at);
  }

  skip(bytes: number): void {
    if (bytes > this.end - this.at) throw new RangeError('it ends too early');
    this.at += bytes;
  }
}
