import { LogsDamaged } from './contract.ts';
import { NumberReader, type Row, type Rows } from './rows.ts';

/**
 * How rows lie in a block since version 2 of the files: how long each of six columns is, the columns (differences of the numbers to those
 * of the row before, and the lengths of the messages), and behind them all messages, one after the other. What is alike lies
 * together, so that it is packed better, and a text can be looked for in all messages at once. Numbers are as in `rows.ts`.
 */
const columns = ['stream', 'timestamp', 'ingestionTime', 'writer', 'sequence'] as const;

/** Bytes of a number, at most. */
const numberLimit = 8;

/** Bytes that grow as they are written. */
class Growing {
  #bytes = Buffer.allocUnsafe(4096);
  length = 0;

  number(value: number): void {
    this.#room(numberLimit);
    let rest = value;
    // Beyond 2^31 bit operations would cut; up to there they take a fraction of a remainder of doubles.
    for (; rest >= 0x8000_0000; rest = Math.floor(rest / 0x80)) this.#bytes[this.length++] = (rest % 0x80) | 0x80;
    for (; rest >= 0x80; rest >>>= 7) this.#bytes[this.length++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.length++] = rest;
  }

  add(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** What there is, until more is written. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  #room(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.length + more, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.length);
    this.#bytes = grown;
  }
}

/** Makes blocks of rows. */
export class ColumnWriter {
  readonly #columns = columns.map((name) => ({ name, numbers: new Growing(), last: 0 }));
  readonly #lengths = new Growing();
  readonly #messages = new Growing();

  /** Bytes of messages so far, and of their lengths. */
  get length(): number {
    return this.#lengths.length + this.#messages.length;
  }

  add(row: Row): void {
    for (const column of this.#columns) {
      const value = row[column.name];
      const difference = value - column.last;
      column.numbers.number(difference < 0 ? -2 * difference - 1 : 2 * difference);
      column.last = value;
    }
    this.#lengths.number(row.message.length);
    this.#messages.add(row.message);
  }

  /** The rows so far, and begins anew. */
  take(): Buffer {
    const parts = [...this.#columns.map(({ numbers }) => numbers), this.#lengths];
    const head = new Growing();
    for (const { length } of parts) head.number(length);
    const taken = Buffer.concat([head, ...parts, this.#messages].map(({ written }) => written));
    for (const part of [...parts, this.#messages]) part.length = 0;
    for (const column of this.#columns) column.last = 0;
    return taken;
  }
}

/** Reads what a {@link ColumnWriter} wrote. */
export class ColumnReader implements Rows {
  readonly bytes: Buffer;
  readonly messagesFrom: number;
  stream = 0;
  timestamp = 0;
  ingestionTime = 0;
  writer = 0;
  sequence = 0;
  messageStart: number;
  messageEnd: number;
  readonly #streams: NumberReader;
  readonly #timestamps: NumberReader;
  readonly #ingestionTimes: NumberReader;
  readonly #writers: NumberReader;
  readonly #sequences: NumberReader;
  readonly #lengths: NumberReader;

  /** @throws LogsDamaged when the bytes are no rows */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
    const head = new NumberReader(bytes, 0, bytes.length);
    const sizes = [0, 0, 0, 0, 0, 0].map(() => head.number());
    let at = head.at;
    const column = (place: number): NumberReader => {
      const start = at;
      at += sizes[place]!;
      if (at > bytes.length) throw new LogsDamaged('a column of a block of log events is cut off');
      return new NumberReader(bytes, start, at);
    };
    this.#streams = column(0);
    this.#timestamps = column(1);
    this.#ingestionTimes = column(2);
    this.#writers = column(3);
    this.#sequences = column(4);
    this.#lengths = column(5);
    this.messagesFrom = at;
    this.messageStart = at;
    this.messageEnd = at;
  }

  get message(): Buffer {
    return this.bytes.subarray(this.messageStart, this.messageEnd);
  }

  get text(): string {
    return this.bytes.toString('utf8', this.messageStart, this.messageEnd);
  }

  next(): boolean {
    if (this.#lengths.over) return false;
    this.stream += this.#streams.difference();
    this.timestamp += this.#timestamps.difference();
    this.ingestionTime += this.#ingestionTimes.difference();
    this.writer += this.#writers.difference();
    this.sequence += this.#sequences.difference();
    this.messageStart = this.messageEnd;
    this.messageEnd += this.#lengths.number();
    if (this.messageEnd > this.bytes.length) throw new LogsDamaged('a row of a block of log events is cut off');
    return true;
  }
}
