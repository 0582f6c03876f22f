import { expect, test } from 'vitest';
import { valueOf } from './secrets.ts';

test('a value is what was written, without the line break of an editor', () => {
  const values = ['pässwort\n', 'one\r\n', 'two\n\n', '\ufeffmarked', ' '].map((text) => valueOf(Buffer.from(text)));
  expect(values).toEqual(['pässwort', 'one', 'two\n', '\ufeffmarked', ' ']);
  expect(() => valueOf(Buffer.from('\n'))).toThrow('empty');
});

test('bytes that are no text are refused, not kept as others', () => {
  expect(() => valueOf(Buffer.from([0x61, 0xff, 0x00]))).toThrow('--secret-binary');
});
