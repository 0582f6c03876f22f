import type { PartGauge } from '@slipway/auth/contract';

import type { AgentControl } from '../hosts/control/index.ts';
import type { StoredLogs } from '../signals/logs/index.ts';
import { roomGauges } from '../signals/metrics/index.ts';

/** What logs take of the room that they have, and what becomes of the lines of tasks. A scrape reads no store. */
export function logGauges(
  agents: Pick<AgentControl, 'logCounts'>,
  logs: Pick<StoredLogs, 'room' | 'deliveries'>,
): readonly PartGauge[] {
  return [
    ...roomGauges(logs, 'logs'),
    {
      name: 'slipway_task_log_lines_total',
      help: 'Lines of tasks with the log driver awslogs, by what became of them',
      labels: ['outcome'],
      kind: 'counter',
      across: 'sum',
      read: async () => {
        const { shipped, dropped, gaps, leftOut } = agents.logCounts();
        const outcomes = { stored: shipped, dropped, 'left-out': leftOut, gap: gaps };
        return Object.entries(outcomes).map(([outcome, value]) => ({ labels: { outcome }, value }));
      },
    },
    {
      name: 'slipway_log_subscription_events_total',
      help: 'Events that passed subscription filters, by whether their receivers took them',
      labels: ['outcome'],
      kind: 'counter',
      across: 'sum',
      read: async () => {
        const { delivered, dropped } = logs.deliveries;
        return Object.entries({ delivered, dropped }).map(([outcome, value]) => ({ labels: { outcome }, value }));
      },
    },
    {
      name: 'slipway_log_subscription_failures_total',
      help: 'Attempts to tell receivers of subscription filters that failed; each is made again',
      labels: [],
      kind: 'counter',
      across: 'sum',
      read: async () => [{ labels: {}, value: logs.deliveries.failures }],
    },
    {
      name: 'slipway_log_subscriptions_failing',
      help: 'Subscription filters whose receiver did not take the last call, where a process of this server looks after their logs',
      labels: [],
      across: 'sum',
      read: async () => {
        const value = [...logs.deliveries.failing.values()].reduce((sum, one) => sum + one, 0);
        return [{ labels: {}, value }];
      },
    },
  ];
}
