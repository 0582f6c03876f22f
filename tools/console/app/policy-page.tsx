import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { iam, wouldBeAllowed } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { type Live, useLive, useMay } from './live.ts';
import { Ago, Answered, Button, Empty, LiveMark, Panel, Plain } from './parts.tsx';
import { detach, type Holder, isOfAws, type ManagedPolicy, type PolicyVersion, readPolicy } from './policy-data.ts';
import { PolicyEditor } from './policy-editor.tsx';
import { link } from './route.ts';
import { Table } from './table.tsx';

export const beginning = JSON.stringify(
  {
    Version: '2012-10-17',
    Statement: [{ Sid: 'Read', Effect: 'Allow', Action: ['ecs:Describe*', 'ecs:List*'], Resource: '*' }],
  },
  undefined,
  2,
);

/** Where the page of a user, role or group is. */
export const holderLink = ({ kind, name }: Holder): string => link('identity', kind.toLowerCase(), name);

/** A policy that many may have: its text, its versions, and who has it. */
export function PolicyPage({ arn }: { readonly arn: string }): JSX.Element {
  const live = useLive(`policy ${arn}`, (signal) => readPolicy(arn, signal), 15_000);
  return (
    <>
      <nav class="path" aria-label="Where this is">
        <a href={link('identity')}>Identity</a>
      </nav>
      <header class="page">
        <h1>
          <Plain text={arn.split('/').at(-1)} />
        </h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="the policy">
        {(policy) => <Body policy={policy} live={live} />}
      </Answered>
    </>
  );
}

function Body({ policy, live }: { readonly policy: ManagedPolicy; readonly live: Live<ManagedPolicy> }): JSX.Element {
  const { arn, text, versions, holders } = policy;
  const version = (PolicyDocument: string) => ({ PolicyArn: arn, PolicyDocument, SetAsDefault: true });
  const mayWrite = useMay(`write ${arn}`, () => iam.may('CreatePolicyVersion', version(text)));
  const save = async (draft: string): Promise<void> => {
    await iam('CreatePolicyVersion', version(draft));
    live.again();
  };
  return (
    <>
      <Panel title="Policy">
        <p class="faint">
          <code>
            <Plain text={arn} />
          </code>
        </p>
        {isOfAws(arn) ? <p>It is AWS's own, the same everywhere, and nobody changes it.</p> : null}
        <PolicyEditor
          label={`Version ${policy.defaultVersion}, which counts`}
          text={text}
          checks
          save={mayWrite && !isOfAws(arn) ? save : undefined}
          words={{
            yes: 'Save as the new version',
            question: 'Have this version count?',
            done: 'The new version counts.',
            warning: 'It counts for everybody who has the policy, within five seconds. The version before stays.',
          }}
        />
      </Panel>
      <Versions arn={arn} versions={versions} again={live.again} />
      <Panel title="Who has it" flush={(holders?.length ?? 0) > 0}>
        {holders === undefined ? (
          <Empty title="Not shown">You are not allowed to see who has it.</Empty>
        ) : holders.length === 0 ? (
          <Empty title="Nobody has it">It is attached on the page of a user, a role or a group.</Empty>
        ) : (
          <Holders arn={arn} holders={holders} again={live.again} />
        )}
      </Panel>
    </>
  );
}

function Versions(props: {
  readonly arn: string;
  readonly versions: readonly PolicyVersion[];
  readonly again: () => void;
}): JSX.Element | null {
  const { arn, versions, again } = props;
  const [asking, setAsking] = useState<{ readonly what: 'use' | 'delete'; readonly id: string }>();
  const other = versions.find(({ isDefault }) => !isDefault)?.id;
  const named = (VersionId: string) => ({ PolicyArn: arn, VersionId });
  const key = other === undefined ? undefined : `${arn} ${other}`;
  const mayUse = useMay(key && `use ${key}`, () => iam.may('SetDefaultPolicyVersion', named(other ?? '')));
  const mayDelete = useMay(key && `delete ${key}`, () => iam.may('DeletePolicyVersion', named(other ?? '')));
  if (versions.length < 2) return null;
  return (
    <Panel title="Versions" flush>
      <Table
        caption="Versions"
        rows={versions}
        keyOf={({ id }) => id}
        columns={[
          { name: 'Version', cell: ({ id, isDefault }) => (isDefault ? <span class="strong">{id}, counts</span> : id) },
          { name: 'Made', cell: ({ made }) => <Ago at={made} /> },
          {
            name: 'Change',
            cell: ({ id, isDefault }) =>
              isDefault ? null : (
                <div class="actions">
                  {mayUse ? (
                    <Button kind="quiet" onClick={() => setAsking({ what: 'use', id })}>
                      Have {id} count
                    </Button>
                  ) : null}
                  {mayDelete ? (
                    <Button kind="quiet" label={`Delete ${id}`} onClick={() => setAsking({ what: 'delete', id })}>
                      Delete
                    </Button>
                  ) : null}
                </div>
              ),
          },
        ]}
      />
      {asking === undefined ? null : (
        <Dialog
          title={asking.what === 'use' ? `Have version ${asking.id} count?` : `Delete version ${asking.id}?`}
          yes={asking.what === 'use' ? 'Have it count' : 'Delete'}
          kind="danger"
          done={asking.what === 'use' ? `Version ${asking.id} counts.` : `Version ${asking.id} is gone.`}
          act={async () => {
            await iam(asking.what === 'use' ? 'SetDefaultPolicyVersion' : 'DeletePolicyVersion', named(asking.id));
            again();
          }}
          close={() => setAsking(undefined)}
        />
      )}
    </Panel>
  );
}

function Holders(props: {
  readonly arn: string;
  readonly holders: readonly Holder[];
  readonly again: () => void;
}): JSX.Element {
  const { arn, holders, again } = props;
  const [leaving, setLeaving] = useState<Holder>();
  const [first] = holders;
  const mayDetach = useMay(first && `detach ${arn} ${first.kind} ${first.name}`, () =>
    wouldBeAllowed(detach(first as Holder, arn, { onlyAsk: true })),
  );
  return (
    <>
      <Table
        caption="Who has the policy"
        rows={holders}
        keyOf={({ kind, name }) => `${kind} ${name}`}
        columns={[
          {
            name: 'Name',
            wide: true,
            cell: (holder) => (
              <a class="strong" href={holderLink(holder)}>
                <Plain text={holder.name} />
              </a>
            ),
          },
          { name: 'Kind', cell: ({ kind }) => kind },
          {
            name: 'Change',
            cell: (holder) =>
              mayDetach ? (
                <Button kind="quiet" label={`Detach from ${holder.name}`} onClick={() => setLeaving(holder)}>
                  Detach
                </Button>
              ) : null,
          },
        ]}
      />
      {leaving === undefined ? null : (
        <Detach holder={leaving} arn={arn} again={again} close={() => setLeaving(undefined)} />
      )}
    </>
  );
}

/** Asks before somebody loses what a policy allows, or what it denies. */
export function Detach(props: {
  readonly holder: Holder;
  readonly arn: string;
  readonly again: () => void;
  readonly close: () => void;
}): JSX.Element {
  const { holder, arn, again, close } = props;
  return (
    <Dialog
      title={`Detach it from ${holder.name}?`}
      yes="Detach"
      kind="danger"
      done={`${holder.name} does not have it any more.`}
      act={async () => {
        await detach(holder, arn);
        again();
      }}
      close={close}
    >
      <p>What it allows them, and what it denies them, ends within five seconds.</p>
    </Dialog>
  );
}
