import { logRoom } from '@slipway/scheduler/signals/logs/store';
import { metricRoom } from '@slipway/scheduler/signals/metrics/store';
import type { RecordStore } from '@slipway/storage/records';

import type { ServerConfig } from '../server/config.ts';
import { logsLimit, metricsLimit } from '../server/logs-limit.ts';
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

/** What metrics take of the room that they may take; nothing when there are none. */
export async function metricFindings(
  records: RecordStore,
  config: Pick<ServerConfig, 'metricsMaxBytes' | 'blobs' | 'data'>,
): Promise<Finding[]> {
  const { total } = await metricRoom(records);
  if (total === 0) return [];
  const limit = metricsLimit(config);
  const text = `metrics take ${gibibytes(total)} of ${gibibytes(limit)}`;
  return [
    total < 0.9 * limit
      ? ok('metrics', text)
      : warning('metrics', `${text}: the finest and oldest go; report fewer series, or set SLIPWAY_METRICS_MAX`),
  ];
}

/** What of logs never got to where it should be, as the server's metrics count it since it started. */
export async function lostLines(endpoint: string): Promise<Finding[]> {
  // A server that does not answer has a finding of its own.
  const metrics = await fetch(`${endpoint}/metrics`, { signal: AbortSignal.timeout(5000) })
    .then((answer) => (answer.ok ? answer.text() : ''))
    .catch(() => '');
  const valueOf = (name: string, outcome?: string): number => {
    const labels = outcome === undefined ? '(?:\\{[^}]*\\})?' : `\\{[^}]*outcome="${outcome}"[^}]*\\}`;
    return Number(new RegExp(`^${name}${labels} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0);
  };
  const [dropped = 0, gaps = 0] = ['dropped', 'gap'].map((outcome) => valueOf('slipway_task_log_lines_total', outcome));
  const undelivered = valueOf('slipway_log_subscription_events_total', 'dropped');
  const failing = valueOf('slipway_log_subscriptions_failing');
  const findings: Finding[] = [];
  if (dropped > 0 || gaps > 0)
    findings.push(
      warning(
        'logs',
        `${dropped} lines of tasks were dropped and ${gaps} times a host had removed some before they were sent, since the server started; its log names the containers ("lines of a container were lost")`,
      ),
    );
  if (failing > 0 || undelivered > 0)
    findings.push(
      warning(
        'logs',
        `the receivers of ${failing} subscription filters do not take what they are told, and ${undelivered} events were given up since the server started; slipway subscriptions show GROUP FILTER says why`,
      ),
    );
  return findings;
}
