import { systemClock } from '@slipway/storage/clock';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { Reporter, type TaskReport } from './report.ts';
import { until } from '../testing/bench.ts';
import { silent } from '../testing/callers.ts';

const report = (arn: string, status: TaskReport['status'], reason = ''): TaskReport => ({
  arn,
  status,
  reason,
  containers: [],
});

/** A clock whose sleeps end at once, so that retries take no time. */
const hasty = { ...systemClock, sleep: () => Promise.resolve() };

test('reports of a task arrive in order, the newest of a status last, however often sending fails', async () => {
  const statuses = fc.constantFrom('PENDING', 'RUNNING', 'STOPPED');
  await fc.assert(
    fc.asyncProperty(
      fc.array(statuses, { minLength: 1, maxLength: 12 }),
      fc.array(fc.boolean()),
      async (sent, failures) => {
        const arrived: TaskReport[] = [];
        const reporter = new Reporter({
          clock: hasty,
          random: () => 0,
          log: silent,
          submit: async (given) => {
            if (failures.pop() === true) throw new Error('no connection');
            arrived.push(given);
            return 'accepted';
          },
        });
        for (const [index, status] of sent.entries()) reporter.report(report('a', status, String(index)));
        const last = String(sent.length - 1);
        await until(() => (arrived.at(-1)?.reason === last ? true : undefined), 'the last report');
        const order = arrived.map(({ reason }) => Number(reason));
        expect(order).toEqual([...order].sort((a, b) => a - b));
        // Only a report that the next one of its status replaced may be missing.
        for (const [index, status] of sent.entries()) {
          expect(order.includes(index) || sent[index + 1] === status).toBe(true);
        }
        reporter.stop();
      },
    ),
    { numRuns: 50 },
  );
});

test('a report that is refused for good makes way for the next', async () => {
  const arrived: string[] = [];
  const reporter = new Reporter({
    clock: hasty,
    random: () => 0,
    log: silent,
    submit: async ({ status }) => {
      arrived.push(status);
      return status === 'PENDING' ? 'refused' : 'accepted';
    },
  });
  reporter.report(report('a', 'PENDING'));
  reporter.report(report('a', 'RUNNING'));
  await until(() => (arrived.length === 2 ? true : undefined), 'both');
  expect(arrived).toEqual(['PENDING', 'RUNNING']);
});

test('a report is on its way until it is answered', async () => {
  const answer = Promise.withResolvers<'accepted'>();
  const reporter = new Reporter({ clock: hasty, random: () => 0, log: silent, submit: () => answer.promise });
  expect(reporter.has('a')).toBe(false);
  reporter.report(report('a', 'STOPPED', ''));
  expect([reporter.has('a'), reporter.has('b')]).toEqual([true, false]);
  answer.resolve('accepted');
  await until(() => (reporter.has('a') ? undefined : true), 'the answer');
});
