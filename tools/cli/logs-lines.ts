import { CliError } from './errors.ts';
import { callJson } from './json-api.ts';
import { type LogSource, type Others, taskOf } from './logs-sources.ts';
import { note } from './output.ts';
import { ApiError } from './query-api.ts';

export interface Line {
  readonly id: string;
  readonly timestamp: number;
  readonly stream: string;
  readonly message: string;
  readonly source: LogSource;
}

interface FilteredPage {
  readonly events?: readonly {
    readonly eventId: string;
    readonly timestamp: number;
    readonly logStreamName: string;
    readonly message: string;
  }[];
  readonly nextToken?: string;
}

/** What lines are looked for. */
export interface Look {
  /** A filter pattern of CloudWatch Logs. */
  readonly pattern: string | undefined;
  /** Whose lines are left out. */
  readonly others: Others;
  /** When following: log groups that are not there yet, of which this was said. Otherwise one that is missing is an error. */
  readonly waitingFor?: Set<string>;
}

/** For how long a page is waited for when following, milliseconds: a server whose machine is gone never says so. */
const patience = 60_000;

/**
 * Lines of all sources in the order of their times, one page of each in memory.
 * @param from when on, of each log group, milliseconds since the epoch
 */
export async function* linesOf(
  sources: readonly LogSource[],
  from: (group: string) => number,
  look: Look,
): AsyncGenerator<Line, void> {
  const heads: { readonly line: Line; readonly rest: AsyncGenerator<Line, void> }[] = [];
  for (const source of sources) {
    const rest = linesOfOne(source, from, look);
    const { value, done } = await rest.next();
    if (done !== true) heads.push({ line: value, rest });
  }
  while (heads.length > 0) {
    let first = 0;
    for (const [at, { line }] of heads.entries()) if (line.id < heads[first]!.line.id) first = at;
    const { line, rest } = heads[first]!;
    yield line;
    const { value, done } = await rest.next();
    if (done === true) heads.splice(first, 1);
    else heads[first] = { line: value, rest };
  }
}

async function* linesOfOne(
  source: LogSource,
  from: (group: string) => number,
  { pattern, others, waitingFor }: Look,
): AsyncGenerator<Line, void> {
  for (let nextToken: string | undefined; ;) {
    const input = {
      logGroupName: source.group,
      logStreamNamePrefix: source.streams,
      startTime: from(source.group),
      ...(pattern === undefined ? {} : { filterPattern: pattern }),
      ...(nextToken === undefined ? {} : { nextToken }),
    };
    const page = await pageOf(source, input, waitingFor);
    const events = page.events ?? [];
    const foreign = await others.among(events.map(({ logStreamName }) => taskOf(logStreamName)));
    for (const { eventId, timestamp, logStreamName, message } of events)
      if (!foreign.has(taskOf(logStreamName))) yield { id: eventId, timestamp, stream: logStreamName, message, source };
    if ((nextToken = page.nextToken) === undefined) return;
  }
}

async function pageOf({ group }: LogSource, input: object, waitingFor: Set<string> | undefined): Promise<FilteredPage> {
  try {
    const signal = waitingFor === undefined ? undefined : AbortSignal.timeout(patience);
    const page = await callJson<FilteredPage>('logs', 'FilterLogEvents', input, signal);
    waitingFor?.delete(group);
    return page;
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'ResourceNotFoundException')) throw error;
    const told = missingGroups([group]);
    if (waitingFor === undefined) throw new CliError(told);
    if (!waitingFor.has(group)) note(`slipway: ${told}; waiting for it`);
    waitingFor.add(group);
    return {};
  }
}

/** What to do about log groups of which one is not there. */
export function missingGroups(groups: readonly string[]): string {
  const [group = ''] = groups;
  const which = groups.length === 1 ? `the log group ${group}` : `one of the log groups ${groups.join(', ')}`;
  return `${which} does not exist: aws logs create-log-group --log-group-name ${group} makes it, and "awslogs-create-group": "true" lets tasks make it`;
}
