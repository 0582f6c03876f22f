import { LogsDamaged } from './contract.ts';

/** An event as it lies in blocks. `stream` is a place in the table of streams of its file. */
export interface Row {
  readonly stream: number;
  readonly timestamp: number;
  readonly ingestionTime: number;
  readonly writer: number;
  readonly sequence: number;
  /** UTF-8. */
  readonly message: Uint8Array;
}

/**
 * The rows of a block, read one behind the other. The fields of the row that `next` stood on stay readable until it is called again;
 * nothing is made of the message unless somebody asks.
 */
export interface Rows extends Row {
  /** What the messages lie in; before `messagesFrom` there are none. */
  readonly bytes: Buffer;
  readonly messagesFrom: number;
  readonly messageStart: number;
  readonly messageEnd: number;
  readonly message: Buffer;
  readonly text: string;
  /** @returns whether there is one @throws LogsDamaged when the bytes are no rows */
  next(): boolean;
}

/** Numbers in groups of seven bits, the lowest first, up to eight of them. */
export class NumberReader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.at = start;
    this.#end = end;
  }

  get over(): boolean {
    return this.at >= this.#end;
  }

  /** A number whose sign is the lowest bit. */
  difference(): number {
    const value = this.number();
    // Beyond 2^31 bit operations would cut; up to there they take a fraction of a remainder of doubles.
    if (value < 0x8000_0000) return (value >>> 1) ^ -(value & 1);
    const half = Math.floor(value / 2);
    return value === 2 * half ? half : -half - 1;
  }

  /** @throws LogsDamaged */
  number(): number {
    // Most are of one byte.
    if (this.at < this.#end && this.#bytes[this.at]! < 0x80) return this.#bytes[this.at++]!;
    let value = 0;
    let unit = 1;
    for (let count = 0; count < 8 && this.at < this.#end; count++) {
      const byte = this.#bytes[this.at++]!;
      if (byte < 0x80) return value + byte * unit;
      value += (byte - 0x80) * unit;
      unit *= 0x80;
    }
    throw new LogsDamaged('a number in a block of log events has no end');
  }
}

/**
 * Reads rows as files of version 1 have them: each row is the differences of its numbers to those of the row before, the length of the
 * message, and the message.
 */
export class RowReader implements Rows {
  readonly bytes: Buffer;
  readonly messagesFrom = 0;
  stream = 0;
  timestamp = 0;
  ingestionTime = 0;
  writer = 0;
  sequence = 0;
  messageStart = 0;
  messageEnd = 0;
  readonly #numbers: NumberReader;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#numbers = new NumberReader(bytes, 0, bytes.length);
  }

  get message(): Buffer {
    return this.bytes.subarray(this.messageStart, this.messageEnd);
  }

  get text(): string {
    return this.bytes.toString('utf8', this.messageStart, this.messageEnd);
  }

  next(): boolean {
    const numbers = this.#numbers;
    if (numbers.over) return false;
    this.stream += numbers.difference();
    this.timestamp += numbers.difference();
    this.ingestionTime += numbers.difference();
    this.writer += numbers.difference();
    this.sequence += numbers.difference();
    const length = numbers.number();
    this.messageStart = numbers.at;
    this.messageEnd = numbers.at + length;
    if (this.messageEnd > this.bytes.length) throw new LogsDamaged('a row of a block of log events is cut off');
    numbers.at = this.messageEnd;
    return true;
  }
}
