import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Deliveries } from './deliveries.tsx';
import { Dialog } from './dialog.tsx';
import type { Health } from './health.ts';
import { type Live, useLive, useMay } from './live.ts';
import { mayOwn, own } from './own-routes.ts';
import { Ago, Answered, Button, Empty, Panel, Plain, Status } from './parts.tsx';
import { ShownOnce } from './shown-once.tsx';
import { Table } from './table.tsx';
import { type MadeWebhook, readWebhooks, routes, type Webhook } from './webhooks-data.ts';

/** Who may be asked about: any id will do, since rights are about the service. */
const any = '0'.repeat(32);

const healths: Readonly<Record<Webhook['state'], Health>> = {
  active: { level: 'good', word: 'Active' },
  stopped: { level: 'bad', word: 'Stopped' },
};

const secondsOf = (iso: string | undefined): number | undefined =>
  iso === undefined ? undefined : Date.parse(iso) / 1000;

/** The webhooks that roll a service, what was sent to them, and what became of it. */
export function Webhooks({ cluster, service }: { readonly cluster: string; readonly service: string }): JSX.Element {
  const key = `${cluster}/${service}`;
  const live = useLive(`webhooks ${key}`, (signal) => readWebhooks(cluster, service, signal));
  const mayMake = useMay(`make webhook ${key}`, () => mayOwn(routes.create(cluster, service)));
  const mayRemove = useMay(`remove webhook ${key}`, () => mayOwn(routes.remove(cluster, service, any)));
  const [made, setMade] = useState<MadeWebhook>();
  const [asking, setAsking] = useState<'make' | Webhook>();
  const make = <Button onClick={() => setAsking('make')}>Create a webhook</Button>;
  return (
    <>
      {made === undefined ? null : (
        <ShownOnce
          label="The new webhook"
          facts={{ Address: made.url, Secret: made.secret }}
          close={() => setMade(undefined)}
        />
      )}
      <Panel title={`Webhooks of ${service}`} aside={mayMake ? make : undefined} flush={(live.data?.length ?? 0) > 0}>
        <Answered live={live} what="webhooks">
          {(webhooks) => <List webhooks={webhooks} remove={mayRemove ? (webhook) => setAsking(webhook) : undefined} />}
        </Answered>
      </Panel>
      <Deliveries cluster={cluster} service={service} live={live} may={mayMake} />
      {asking === 'make' ? (
        <Dialog
          title={`Create a webhook for ${service}?`}
          yes="Create"
          done="The webhook is there."
          act={async () => {
            setMade((await own(routes.create(cluster, service))) as MadeWebhook);
            live.again();
          }}
          close={() => setAsking(undefined)}
        >
          <p>Whoever knows its secret can roll the service, in your name and with your rights as they are then.</p>
        </Dialog>
      ) : asking === undefined ? null : (
        <Remove cluster={cluster} service={service} webhook={asking} live={live} close={() => setAsking(undefined)} />
      )}
    </>
  );
}

function List(props: {
  readonly webhooks: readonly Webhook[];
  readonly remove: ((webhook: Webhook) => void) | undefined;
}): JSX.Element {
  const { webhooks, remove } = props;
  if (webhooks.length === 0)
    return (
      <Empty title="No webhook rolls this service">
        With one, whatever builds or pushes elsewhere can say that there is something new.
      </Empty>
    );
  return (
    <Table
      caption="Webhooks"
      rows={webhooks}
      keyOf={({ id }) => id}
      columns={[
        {
          name: 'Webhook',
          cell: ({ id, url }) => <code title={url}>{id.slice(0, 12)}</code>,
        },
        {
          name: 'State',
          wide: true,
          cell: ({ state, reason }) => (
            <>
              <Status health={healths[state]} />{' '}
              {reason === undefined ? null : (
                <span class="faint">
                  <Plain text={reason} />
                </span>
              )}
            </>
          ),
        },
        { name: 'Acts for', cell: ({ createdBy }) => <Plain text={createdBy.split(':').at(-1)} /> },
        { name: 'Created', cell: ({ createdAt }) => <Ago at={secondsOf(createdAt)} /> },
        { name: 'Last used', cell: ({ lastUsedAt }) => <Ago at={secondsOf(lastUsedAt)} /> },
        ...(remove === undefined
          ? []
          : [
              {
                name: 'Actions',
                cell: (webhook: Webhook) => (
                  <Button
                    kind="quiet"
                    label={`Remove webhook ${webhook.id.slice(0, 12)}`}
                    onClick={() => remove(webhook)}
                  >
                    Remove
                  </Button>
                ),
              },
            ]),
      ]}
    />
  );
}

function Remove(props: {
  readonly cluster: string;
  readonly service: string;
  readonly webhook: Webhook;
  readonly live: Live<unknown>;
  readonly close: () => void;
}): JSX.Element {
  const { cluster, service, webhook, live, close } = props;
  return (
    <Dialog
      title="Remove this webhook?"
      yes="Remove"
      kind="danger"
      done="The webhook is gone."
      act={async () => {
        await own(routes.remove(cluster, service, webhook.id));
        live.again();
      }}
      close={close}
    >
      <p>
        Deliveries to <code>{webhook.id.slice(0, 12)}</code> are refused from then on. It does not come back: make
        another one.
      </p>
    </Dialog>
  );
}
