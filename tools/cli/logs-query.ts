import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from './errors.ts';
import { callJson } from './json-api.ts';
import { missingGroups } from './logs-lines.ts';
import type { LogSource, Wanted } from './logs-sources.ts';
import { bytesOf, note, print, table } from './output.ts';
import { ApiError } from './query-api.ts';

interface Results {
  readonly status: string;
  readonly results: readonly (readonly { readonly field: string; readonly value: string }[])[];
  readonly statistics: {
    readonly recordsMatched: number;
    readonly recordsScanned: number;
    readonly bytesScanned: number;
  };
}

/** Between looks whether a query is done, milliseconds: soon at first, then less often. */
const paces = [50, 100, 200, 500];
const lastPace = 1000;

/**
 * `slipway logs --query`: what a query of CloudWatch Logs Insights answers about the lines of a service or a task. Ctrl-C stops it on the server.
 * @param times milliseconds since the epoch
 */
export async function queryLogs(
  { name, sources }: Wanted,
  query: string,
  { since, until }: { readonly since: number; readonly until: number },
  json: boolean,
): Promise<void> {
  const groups = [...new Set(sources.map(({ group }) => group))];
  const ofStreams = streamFilter(sources);
  const input = {
    logGroupNames: groups,
    startTime: Math.floor(since / 1000),
    // Dates of answers have whole seconds, so the server may be one further.
    endTime: Math.ceil(until / 1000) + 1,
    queryString: ofStreams + query,
  };
  const { queryId } = await callJson<{ queryId: string }>('logs', 'StartQuery', input).catch((error: unknown) => {
    throw inWords(error, groups, ofStreams.length);
  });
  const stop = (): void => {
    void callJson('logs', 'StopQuery', { queryId })
      .catch(() => undefined)
      .finally(() => process.exit(130));
  };
  process.once('SIGINT', stop);
  try {
    const { results, statistics } = await answerOf(queryId);
    const rows = results.map((row) => Object.fromEntries(row.map(({ field, value }) => [field, value])));
    if (json) for (const row of rows) print(JSON.stringify(row));
    else if (rows.length > 0) print(asText(rows));
    const { recordsMatched, recordsScanned, bytesScanned } = statistics;
    note(
      `${recordsMatched} of ${recordsScanned} lines of ${name} since ${new Date(since).toISOString()} match; ${bytesOf(bytesScanned)} were read`,
    );
  } finally {
    process.off('SIGINT', stop);
  }
}

async function answerOf(queryId: string): Promise<Results> {
  for (let look = 0; ; look++) {
    const found = await callJson<Results>('logs', 'GetQueryResults', { queryId });
    if (found.status === 'Complete') return found;
    if (found.status !== 'Scheduled' && found.status !== 'Running')
      throw new CliError(
        `the query ended as ${found.status}: ${reasons[found.status] ?? 'somebody stopped it'} (aws logs get-query-results --query-id ${queryId})`,
      );
    await sleep(paces[look] ?? lastPace);
  }
}

const reasons: Readonly<Record<string, string>> = {
  Failed: "the server's log says why; ask for less, by a filter or a shorter --since",
  Timeout: 'it took an hour; ask for less, by a filter or a shorter --since',
};

/** The beginning of a query that leaves only the streams of these sources. */
export function streamFilter(sources: readonly Pick<LogSource, 'streams'>[]): string {
  const all = [...new Set(sources.map(({ streams }) => streams))];
  const conditions = all.map(
    (streams) => `@logStream like /^${streams.replaceAll(/[\\.+*?()|[\]{}^$/]/g, String.raw`\$&`)}/`,
  );
  return `filter ${conditions.join(' or ')} | `;
}

/** What the server refuses, in words that are about the query as it was given. @param before characters that were put before it */
export function inWords(error: unknown, groups: readonly string[], before: number): unknown {
  if (!(error instanceof ApiError)) return error;
  if (error.code === 'ResourceNotFoundException') return new CliError(missingGroups(groups));
  const place = /at character (\d{1,6})/;
  return new CliError(
    `${error.code}: ${error.message.replace(place, (_, at: string) => `at character ${Math.max(1, Number(at) - before)}`)}`,
  );
}

/** A table of all the fields that some line has, without what only programs need. */
export function asText(rows: readonly Readonly<Record<string, string>>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((column) => column !== '@ptr');
  return table(
    columns,
    rows.map((row) => columns.map((column) => row[column] ?? '')),
  );
}
