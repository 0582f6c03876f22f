import { expect, test } from 'vitest';

import { ByteReader, ByteWriter } from './bytes.ts';

/** Where numbers take another byte, and where bit operations would cut. */
const borders = [0, 6, 7, 13, 14, 30, 31, 32, 35, 42, 49, 52].flatMap((bits) => [
  2 ** bits - 1,
  2 ** bits,
  2 ** bits + 1,
]);

test('whole numbers are read as they were written, at the borders of their bytes and of 32 bits', () => {
  const wholes = [...borders, Number.MAX_SAFE_INTEGER];
  const signed = borders.filter((value) => value <= 2 ** 52).flatMap((value) => [value, -value]);
  const writer = new ByteWriter();
  for (const value of wholes) writer.whole(value);
  for (const value of signed) writer.signed(value);
  const reader = new ByteReader(writer.written());
  // What is zero has no sign.
  expect(wholes.map(() => reader.whole())).toEqual(wholes);
  expect(signed.map(() => reader.signed())).toEqual(signed.map((value) => value + 0));
  expect(reader.at).toBe(reader.end);
  expect(() => reader.whole()).toThrow(RangeError);
  // No number has more than eight bytes.
  expect(() => new ByteReader(Buffer.alloc(12, 0xff)).whole()).toThrow(/too long/);
});
