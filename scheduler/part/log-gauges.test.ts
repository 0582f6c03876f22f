import { expect, test } from 'vitest';

import { account, openedLogs } from '../signals/logs/store/testing/opened.ts';
import { logGauges } from './log-gauges.ts';

test('what logs take is said by whoever looks after them, for a minute; lines of tasks by what became of them', async () => {
  const opened = openedLogs();
  const store = opened.server({ maxBytes: () => 1_000_000 });
  const counts = { shipped: 5, dropped: 1, gaps: 2, leftOut: 3 };
  const gauges = logGauges({ logCounts: () => counts }, store);
  const read = async () =>
    Object.fromEntries(
      await Promise.all(
        gauges.map(async ({ name, read: values }) => [
          name,
          (await values()).map(({ labels, value }) => [...Object.values(labels), value].join(' ')),
        ]),
      ),
    );
  expect(await read()).toMatchObject({ slipway_logs_stored_bytes: [], slipway_logs_limit_bytes: [] });
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'g', 's');
  await store.put(account, 'g', 's', [{ timestamp: opened.clock.now(), message: 'x'.repeat(1000) }]);
  await opened.upkeep(store);
  expect(await read()).toEqual({
    slipway_logs_stored_bytes: [expect.stringMatching(/^[1-9]\d+$/)],
    slipway_logs_limit_bytes: ['1000000'],
    slipway_task_log_lines_total: ['stored 5', 'dropped 1', 'left-out 3', 'gap 2'],
    slipway_log_subscription_events_total: ['delivered 0', 'dropped 0'],
    slipway_log_subscription_failures_total: ['0'],
    slipway_log_subscriptions_failing: ['0'],
  });
  await store.close();
});
