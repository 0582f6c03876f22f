import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { logs } from './aws.ts';
import { clockTime, lastOf, visible } from './format.ts';
import { useLive } from './live.ts';
import { Button, Empty, Loading, Panel, Refusal } from './parts.tsx';
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

/** Where one container's lines are: a group, and the beginning of its streams' names. */
interface Source {
  readonly group: string;
  readonly prefix: string;
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
  const held = useRef<readonly LogLine[]>([]);
  const box = useRef<HTMLOListElement>(null);
  const [follow, setFollow] = useState(true);
  const groups = [...new Set(sources.map(({ group }) => group))].join(', ');
  const { data, error } = useLive(
    `logs ${nameOf(sources)} ${wanted}`,
    async (signal) => {
      held.current = await further(sources, wanted, held.current, signal);
      return held.current;
    },
    2000,
  );
  useEffect(() => {
    if (follow && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [data, follow]);
  return (
    <>
      {error === undefined ? null : <Refusal error={error} />}
      {data === undefined ? (
        error === undefined ? (
          <Loading what="log lines" />
        ) : null
      ) : data.length === 0 ? (
        <Empty title={wanted === '' ? 'No line in the last quarter of an hour' : 'No line has that'}>
          New lines appear here as they are written.
        </Empty>
      ) : (
        <>
          <ol class="log" ref={box} tabIndex={0} aria-label={`Lines of ${groups}`}>
            {data.map(({ id, time, from, text }) => (
              <li key={id}>
                <time>{clockTime(time)}</time>
                <span class="from">{visible(from)}</span>
                <bdi>{visible(text)}</bdi>
              </li>
            ))}
          </ol>
          <div class="row body">
            <span class="grow faint">
              {data.length} lines of <code>{visible(groups)}</code>
            </span>
            <Button kind="quiet" pressed={follow} onClick={() => setFollow(!follow)}>
              Follow
            </Button>
          </div>
        </>
      )}
    </>
  );
}

/** The lines that are held with those that came since; lines of one millisecond may come twice, and are known by their ids. */
async function further(
  sources: readonly Source[],
  wanted: string,
  before: readonly LogLine[],
  signal: AbortSignal,
): Promise<readonly LogLine[]> {
  const startTime = before.at(-1)?.time ?? Date.now() - lookBack;
  const lines = new Map(before.map((line) => [line.id, line]));
  const read = async ({ group: logGroupName, prefix }: Source): Promise<void> => {
    let nextToken: string | undefined;
    // A busy group is caught up with over several looks.
    for (let page = 0; page < 5; page++) {
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
      }
      nextToken = answer.nextToken;
      if (nextToken === undefined) return;
    }
  };
  await Promise.all(sources.map(read));
  return [...lines.values()].toSorted((a, b) => a.time - b.time).slice(-mostLines);
}
