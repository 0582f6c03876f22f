import { LRUCache } from 'lru-cache';
import { expect, test } from 'vitest';
import { growingTo } from './caches.ts';

test('a cache that grows holds what was used last, and no more than it was given', () => {
  const cache = new LRUCache<string, number>(growingTo(3));
  for (const [at, name] of ['a', 'b', 'c'].entries()) cache.set(name, at);
  expect(cache.get('a')).toBe(0);
  cache.set('d', 3);
  cache.set('d', 4);
  expect(Object.fromEntries(cache.entries())).toEqual({ a: 0, c: 2, d: 4 });
});
