import { logRoom } from '@slipway/scheduler/signals/logs/store';
import type { RecordStore } from '@slipway/storage/records';

import type { ServerConfig } from '../server/config.ts';
import { logsLimit } from '../server/logs-limit.ts';
import { type Finding, ok, warning } from './finding.ts';

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(bytes < 2 ** 30 ? 2 : 1)} GiB`;

/** What logs take of the room that they may take; nothing when there are none. */
export async function logFindings(
  records: RecordStore,
  config: Pick<ServerConfig, 'logsMaxBytes' | 'blobs' | 'data'>,
): Promise<Finding[]> {
  const { total } = await logRoom(records);
  if (total === 0) return [];
  const limit = logsLimit(config);
  const text = `logs take ${gibibytes(total)} of ${gibibytes(limit)}`;
  return [
    total < 0.9 * limit
      ? ok('logs', text)
      : warning(
          'logs',
          `${text}: the oldest of the largest group go; give groups a retention (aws logs put-retention-policy), or set SLIPWAY_LOGS_MAX`,
        ),
  ];
}

/** Lines of tasks that never got into their log groups, as the server's metrics count them since it started. */
export async function lostLines(endpoint: string): Promise<Finding[]> {
  // A server that does not answer has a finding of its own.
  const metrics = await fetch(`${endpoint}/metrics`, { signal: AbortSignal.timeout(5000) })
    .then((answer) => (answer.ok ? answer.text() : ''))
    .catch(() => '');
  const [dropped, gaps] = ['dropped', 'gap'].map((outcome) => {
    const found = new RegExp(`^slipway_task_log_lines_total\\{[^}]*outcome="${outcome}"[^}]*\\} (\\d+)`, 'm').exec(
      metrics,
    );
    return Number(found?.[1] ?? 0);
  });
  if (dropped === 0 && gaps === 0) return [];
  return [
    warning(
      'logs',
      `${dropped} lines of tasks were dropped and ${gaps} times a host had removed some before they were sent, since the server started; its log names the containers ("lines of a container were lost")`,
    ),
  ];
}
