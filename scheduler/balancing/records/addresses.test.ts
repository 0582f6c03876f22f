import { expect, test } from 'vitest';

import { addressPool } from './addresses.ts';

test('a pool gives free addresses first, then those that fewest have', () => {
  const pool = addressPool(['192.0.2.7', '10.0.0.0/30'], 'elb.localhost');
  const taken: string[] = [];
  for (let count = 0; count < 5; count++) taken.push(pool.next(taken) ?? 'none');
  expect(taken).toEqual(['192.0.2.7', '10.0.0.1', '10.0.0.2', '192.0.2.7', '10.0.0.1']);
});

test('an empty pool gives none, and what is no address is refused', () => {
  expect(addressPool([], 'elb.localhost').next([])).toBeUndefined();
  for (const bad of ['', '10.0.0.256', '10.0.0.0/33', '::1', 'web'])
    expect(() => addressPool([bad], 'elb.localhost')).toThrow(TypeError);
});

test('a pair of addresses is both of them', () => {
  const pool = addressPool(['10.0.0.0/31'], 'elb.localhost');
  expect([pool.next([]), pool.next(['10.0.0.0'])]).toEqual(['10.0.0.0', '10.0.0.1']);
});
