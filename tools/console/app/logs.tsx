import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { logs } from './aws.ts';
import { clockTime, lastOf, visible } from './format.ts';
import { useLive } from './live.ts';
import { Answered, Button, Empty, Loading, Panel } from './parts.tsx';
import type { TaskDefinition } from './types.ts';

interface LogLine {
  readonly id: string;
  readonly time: number;
  /** Container and beginning of the task. */
  readonly from: string;
  readonly text: string;
}

/** Lines that are held and shown; older ones are in the log group. */
const mostLines = 500;
/** How far back the first look goes. Milliseconds. */
const lookBack = 15 * 60_000;
/** How much later than its time a line may be collected, and be found all the same once everything before was looked through. Milliseconds. */
const late = 5 * 60_000;
/** Answers of one look; what is behind them, the next one goes on with. */
const mostAnswers = 5;

/** Where one container's lines are: a group, and the beginning of its streams' names. */
interface Source {
  readonly group: string;
  readonly prefix: string;
}

/** Where the next look at a source goes on: behind the last answer where that was not the end, else with what came since. */
interface Place {
  readonly startTime: number;
  readonly nextToken: string | undefined;
}

/** What was read so far. */
interface Held {
  readonly lines: readonly LogLine[];
  /** By the names of sources. */
  readonly places: ReadonlyMap<string, Place>;
}

/** Where the containers of a task definition write with `awslogs`. */
export function sourcesOf(definition: TaskDefinition | undefined): readonly Source[] {
  return (definition?.containerDefinitions ?? []).flatMap(({ name = '', logConfiguration }) => {
    const { 'awslogs-group': group, 'awslogs-stream-prefix': prefix } = logConfiguration?.options ?? {};
    if (logConfiguration?.logDriver !== 'awslogs' || group === undefined) return [];
    return [{ group, prefix: prefix === undefined ? '' : `${prefix}/${name}/` }];
  });
}

/** What a search means to CloudWatch Logs: the very text, wherever it stands. */
export const patternOf = (wanted: string): string | undefined =>
  wanted === '' ? undefined : `"${wanted.replaceAll(/["\\]/g, (one) => `\\${one}`)}"`;

/** What the containers write, line by line as it comes; a search is done by the server, over all of it. */
export function LogsPanel({ definition }: { readonly definition: TaskDefinition | undefined }): JSX.Element {
  const sources = sourcesOf(definition);
  const [typed, setTyped] = useState('');
  const [wanted, setWanted] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setWanted(typed.trim()), 300);
    return () => clearTimeout(timer);
  }, [typed]);
  const search = (
    <input
      type="search"
      placeholder="Search the logs"
      aria-label="Search the logs"
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
    />
  );
  return (
    <Panel title="Logs" aside={sources.length === 0 ? undefined : search} flush={sources.length > 0}>
      {sources.length === 0 ? (
        <Empty title="Nothing is collected">
          Containers whose log driver is <code>awslogs</code> have their lines here.
        </Empty>
      ) : (
        <Tail key={`${nameOf(sources)} ${wanted}`} sources={sources} wanted={wanted} />
      )}
    </Panel>
  );
}

const nameOf = (sources: readonly Source[]): string =>
  sources.map(({ group, prefix }) => `${group}:${prefix}`).join(' ');

function Tail({ sources, wanted }: { readonly sources: readonly Source[]; readonly wanted: string }): JSX.Element {
  const held = useRef<Held>({ lines: [], places: new Map() });
  const box = useRef<HTMLOListElement>(null);
  const [follow, setFollow] = useState(true);
  const groups = [...new Set(sources.map(({ group }) => group))].join(', ');
  const live = useLive(
    `logs ${nameOf(sources)} ${wanted}`,
    async (signal) => {
      held.current = await further(sources, wanted, held.current, signal);
      return { lines: held.current.lines, searching: [...held.current.places.values()].some(isUnderWay) };
    },
    2000,
  );
  useEffect(() => {
    if (follow && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [live.data, follow]);
  return (
    <Answered live={live} what="log lines">
      {({ lines, searching }) =>
        lines.length === 0 ? (
          searching ? (
            <Loading what="log lines" />
          ) : (
            <Empty title={wanted === '' ? 'No line in the last quarter of an hour' : 'No line has that'}>
              New lines appear here as they are written.
            </Empty>
          )
        ) : (
          <>
            <ol class="log" ref={box} tabIndex={0} aria-label={`Lines of ${groups}`}>
              {lines.map(({ id, time, from, text }) => (
                <li key={id}>
                  <time>{clockTime(time)}</time>
                  <span class="from">{visible(from)}</span>
                  <bdi>{visible(text)}</bdi>
                </li>
              ))}
            </ol>
            <div class="row body">
              <span class="grow faint">
                {lines.length} lines of <code>{visible(groups)}</code>
              </span>
              <Button kind="quiet" pressed={follow} onClick={() => setFollow(!follow)}>
                Follow
              </Button>
            </div>
          </>
        )
      }
    </Answered>
  );
}

const isUnderWay = ({ nextToken }: Place): boolean => nextToken !== undefined;

/**
 * The lines that are held with those that came since; lines of one millisecond may come twice, and are known by their ids. The server ends
 * an answer after some time, with or without lines: a search goes on over several looks, and none begins again with what was searched.
 */
export async function further(
  sources: readonly Source[],
  wanted: string,
  before: Held,
  signal: AbortSignal,
): Promise<Held> {
  const lines = new Map(before.lines.map((line) => [line.id, line]));
  const places = new Map(before.places);
  const read = async (source: Source): Promise<void> => {
    const { group: logGroupName, prefix } = source;
    const name = nameOf([source]);
    const began = Date.now();
    let { startTime, nextToken } = places.get(name) ?? { startTime: began - lookBack, nextToken: undefined };
    let newest = startTime;
    for (let page = 0; page < mostAnswers; page++) {
      const answer = await logs(
        'FilterLogEvents',
        {
          logGroupName,
          startTime,
          filterPattern: patternOf(wanted),
          nextToken,
          limit: mostLines,
          ...(prefix === '' ? {} : { logStreamNamePrefix: prefix }),
        },
        { signal },
      );
      for (const { eventId = '', timestamp = 0, logStreamName = '', message = '' } of answer.events ?? []) {
        const parts = logStreamName.split('/');
        const from = parts.length < 3 ? logStreamName : `${parts.at(-2)} ${lastOf(logStreamName).slice(0, 6)}`;
        lines.set(eventId, { id: eventId, time: timestamp, from, text: message });
        newest = Math.max(newest, timestamp);
      }
      nextToken = answer.nextToken;
      if (nextToken !== undefined) continue;
      startTime = Math.max(newest, began - late);
      break;
    }
    places.set(name, { startTime, nextToken });
  };
  await Promise.all(sources.map(read));
  return { lines: [...lines.values()].toSorted((a, b) => a.time - b.time).slice(-mostLines), places };
}
