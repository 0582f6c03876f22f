import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { ecsClient } from './aws-client.ts';
import { CliError } from './errors.ts';
import { callJson } from './json-api.ts';
import { findSources, type LogSource, Others, taskOf, type Wanted } from './logs-sources.ts';
import { harmless, note, parseOutput, print } from './output.ts';
import { ApiError } from './query-api.ts';

export interface LogsOptions {
  readonly follow?: true;
  readonly since: string;
  readonly grep?: string;
  readonly filter?: string;
  readonly output: string;
}

interface Line {
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

/** Between looks for new lines, and between looks for new revisions, milliseconds. */
const pace = 1000;
const revisionPace = 10_000;
/** Lines that come so late after they were written are still shown when following, milliseconds. */
const lateness = 60_000;

/** `slipway logs`: what the containers of a service or a task wrote, in the order of time, as the caller may read it. */
export async function logs(name: string, options: LogsOptions): Promise<void> {
  const json = parseOutput(options.output) === 'json';
  const since = parseSince(options.since, Date.now());
  if (options.grep !== undefined && options.filter !== undefined)
    throw new CliError('give --grep or --filter, not both', 2);
  const pattern = options.grep === undefined ? options.filter : quoted(options.grep);
  // What reads our lines may have seen enough (slipway logs web | head).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const client = ecsClient();
  let wanted = await findSources(client, name);
  const others = new Others(client, wanted);
  const show = (line: Line): void => print(json ? asJson(line) : asText(line, wanted));
  const shown = new Map<string, number>();
  let any = false;
  let from = since;
  for (let looked = performance.now(), trouble = ''; ;) {
    const began = Date.now();
    try {
      for await (const line of linesOf(wanted.sources, from, pattern, others)) {
        if (shown.has(line.id)) continue;
        if (options.follow) shown.set(line.id, line.timestamp);
        any = true;
        show(line);
      }
      trouble = '';
      from = Math.max(since, began - lateness);
      for (const [id, timestamp] of shown) if (timestamp < from) shown.delete(id);
      if (options.follow && performance.now() - looked >= revisionPace) {
        looked = performance.now();
        wanted = await findSources(client, name);
      }
    } catch (error) {
      if (!options.follow || isFinal(error)) throw inWords(error);
      const { message } = error as Error;
      if (message !== trouble) note(`slipway: ${message}; trying again`);
      trouble = message;
    }
    if (!options.follow) break;
    await sleep(pace);
  }
  if (!any && !json)
    note(`no lines of ${wanted.name} since ${new Date(since).toISOString()}: --since goes back further`);
}

/** Lines of all sources in the order of their times, one page of each in memory. */
async function* linesOf(
  sources: readonly LogSource[],
  startTime: number,
  filterPattern: string | undefined,
  others: Others,
): AsyncGenerator<Line, void> {
  const heads: { readonly line: Line; readonly rest: AsyncGenerator<Line, void> }[] = [];
  for (const source of sources) {
    const rest = linesOfOne(source, startTime, filterPattern, others);
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
  startTime: number,
  filterPattern: string | undefined,
  others: Others,
): AsyncGenerator<Line, void> {
  for (let nextToken: string | undefined; ;) {
    const page = await pageOf(source, {
      logGroupName: source.group,
      logStreamNamePrefix: source.streams,
      startTime,
      ...(filterPattern === undefined ? {} : { filterPattern }),
      ...(nextToken === undefined ? {} : { nextToken }),
    });
    const events = page.events ?? [];
    const foreign = await others.among(events.map(({ logStreamName }) => taskOf(logStreamName)));
    for (const { eventId, timestamp, logStreamName, message } of events)
      if (!foreign.has(taskOf(logStreamName))) yield { id: eventId, timestamp, stream: logStreamName, message, source };
    if ((nextToken = page.nextToken) === undefined) return;
  }
}

async function pageOf({ group }: LogSource, input: object): Promise<FilteredPage> {
  try {
    return await callJson<FilteredPage>('logs', 'FilterLogEvents', input);
  } catch (error) {
    if (error instanceof ApiError && error.code === 'ResourceNotFoundException')
      throw new CliError(
        `the log group ${group} does not exist: aws logs create-log-group --log-group-name ${group} makes it, and "awslogs-create-group": "true" lets tasks make it`,
      );
    throw error;
  }
}

/** A server that is away comes again; what it said no to it would say no to again. */
const isFinal = (error: unknown): boolean =>
  error instanceof ApiError ? !/Throttling|Unavailable|Internal|^5/.test(error.code) : error instanceof CliError;

function inWords(error: unknown): unknown {
  return error instanceof ApiError ? new CliError(`${error.code}: ${error.message}`) : error;
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `10m`, `2h`, `3d`, or a time. @returns milliseconds since the epoch */
export function parseSince(text: string, now: number): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const time = count === undefined ? Date.parse(text) : now - Number(count) * (units[unit] ?? 0);
  if (Number.isFinite(time)) return Math.max(0, time);
  throw new CliError(`--since is a time (2026-11-29T12:00:00Z) or how long ago (30s, 10m, 2h, 3d), not '${text}'`, 2);
}

/** The filter pattern that finds a text as it stands. */
export const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

function asJson({ timestamp, stream, message, source }: Line): string {
  return JSON.stringify({
    time: new Date(timestamp).toISOString(),
    group: source.group,
    stream,
    container: source.container,
    task: taskOf(stream),
    message,
  });
}

const colours = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const;

/** One line for people: coloured by task, and without what a container could do to a terminal, where it is one. */
function asText({ timestamp, stream, message, source }: Line, { group }: Pick<Wanted, 'group'>): string {
  const task = taskOf(stream).slice(0, 8);
  const who = group === undefined ? source.container : `${source.container}/${task}`;
  const head = `${new Date(timestamp).toISOString()} ${who}`;
  const lines = message.replace(/\r?\n$/, '');
  if (!process.stdout.isTTY) return `${head}  ${lines}`;
  return `${styleText(colours[colourOf(task)]!, head)}  ${harmless(lines)}`;
}

function colourOf(task: string): number {
  let sum = 0;
  for (const character of task) sum = (31 * sum + (character.codePointAt(0) ?? 0)) >>> 0;
  return sum % colours.length;
}
