import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { iam, unlessRefused } from './aws.ts';
import { Dialog } from './dialog.tsx';
import type { Health } from './health.ts';
import { useLive, useMay } from './live.ts';
import { Ago, Answered, Button, Empty, Panel, Status } from './parts.tsx';
import { ShownOnce } from './shown-once.tsx';
import { Table } from './table.tsx';

interface Key {
  readonly id: string;
  readonly isActive: boolean;
  readonly made: number | undefined;
  /** Seconds since the epoch; undefined where it was never used, or the caller may not see it. */
  readonly used: number | undefined;
}

async function read(UserName: string, signal: AbortSignal): Promise<readonly Key[]> {
  const { AccessKeyMetadata = [] } = await iam('ListAccessKeys', { UserName }, { signal });
  return Promise.all(
    AccessKeyMetadata.map(async ({ AccessKeyId: id = '', Status: status, CreateDate: made }) => {
      const last = await unlessRefused(iam('GetAccessKeyLastUsed', { AccessKeyId: id }, { signal }), undefined);
      return { id, isActive: status === 'Active', made, used: last?.AccessKeyLastUsed?.LastUsedDate };
    }),
  );
}

const healthOf = ({ isActive }: Key): Health =>
  isActive ? { level: 'good', word: 'Active' } : { level: 'idle', word: 'Inactive' };

type Asking = { readonly what: 'make' } | { readonly what: 'turn' | 'delete'; readonly key: Key };

/** The access keys of a user: made here, turned off and on, and deleted, by whoever may. */
export function AccessKeys({ user }: { readonly user: string }): JSX.Element {
  const UserName = user;
  const live = useLive(`access keys ${user}`, (signal) => read(user, signal), 15_000);
  const [asking, setAsking] = useState<Asking>();
  const [made, setMade] = useState<Readonly<Record<string, string>>>();
  const any = { UserName, AccessKeyId: 'AKIAIOSFODNN7EXAMPLE' };
  const mayMake = useMay(`make key ${user}`, () => iam.may('CreateAccessKey', { UserName }));
  const mayTurn = useMay(`turn key ${user}`, () => iam.may('UpdateAccessKey', { ...any, Status: 'Inactive' }));
  const mayDelete = useMay(`delete key ${user}`, () => iam.may('DeleteAccessKey', any));
  const close = (): void => setAsking(undefined);
  const make = <Button onClick={() => setAsking({ what: 'make' })}>Create an access key</Button>;
  const turned = (key: Key): string => (key.isActive ? 'Turn off' : 'Turn on');
  return (
    <>
      {made === undefined ? null : (
        <ShownOnce label="The new access key" facts={made} close={() => setMade(undefined)} />
      )}
      <Panel title="Access keys" aside={mayMake ? make : undefined} flush={(live.data?.length ?? 0) > 0}>
        <Answered live={live} what="access keys">
          {(keys) =>
            keys.length === 0 ? (
              <Empty title="No access key">The user signs nothing, and does not sign in here.</Empty>
            ) : (
              <Table
                caption="Access keys"
                rows={keys}
                keyOf={({ id }) => id}
                columns={[
                  { name: 'Key', wide: true, cell: ({ id }) => <code>{id}</code> },
                  { name: 'State', cell: (key) => <Status health={healthOf(key)} /> },
                  { name: 'Created', cell: (key) => <Ago at={key.made} /> },
                  { name: 'Last used', cell: ({ used }) => <Ago at={used} /> },
                  {
                    name: 'Change',
                    cell: (key) => (
                      <>
                        {mayTurn ? (
                          <Button
                            kind="quiet"
                            label={`${turned(key)} ${key.id}`}
                            onClick={() => setAsking({ what: 'turn', key })}
                          >
                            {turned(key)}
                          </Button>
                        ) : null}{' '}
                        {mayDelete ? (
                          <Button
                            kind="quiet"
                            label={`Delete ${key.id}`}
                            onClick={() => setAsking({ what: 'delete', key })}
                          >
                            Delete
                          </Button>
                        ) : null}
                      </>
                    ),
                  },
                ]}
              />
            )
          }
        </Answered>
      </Panel>
      {asking?.what === 'make' ? (
        <Dialog
          title={`Create an access key for ${user}?`}
          yes="Create"
          done="The access key is there."
          act={async () => {
            const { AccessKey } = await iam('CreateAccessKey', { UserName });
            setMade({
              'Access key id': AccessKey?.AccessKeyId ?? '',
              'Secret access key': AccessKey?.SecretAccessKey ?? '',
            });
            live.again();
          }}
          close={close}
        >
          <p>Whoever has it does everything that {user} may do, until it is turned off.</p>
        </Dialog>
      ) : null}
      {asking?.what === 'turn' ? (
        <Dialog
          title={`${turned(asking.key)} ${asking.key.id}?`}
          yes={turned(asking.key)}
          done={asking.key.isActive ? 'The access key is turned off.' : 'The access key is turned on.'}
          act={async () => {
            const Status = asking.key.isActive ? 'Inactive' : 'Active';
            await iam('UpdateAccessKey', { UserName, AccessKeyId: asking.key.id, Status });
            live.again();
          }}
          close={close}
        >
          <p>
            {asking.key.isActive
              ? 'What is signed with it is refused from then on. It can be turned on again.'
              : 'What is signed with it counts again.'}
          </p>
        </Dialog>
      ) : null}
      {asking?.what === 'delete' ? (
        <Dialog
          title={`Delete ${asking.key.id}?`}
          yes="Delete"
          kind="danger"
          done="The access key is gone."
          act={async () => {
            await iam('DeleteAccessKey', { UserName, AccessKeyId: asking.key.id });
            live.again();
          }}
          close={close}
        >
          <p>What is signed with it is refused from then on. It does not come back: make another one.</p>
        </Dialog>
      ) : null}
    </>
  );
}
