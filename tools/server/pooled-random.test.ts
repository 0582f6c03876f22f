import { expect, test } from 'vitest';
import { pooledRandom } from './pooled-random.ts';

test('gives as many bytes as are asked for, and none of them twice', () => {
  const random = pooledRandom();
  const given = Array.from({ length: 2_000 }, (_, index) => random(8 + (index % 80)));
  expect(given.map(({ length }) => length)).toEqual(given.map((_, index) => 8 + (index % 80)));
  const texts = given.map((bytes) => Buffer.from(bytes).toString('hex').slice(0, 16));
  expect(new Set(texts).size).toBe(given.length);
  // A buffer of its own: what the pool forgets stays, and who is given it holds no more than that.
  expect(given.every((bytes) => bytes.length > 64 || bytes.buffer.byteLength === bytes.length)).toBe(true);
});
