import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type Events, type Happened, type Kind, matching, readEvents } from './events-data.ts';
import type { Health } from './health.ts';
import { useLive } from './live.ts';
import { Ago, Answered, Button, Empty, LiveMark, Panel, Plain, Refusal, Status } from './parts.tsx';
import { Table } from './table.tsx';
import { link } from './route.ts';
import { Webhooks } from './webhooks.tsx';

/** Rows that are shown at once. */
const mostShown = 100;

const kinds: readonly (readonly [Kind | '', string])[] = [
  ['', 'Everything'],
  ['service', 'Services'],
  ['task', 'Tasks'],
  ['image', 'Images'],
  ['alarm', 'Alarms'],
];

const healths: Readonly<Record<Happened['level'], Health>> = {
  idle: { level: 'idle', word: 'Usual' },
  warn: { level: 'warn', word: 'Odd' },
  bad: { level: 'bad', word: 'Failed' },
};

/** What happened, over all of the installation; and the webhooks of one service. @param chosen as `cluster/service`; empty for all */
export function EventsPage({ chosen }: { readonly chosen: string }): JSX.Element {
  const live = useLive('events', readEvents, 5000, ({ clusters }) => clusters);
  return (
    <>
      <header class="page">
        <h1>Events</h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="events">
        {(events) => <Body events={events} chosen={chosen} />}
      </Answered>
    </>
  );
}

function Body({ events, chosen }: { readonly events: Events; readonly chosen: string }): JSX.Element {
  const { services, refused } = events;
  // Where there is one, nobody has to choose.
  const service = chosen === '' && services.length === 1 ? (services[0] ?? '') : chosen;
  const [cluster = '', name = ''] = service.split('/');
  return (
    <>
      {refused.map((error) => (
        <Refusal key={error.operation} error={error} />
      ))}
      <Filtered events={events} chosen={chosen} />
      {service === '' ? (
        <Panel title="Webhooks">
          <Empty title="Choose a service above">Its webhooks and what was sent to them are shown here.</Empty>
        </Panel>
      ) : (
        <Webhooks key={service} cluster={cluster} service={name} />
      )}
    </>
  );
}

function Filtered({ events, chosen }: { readonly events: Events; readonly chosen: string }): JSX.Element {
  const [text, setText] = useState('');
  const [kind, setKind] = useState<Kind | ''>('');
  const [onlyOdd, setOnlyOdd] = useState(false);
  const [shown, setShown] = useState(mostShown);
  const rows = matching(events.happened, { text, kind, service: chosen, onlyOdd });
  return (
    <>
      <form class="filters" role="search" aria-label="Filter of events" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          placeholder="Find in events"
          aria-label="Find in events"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <select
          aria-label="Service"
          value={chosen}
          onChange={({ currentTarget: { value } }) => {
            location.hash = value === '' ? link('events') : link('events', ...value.split('/'));
          }}
        >
          <option value="">All services</option>
          {events.services.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
        <div class="choices" role="group" aria-label="What about">
          {kinds.map(([one, word]) => (
            <Button key={one} kind="quiet" pressed={kind === one} onClick={() => setKind(one)}>
              {word}
            </Button>
          ))}
        </div>
        <Button kind="quiet" pressed={onlyOdd} onClick={() => setOnlyOdd(!onlyOdd)}>
          Only what is odd
        </Button>
      </form>
      <Panel title="What happened" flush={rows.length > 0}>
        {rows.length === 0 ? (
          <Empty title={events.happened.length === 0 ? 'Nothing has happened yet' : 'Nothing is like that'} />
        ) : (
          <Table
            caption="Events, the newest first"
            rows={rows.slice(0, shown)}
            keyOf={({ id }) => id}
            columns={[
              { name: 'When', cell: ({ at }) => <Ago at={at} /> },
              { name: 'How', cell: ({ level }) => <Status health={healths[level]} /> },
              {
                name: 'About',
                cell: ({ about, to }) =>
                  to === undefined ? (
                    <Plain text={about} />
                  ) : (
                    <a class="strong" href={link(...to)}>
                      <Plain text={about} />
                    </a>
                  ),
              },
              { name: 'What', wide: true, cell: ({ words }) => <Plain text={words} /> },
            ]}
          />
        )}
        {rows.length > shown ? (
          <div class="row body">
            <span class="grow faint">
              {shown} of {rows.length} are shown
            </span>
            <Button kind="quiet" onClick={() => setShown(shown + mostShown)}>
              Show more
            </Button>
          </div>
        ) : null}
      </Panel>
    </>
  );
}
