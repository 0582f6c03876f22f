import type { PartGauge } from '@slipway/auth/contract';

import type { AgentControl } from '../hosts/control/index.ts';
import type { StoredLogs } from '../signals/logs/index.ts';

/** What logs take of the room that they have, and what becomes of the lines of tasks. A scrape reads no store. */
export function logGauges(
  agents: Pick<AgentControl, 'logCounts'>,
  logs: Pick<StoredLogs, 'room'>,
): readonly PartGauge[] {
  const room = (name: string, help: string, of: 'stored' | 'limit'): PartGauge => ({
    name,
    help,
    labels: [],
    across: 'max',
    read: async () => {
      const value = logs.room()?.[of];
      return value === undefined || !Number.isFinite(value) ? [] : [{ labels: {}, value }];
    },
  });
  return [
    room(
      'slipway_logs_stored_bytes',
      'Bytes that logs take, where a process of this server looks after them',
      'stored',
    ),
    room('slipway_logs_limit_bytes', 'Bytes that logs may take (SLIPWAY_LOGS_MAX)', 'limit'),
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
  ];
}
