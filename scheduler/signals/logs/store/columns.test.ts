import { array, assert, integer, maxSafeInteger, property, record, uint8Array } from 'fast-check';
import { expect, test } from 'vitest';
import { ColumnReader, ColumnWriter } from './columns.ts';
import { LogsDamaged } from './contract.ts';
import type { Row, Rows } from './rows.ts';

const time = integer({ min: 0, max: 9_999_999_999_999 });
const row = record({
  stream: integer({ min: 0, max: 5000 }),
  timestamp: time,
  ingestionTime: time,
  writer: integer({ min: 0, max: 10 ** 12 - 1 }),
  sequence: maxSafeInteger().map((value) => Math.abs(value) % 10 ** 15),
  message: uint8Array({ maxLength: 300 }),
});

const packed = (writer: ColumnWriter, rows: readonly Row[]): Buffer => {
  for (const one of rows) writer.add(one);
  return writer.take();
};

function readAll(rows: Rows): Row[] {
  const found: Row[] = [];
  while (rows.next()) {
    const { stream, timestamp, ingestionTime, writer, sequence, message } = rows;
    found.push({ stream, timestamp, ingestionTime, writer, sequence, message: Uint8Array.from(message) });
  }
  return found;
}

test('rows are read as they were written, with one writer for block after block', () => {
  const writer = new ColumnWriter();
  assert(
    property(array(row, { maxLength: 40 }), (rows) => {
      const bytes = packed(writer, rows);
      expect(readAll(new ColumnReader(bytes))).toEqual(rows);
      // Behind the numbers there is nothing but messages.
      const { messagesFrom } = new ColumnReader(bytes);
      expect(bytes.subarray(messagesFrom)).toEqual(Buffer.concat(rows.map(({ message }) => message)));
    }),
  );
});

test('numbers are read as they were written at the borders of their bytes and of 32 bits, up and down', () => {
  const numbers = [6, 7, 13, 14, 30, 31, 32, 42, 49, 51].flatMap((bits) => [
    2 ** bits - 1,
    0,
    2 ** bits,
    0,
    2 ** bits + 1,
  ]);
  const rows = numbers.map((sequence) => ({
    stream: 0,
    timestamp: numbers.length,
    ingestionTime: 0,
    writer: 2 ** 40 - (sequence % 2 ** 31),
    sequence,
    message: new Uint8Array(sequence % 200),
  }));
  expect(readAll(new ColumnReader(packed(new ColumnWriter(), rows)))).toEqual(rows);
});

test('bytes that are cut off are refused, or read as fewer or shorter rows', () => {
  const rows = Array.from({ length: 5 }, (_, n) => ({
    stream: n,
    timestamp: 1_800_000_000_000 + n,
    ingestionTime: 1_800_000_000_100,
    writer: 7,
    sequence: 1000 * n,
    message: Buffer.from(`line ${n}`),
  }));
  const bytes = packed(new ColumnWriter(), rows);
  const outcomes = Array.from({ length: bytes.length }, (_, length) => {
    try {
      return readAll(new ColumnReader(bytes.subarray(0, length))).length;
    } catch (error) {
      return error instanceof LogsDamaged ? 'refused' : String(error);
    }
  });
  expect(new Set(outcomes)).toEqual(new Set(['refused']));
});
