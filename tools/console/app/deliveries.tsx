import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Dialog } from './dialog.tsx';
import { shortImage } from './format.ts';
import type { Health } from './health.ts';
import type { Live } from './live.ts';
import { own } from './own-routes.ts';
import { Ago, Button, Empty, Panel, Plain, Status } from './parts.tsx';
import { Table } from './table.tsx';
import { deliveriesOf, routes, type Webhook } from './webhooks-data.ts';

type Row = ReturnType<typeof deliveriesOf>[number];

function healthOf({ status, answer }: Row): Health {
  if (status >= 400) return { level: 'bad', word: `Refused, ${status}` };
  return answer === 'started'
    ? { level: 'good', word: 'Deployment started' }
    : { level: 'idle', word: 'Nothing to do' };
}

const wordsOf = ({ status, answer }: Row): string => (status >= 400 ? answer : '');

/** What was sent to the webhooks of a service lately, what it was answered, and doing it again. @param props.may whether that is allowed */
export function Deliveries(props: {
  readonly cluster: string;
  readonly service: string;
  readonly live: Live<readonly Webhook[]>;
  readonly may: boolean;
}): JSX.Element | null {
  const { cluster, service, live, may } = props;
  const [only, setOnly] = useState<'all' | 'refused'>('all');
  const [again, setAgain] = useState<Row>();
  if (live.data === undefined || live.data.length === 0) return null;
  const all = deliveriesOf(live.data);
  const refused = all.filter(({ status }) => status >= 400);
  const rows = only === 'all' ? all : refused;
  const choice = (
    <div class="choices" role="group" aria-label="Which deliveries">
      <Button kind="quiet" pressed={only === 'all'} onClick={() => setOnly('all')}>
        All {all.length}
      </Button>
      <Button kind="quiet" pressed={only === 'refused'} onClick={() => setOnly('refused')}>
        Refused {refused.length}
      </Button>
    </div>
  );
  return (
    <Panel title="Deliveries" aside={choice} flush={rows.length > 0}>
      {rows.length === 0 ? (
        <Empty title={all.length === 0 ? 'Nothing was sent yet' : 'None was refused'}>
          {all.length === 0 ? 'The last twenty of each webhook are remembered.' : undefined}
        </Empty>
      ) : (
        <Table
          caption="Deliveries, the newest first"
          rows={rows}
          keyOf={({ key }) => key}
          columns={[
            { name: 'When', cell: ({ at }) => <Ago at={Date.parse(at) / 1000} /> },
            { name: 'Webhook', cell: ({ webhook }) => <code>{webhook.slice(0, 12)}</code> },
            {
              name: 'Asks for',
              cell: ({ image }) =>
                image === undefined ? (
                  <span class="faint">what the service follows</span>
                ) : (
                  <code title={image}>
                    <Plain text={shortImage(image)} />
                  </code>
                ),
            },
            {
              name: 'Answer',
              wide: true,
              cell: (row) => (
                <>
                  <Status health={healthOf(row)} />{' '}
                  <span class="faint">
                    <Plain text={wordsOf(row)} />
                  </span>
                </>
              ),
            },
            { name: 'Attempts', number: true, cell: ({ attempts }) => attempts },
            ...(may
              ? [
                  {
                    name: 'Actions',
                    cell: (row: Row) => (
                      <Button kind="quiet" label={`Redeliver ${row.id}`} onClick={() => setAgain(row)}>
                        Redeliver
                      </Button>
                    ),
                  },
                ]
              : []),
          ]}
        />
      )}
      {again === undefined ? null : (
        <Dialog
          title="Do this again?"
          yes="Redeliver"
          done="It was done again."
          act={async () => {
            try {
              await own(routes.redeliver(cluster, service, again.webhook, again.id));
            } finally {
              live.again();
            }
          }}
          close={() => setAgain(undefined)}
        >
          <p>
            {service} is compared with{' '}
            {again.image === undefined ? 'what it follows' : <Plain text={shortImage(again.image)} />}, in your name and
            with your rights.
          </p>
        </Dialog>
      )}
    </Panel>
  );
}
