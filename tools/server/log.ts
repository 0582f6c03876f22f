import { styleText } from 'node:util';
import type { Log } from '@slipway/auth/contract';
import type { Tracing } from '@slipway/storage/telemetry';
import { pino } from 'pino';

/** Members whose values never reach a log line, whoever logs them. */
const redact = [
  '*.password',
  '*.secretAccessKey',
  '*.sessionToken',
  '*.authorization',
  '*.authorizationToken',
  'password',
  'secretAccessKey',
  'sessionToken',
  'authorization',
];

/** The server's logger: JSON lines, or short coloured ones when a person looks at a terminal. Where there are traces, a line names its own. */
export function openLog(level: string, tracing?: Tracing): Log {
  const options = {
    level,
    base: null,
    redact,
    timestamp: pino.stdTimeFunctions.isoTime,
    ...(tracing === undefined ? {} : { mixin: () => traceOf(tracing) }),
  };
  return process.stdout.isTTY
    ? pino(options, { write: (line: string) => process.stdout.write(forPeople(line)) })
    : pino(options);
}

/** The names under which collectors look for a line's trace. */
function traceOf(tracing: Tracing): object {
  const span = tracing.current();
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
}

const levels: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info ',
  40: styleText('yellow', 'warn '),
  50: styleText('red', 'error'),
  60: styleText('red', 'fatal'),
};

function forPeople(line: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as {
    level: number;
    time: string;
    msg?: string;
    err?: { message?: string };
  };
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  if (err?.message !== undefined) rest.push(err.message);
  return `${styleText('dim', time.slice(11, 19))} ${levels[level] ?? level} ${msg ?? ''} ${styleText('dim', rest.join(' '))}\n`;
}
