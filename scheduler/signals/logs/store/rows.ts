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

/** What goes before the message, at most: five numbers of up to eight bytes, a length of up to four. */
const headLimit = 5 * 8 + 4;

type Numbers = { -readonly [name in Exclude<keyof Row, 'message'>]: number };

const none = (): Numbers => ({ stream: 0, timestamp: 0, ingestionTime: 0, writer: 0, sequence: 0 });

/**
 * Rows one behind the other: the differences of their numbers to those of the row before, the length of the message, the message.
 * Numbers are in groups of seven bits, the lowest first; the sign is the lowest bit.
 */
export class RowWriter {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #at = 0;
  #last = none();

  get length(): number {
    return this.#at;
  }

  add(row: Row): void {
    const needed = this.#at + headLimit + row.message.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, this.#at);
      this.#bytes = grown;
    }
    const last = this.#last;
    this.#difference(row.stream - last.stream);
    this.#difference(row.timestamp - last.timestamp);
    this.#difference(row.ingestionTime - last.ingestionTime);
    this.#difference(row.writer - last.writer);
    this.#difference(row.sequence - last.sequence);
    this.#number(row.message.length);
    last.stream = row.stream;
    last.timestamp = row.timestamp;
    last.ingestionTime = row.ingestionTime;
    last.writer = row.writer;
    last.sequence = row.sequence;
    this.#bytes.set(row.message, this.#at);
    this.#at += row.message.length;
  }

  /** The rows so far, and begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    this.#last = none();
    return taken;
  }

  #difference(value: number): void {
    this.#number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  #number(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      // Beyond 2^31 bit operations would cut.
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }
}

/**
 * Reads rows one behind the other. The fields of the row that `next` stood on stay readable until it is called again; nothing is made
 * of the message unless somebody asks.
 */
export class RowReader implements Row {
  readonly bytes: Buffer;
  stream = 0;
  timestamp = 0;
  ingestionTime = 0;
  writer = 0;
  sequence = 0;
  messageStart = 0;
  messageEnd = 0;
  #at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get message(): Buffer {
    return this.bytes.subarray(this.messageStart, this.messageEnd);
  }

  get text(): string {
    return this.bytes.toString('utf8', this.messageStart, this.messageEnd);
  }

  /** @returns whether there is one @throws LogsDamaged when the bytes are no rows */
  next(): boolean {
    if (this.#at >= this.bytes.length) return false;
    this.stream += this.#difference();
    this.timestamp += this.#difference();
    this.ingestionTime += this.#difference();
    this.writer += this.#difference();
    this.sequence += this.#difference();
    const length = this.#number();
    this.messageStart = this.#at;
    this.messageEnd = this.#at + length;
    if (this.messageEnd > this.bytes.length) throw new LogsDamaged('a row of a block of log events is cut off');
    this.#at = this.messageEnd;
    return true;
  }

  #difference(): number {
    const value = this.#number();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #number(): number {
    let value = 0;
    let unit = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.bytes[this.#at++];
      if (byte === undefined) break;
      if (byte < 0x80) return value + byte * unit;
      value += (byte - 0x80) * unit;
      unit *= 0x80;
    }
    throw new LogsDamaged('a number in a block of log events has no end');
  }
}
