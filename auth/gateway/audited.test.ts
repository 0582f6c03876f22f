import { expect, test } from 'vitest';
import { auditMoment } from './audited.ts';
import type { Exchange } from './exchange.ts';

test('times of audit lines are as Date writes them, in whatever order requests end', () => {
  const exchange = { requestId: '0-0-0-0-0', span: undefined } satisfies Pick<Exchange, 'requestId' | 'span'>;
  const times = [0, 1_767_225_599_999, 1_767_225_600_000.75, 1_767_225_600_007, 1_767_225_599_010, 1_767_225_661_120];
  expect(times.map((now) => auditMoment(exchange, now, 1).time)).toEqual(
    times.map((now) => new Date(now).toISOString()),
  );
});
