import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import type { ECSClient } from '@aws-sdk/client-ecs';
import { ecsClient } from './aws-client.ts';
import { CliError } from './errors.ts';
import { type Line, linesOf, type Look } from './logs-lines.ts';
import { queryLogs } from './logs-query.ts';
import { findSources, Others, taskOf, type Wanted } from './logs-sources.ts';
import { FollowedGroups } from './logs-window.ts';
import { isFinal, Outages } from './outages.ts';
import { harmless, note, parseOutput, print } from './output.ts';
import { ApiError } from './query-api.ts';
import { ServerClock } from './server-clock.ts';

export interface LogsOptions {
  readonly follow?: true;
  readonly since: string;
  readonly grep?: string;
  readonly filter?: string;
  readonly query?: string;
  readonly output: string;
}

/** Between looks for new lines, and between looks for new revisions, milliseconds. */
const pace = 1000;
const revisionPace = 10_000;

/** `slipway logs`: what the containers of a service or a task wrote, in the order of time, as the caller may read it. */
export async function logs(name: string, options: LogsOptions): Promise<void> {
  const json = parseOutput(options.output) === 'json';
  parseSince(options.since, Date.now());
  if (options.grep !== undefined && options.filter !== undefined)
    throw new CliError('give --grep or --filter, not both', 2);
  if (options.query !== undefined && (options.follow ?? options.grep ?? options.filter) !== undefined)
    throw new CliError('--query stands alone: its own filter command chooses lines, and it ends with its answer', 2);
  const pattern = options.grep === undefined ? options.filter : quoted(options.grep);
  // What reads our lines may have seen enough (slipway logs web | head).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const client = ecsClient();
  const clock = new ServerClock(client);
  const wanted = await findSources(client, name);
  // Lines have the times of servers and hosts: what was ten minutes ago, a server says.
  const since = parseSince(options.since, clock.now());
  if (options.query !== undefined)
    return queryLogs(wanted, options.query, { since, until: Math.max(since, clock.now()) }, json);
  const look: Look = { pattern, others: new Others(client, wanted) };
  const show = (line: Line): void => print(json ? asJson(line) : asText(line, wanted));
  let any = false;
  try {
    if (options.follow) await follow({ client, clock, name, since, look, show }, wanted);
    for await (const line of linesOf(wanted.sources, () => since, look)) {
      any = true;
      show(line);
    }
  } catch (error) {
    throw inWords(error);
  }
  if (!any && !json)
    note(`no lines of ${wanted.name} since ${new Date(since).toISOString()}: --since goes back further`);
}

interface Following {
  readonly client: ECSClient;
  readonly clock: ServerClock;
  readonly name: string;
  readonly since: number;
  readonly look: Look;
  readonly show: (line: Line) => void;
}

/** Shows what comes, too, each line once, over outages and revisions. Ends with what a server says no to. */
async function follow({ client, clock, name, since, look, show }: Following, first: Wanted): Promise<never> {
  const groups = new FollowedGroups(since);
  const waitingFor = new Set<string>();
  const outages = new Outages();
  for (let wanted = first, sought = performance.now(); ; await sleep(pace)) {
    const began = clock.now();
    const names = wanted.sources.map(({ group }) => group);
    const from = groups.begin(names, began);
    try {
      for await (const line of linesOf(wanted.sources, (group) => from.get(group) ?? since, { ...look, waitingFor }))
        if (groups.isNew(line)) show(line);
      if (outages.isOn || performance.now() - sought >= revisionPace) {
        wanted = await findSources(client, name);
        sought = performance.now();
      }
      groups.done(began, waitingFor);
      outages.over();
    } catch (error) {
      if (isFinal(error)) throw error;
      outages.failed(error);
      groups.failed();
    }
  }
}

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
