import { expect, test } from 'vitest';
import { movesOf } from './moves.ts';

test('a service whose tasks are moved is told with its last move', () => {
  const tags = [{ key: 'slipway:rebalance', value: 'true' }];
  expect(movesOf({ tags: [], events: [] })).toBeUndefined();
  expect(movesOf({ tags: [{ key: 'slipway:rebalance', value: 'false' }] })).toBeUndefined();
  expect(movesOf({ tags })).toMatch(/lately none was/);
  const message = '(service web) moves (task a) from (container-instance i) to (container-instance j): spread by zone.';
  const events = [{ message: '(service web) has reached a steady state.' }, { message, createdAt: new Date(0) }];
  expect(movesOf({ tags, events })).toBe(
    `its tasks are moved (slipway:rebalance), the last at 1970-01-01T00:00:00.000Z: ${message}`,
  );
});
