import { expect, test } from 'vitest';

import { OrderPace } from './order-pace.ts';

test('fifty orders may begin in an hour, and another one when the first of them is an hour old', () => {
  const pace = new OrderPace();
  for (let at = 0; at < 50; at++) {
    expect(pace.wait(at)).toBe(0);
    pace.begin(at);
  }
  expect(pace.wait(1000)).toBe(3_600_000 - 1000);
  pace.takeBack();
  expect(pace.wait(1000)).toBe(0);
  pace.begin(1000);
  expect([pace.wait(3_599_999), pace.wait(3_600_000)]).toEqual([1, 0]);
});
