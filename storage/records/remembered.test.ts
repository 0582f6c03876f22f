import { expect, test } from 'vitest';

import { HighWater } from './high-water.ts';
import { Remembered } from './remembered.ts';
import { ShardTags } from './shard-tags.ts';

test('so much is remembered at most, and what was learnt first is forgotten first', () => {
  const remembered = new Remembered<number>(3);
  for (const [index, name] of ['a', 'b', 'c', 'a', 'd'].entries()) remembered.set(name, index);
  expect(remembered.names()).toEqual(['c', 'a', 'd']);
  expect([remembered.get('a'), remembered.get('b'), remembered.size]).toEqual([3, undefined, 3]);
});

test('partitions that strangers ask for are not remembered without bound, and stay in their shard', () => {
  const [tags, water] = [new ShardTags('slipway'), new HighWater()];
  const first = Array.from({ length: 100 }, (_, index) => tags.of(`objects/${index}`));
  for (let index = 0; index < 100_000; index++) {
    tags.of(`objects/nobody-has-${index}`);
    water.see(`objects/nobody-has-${index}`, 0, 'present');
  }
  expect(tags.known).toBeLessThanOrEqual(10_000);
  expect(water.partitions().length).toBeLessThanOrEqual(10_000);
  expect(Array.from({ length: 100 }, (_, index) => tags.of(`objects/${index}`))).toEqual(first);
  // As it was ever since: what is stored lies there.
  expect(['account/000000000000', 'objects/shelf', ''].map((name) => tags.of(name))).toEqual([
    'slipway:{slipway-11}',
    'slipway:{slipway-2}',
    'slipway:{slipway-10}',
  ]);
});
