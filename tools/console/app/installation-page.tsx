import type { ComponentChildren, JSX } from 'preact';
import { duration, fullTime } from './format.ts';
import {
  type Certificate,
  healthOfAgent,
  healthOfCertificate,
  healthOfEngine,
  healthOfPart,
  type Installation,
  type Part,
  readInstallation,
} from './installation-data.ts';
import { useLive } from './live.ts';
import { Ago, Answered, Empty, LiveMark, Panel, Plain, Refusal, Status } from './parts.tsx';
import { Table } from './table.tsx';
import { link } from './route.ts';

/** Hosts that are shown; those that need somebody come first. */
const mostHosts = 200;

/** What the installation is made of and how each part of it stands, as far as whoever looks may see it. */
export function InstallationPage(): JSX.Element {
  const live = useLive('installation', readInstallation, 10_000);
  return (
    <>
      <header class="page">
        <h1>Health and settings</h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="the installation">
        {(installation) => <Body installation={installation} />}
      </Answered>
    </>
  );
}

function Body({ installation }: { readonly installation: Installation }): JSX.Element {
  const { server, agents, engines, certificates, scanning, settings } = installation;
  return (
    <>
      <Shown title="Server and stores" part={server} isEmpty={(parts) => parts.size === 0}>
        {(parts) => (
          <dl class="facts">
            {[...parts].map(([name, said]) => (
              <div key={name}>
                <dt>
                  {name === 'records' ? 'Record store' : name === 'server' ? 'This server' : <Plain text={name} />}
                </dt>
                <dd>
                  <Status health={healthOfPart(said)} />
                </dd>
              </div>
            ))}
          </dl>
        )}
      </Shown>
      <Shown
        title="Agents on hosts"
        part={agents}
        flush
        isEmpty={(found) => found.length === 0}
        empty={<Empty title="There is no host yet" />}
      >
        {(found) => <Agents found={found} />}
      </Shown>
      <Shown
        title="Engines of load balancers"
        part={engines}
        flush
        isEmpty={(found) => found.length === 0}
        empty={<Empty title="There is no load balancer yet" />}
      >
        {(found) => (
          <Table
            caption="Engines of load balancers"
            rows={found}
            keyOf={({ id }) => id}
            columns={[
              { name: 'Engine', cell: ({ id }) => <Plain text={id} /> },
              { name: 'Kind', cell: ({ kind }) => <Plain text={kind} /> },
              {
                name: 'State',
                wide: true,
                cell: (engine) => (
                  <>
                    <Status health={healthOfEngine(engine)} />{' '}
                    <span class="faint">
                      <Plain text={engine.reason} />
                    </span>
                  </>
                ),
              },
              { name: 'Heard of', cell: ({ seenAt }) => <Ago at={Date.parse(seenAt) / 1000} /> },
            ]}
          />
        )}
      </Shown>
      <Shown
        title="Certificates"
        part={certificates}
        flush
        isEmpty={(found) => found.length === 0}
        empty={
          <Empty title="There is no certificate">Those of ACM and IAM are shown here, with when they run out.</Empty>
        }
      >
        {(found) => <Certificates found={found} />}
      </Shown>
      <Shown title="Scanning" part={scanning} isEmpty={() => false}>
        {({ type, rules }) => (
          <dl class="facts">
            <div>
              <dt>Kind</dt>
              <dd>
                <Plain text={type.toLowerCase()} />
              </dd>
            </div>
            <div>
              <dt>Rules</dt>
              <dd class="wrap">
                {rules.length === 0 ? (
                  <span class="faint">none: images are scanned when somebody asks</span>
                ) : (
                  rules.map((rule) => (
                    <code key={rule}>
                      <Plain text={rule} />
                    </code>
                  ))
                )}
              </dd>
            </div>
          </dl>
        )}
      </Shown>
      <Shown title="Settings of the account" part={settings} flush isEmpty={(found) => found.length === 0}>
        {(found) => (
          <Table
            caption="Settings of the account as they are in effect for you"
            rows={found}
            keyOf={([name]) => name}
            columns={[
              {
                name: 'Setting',
                cell: ([name]) => (
                  <code>
                    <Plain text={name} />
                  </code>
                ),
              },
              { name: 'Value', wide: true, cell: ([, value]) => <Plain text={value} /> },
            ]}
          />
        )}
      </Shown>
    </>
  );
}

/** One part, or why it is not shown. */
function Shown<T>(props: {
  readonly title: string;
  readonly part: Part<T>;
  readonly flush?: boolean;
  readonly isEmpty: (found: T) => boolean;
  readonly empty?: JSX.Element;
  readonly children: (found: T) => ComponentChildren;
}): JSX.Element {
  const { title, part, flush = false, isEmpty, empty = <Empty title="Nothing" />, children } = props;
  if (part.error !== undefined)
    return (
      <Panel title={title}>
        <Refusal error={part.error} />
      </Panel>
    );
  const nothing = isEmpty(part.found);
  return (
    <Panel title={title} flush={flush && !nothing}>
      {nothing ? empty : children(part.found)}
    </Panel>
  );
}

function Agents({ found }: { readonly found: NonNullable<Installation['agents']['found']> }): JSX.Element {
  const weight = ({ isConnected, isBehind }: (typeof found)[number]): number => (isConnected ? (isBehind ? 1 : 2) : 0);
  const rows = found.toSorted((a, b) => weight(a) - weight(b) || a.host.localeCompare(b.host));
  return (
    <>
      <Table
        caption="Agents on hosts, those that need somebody first"
        rows={rows.slice(0, mostHosts)}
        keyOf={({ cluster, host }) => `${cluster} ${host}`}
        columns={[
          {
            name: 'Host',
            cell: ({ host }) => (
              <a class="strong" href={link('hosts')}>
                <Plain text={host} />
              </a>
            ),
          },
          { name: 'Cluster', cell: ({ cluster }) => <Plain text={cluster} /> },
          { name: 'State', wide: true, cell: (agent) => <Status health={healthOfAgent(agent)} /> },
          { name: 'Agent', cell: ({ agent }) => <Plain text={agent || '—'} /> },
          { name: 'Docker', cell: ({ docker }) => <Plain text={docker || '—'} /> },
        ]}
      />
      {rows.length > mostHosts ? (
        <p class="faint body">
          {mostHosts} of {rows.length} hosts are shown.
        </p>
      ) : null}
    </>
  );
}

function Certificates({ found }: { readonly found: readonly Certificate[] }): JSX.Element {
  const now = Date.now() / 1000;
  return (
    <Table
      caption="Certificates, the first to run out first"
      rows={found.map((one, at) => ({ ...one, key: String(at) }))}
      keyOf={({ key }) => key}
      columns={[
        {
          name: 'Name',
          cell: ({ name }) => (
            <span class="strong">
              <Plain text={name} />
            </span>
          ),
        },
        { name: 'From', cell: ({ from }) => from },
        { name: 'State', wide: true, cell: (one) => <Status health={healthOfCertificate(one, now)} /> },
        {
          name: 'Runs out',
          cell: ({ notAfter }) =>
            notAfter === undefined ? (
              <span class="faint">—</span>
            ) : (
              <time dateTime={new Date(notAfter * 1000).toISOString()} title={fullTime(notAfter)}>
                {notAfter > now ? `in ${duration(notAfter - now)}` : `${duration(now - notAfter)} ago`}
              </time>
            ),
        },
      ]}
    />
  );
}
