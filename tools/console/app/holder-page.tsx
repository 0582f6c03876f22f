import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { AccessKeys } from './access-keys.tsx';
import { iam, wouldBeAllowed } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { visible } from './format.ts';
import { type Live, useLive, useMay } from './live.ts';
import { Answered, Button, Empty, LiveMark, Panel, Plain } from './parts.tsx';
import {
  attach,
  deleteInline,
  detach,
  type Held,
  type HeldPolicy,
  type Holder,
  putInline,
  readHolder,
  readInline,
  readPolicies,
} from './policy-data.ts';
import { PolicyEditor } from './policy-editor.tsx';
import { beginning, Detach } from './policy-page.tsx';
import { link } from './route.ts';
import { Table } from './table.tsx';
import { DeleteUser } from './users.tsx';

/** A managed policy that everybody could have, to ask about. */
const anyArn = 'arn:aws:iam::aws:policy/ReadOnlyAccess';

/** A user, a role or a group: which policies they have, of a user its access keys, and of a role who may take it on. */
export function HolderPage({ holder }: { readonly holder: Holder }): JSX.Element {
  const { kind, name } = holder;
  const live = useLive(`holder ${kind} ${name}`, (signal) => readHolder(holder, signal), 15_000);
  return (
    <>
      <nav class="path" aria-label="Where this is">
        <a href={link('identity')}>Identity</a>
      </nav>
      <header class="page">
        <h1>
          <Plain text={name} />
        </h1>
        <span class="faint">{kind}</span>
        <LiveMark live={live} />
        {kind === 'User' ? <DeleteUser name={name} /> : null}
      </header>
      {kind === 'User' ? <AccessKeys user={name} /> : null}
      <Answered live={live} what="policies">
        {(held) => (
          <>
            <Policies holder={holder} held={held} live={live} />
            {held.trust === undefined ? null : <Trust role={name} text={held.trust} again={live.again} />}
          </>
        )}
      </Answered>
    </>
  );
}

type Asking = { readonly what: 'attach' } | { readonly what: 'detach' | 'remove'; readonly policy: HeldPolicy };

function Policies(props: { readonly holder: Holder; readonly held: Held; readonly live: Live<Held> }): JSX.Element {
  const { holder, held, live } = props;
  const key = `${holder.kind} ${holder.name}`;
  const [asking, setAsking] = useState<Asking>();
  const [open, setOpen] = useState<string>();
  const asked = { onlyAsk: true };
  const mayAttach = useMay(`attach ${key}`, () => wouldBeAllowed(attach(holder, anyArn, asked)));
  const mayDetach = useMay(`detach ${key}`, () => wouldBeAllowed(detach(holder, anyArn, asked)));
  const mayPut = useMay(`put ${key}`, () => wouldBeAllowed(putInline(holder, 'policy', beginning, asked)));
  const mayRemove = useMay(`remove ${key}`, () => wouldBeAllowed(deleteInline(holder, 'policy', asked)));
  const close = (): void => setAsking(undefined);
  const name = (policy: HeldPolicy): JSX.Element =>
    policy.arn === undefined ? (
      <Button
        kind="quiet"
        pressed={open === policy.name}
        onClick={() => setOpen(open === policy.name ? undefined : policy.name)}
      >
        {visible(policy.name)}
      </Button>
    ) : (
      <a class="strong" href={link('identity', 'policy', policy.arn)}>
        <Plain text={policy.name} />
      </a>
    );
  return (
    <>
      <Panel
        title="Policies"
        flush={held.policies.length > 0}
        aside={mayAttach ? <Button onClick={() => setAsking({ what: 'attach' })}>Attach a policy</Button> : undefined}
      >
        {held.policies.length === 0 ? (
          <Empty title="No policy">Nothing is allowed.</Empty>
        ) : (
          <Table
            caption="Policies"
            rows={held.policies}
            keyOf={(policy) => policy.arn ?? `own ${policy.name}`}
            columns={[
              { name: 'Name', wide: true, cell: name },
              { name: 'Kind', cell: ({ arn }) => (arn === undefined ? 'Their own' : 'Attached') },
              {
                name: 'Change',
                cell: (policy) =>
                  policy.arn === undefined ? (
                    mayRemove ? (
                      <Button
                        kind="quiet"
                        label={`Remove ${policy.name}`}
                        onClick={() => setAsking({ what: 'remove', policy })}
                      >
                        Remove
                      </Button>
                    ) : null
                  ) : mayDetach ? (
                    <Button
                      kind="quiet"
                      label={`Detach ${policy.name}`}
                      onClick={() => setAsking({ what: 'detach', policy })}
                    >
                      Detach
                    </Button>
                  ) : null,
              },
            ]}
          />
        )}
      </Panel>
      {open === undefined ? null : <Inline key={open} holder={holder} name={open} save={mayPut} again={live.again} />}
      {asking?.what === 'attach' ? <Attach holder={holder} again={live.again} close={close} /> : null}
      {asking?.what === 'detach' ? (
        <Detach holder={holder} arn={asking.policy.arn ?? ''} again={live.again} close={close} />
      ) : null}
      {asking?.what === 'remove' ? (
        <Dialog
          title={`Remove the policy ${asking.policy.name}?`}
          yes="Remove"
          kind="danger"
          done="The policy is gone."
          act={async () => {
            await deleteInline(holder, asking.policy.name);
            if (open === asking.policy.name) setOpen(undefined);
            live.again();
          }}
          close={close}
        >
          <p>It is theirs alone, and does not come back.</p>
        </Dialog>
      ) : null}
    </>
  );
}

/** A policy that belongs to one alone. */
function Inline(props: {
  readonly holder: Holder;
  readonly name: string;
  readonly save: boolean;
  readonly again: () => void;
}): JSX.Element {
  const { holder, name, save } = props;
  const key = `inline ${holder.kind} ${holder.name} ${name}`;
  const live = useLive(key, (signal) => readInline(holder, name, signal), 30_000);
  const put = async (text: string): Promise<void> => {
    await putInline(holder, name, text);
    live.again();
  };
  return (
    <Panel title={`Policy ${visible(name)}`}>
      <Answered live={live} what="the policy">
        {(text) => <PolicyEditor label="Policy" text={text} checks save={save ? put : undefined} words={words} />}
      </Answered>
    </Panel>
  );
}

const words = {
  yes: 'Put it in place',
  question: 'Put this policy in place?',
  done: 'The policy is in place.',
  warning: 'It counts within five seconds. What was there before does not come back.',
};

function Trust(props: { readonly role: string; readonly text: string; readonly again: () => void }): JSX.Element {
  const { role, text, again } = props;
  const input = (PolicyDocument: string) => ({ RoleName: role, PolicyDocument });
  const may = useMay(`trust ${role}`, () => iam.may('UpdateAssumeRolePolicy', input(text)));
  const save = async (draft: string): Promise<void> => {
    await iam('UpdateAssumeRolePolicy', input(draft));
    again();
  };
  return (
    <Panel title="Who may take it on">
      <PolicyEditor label="Trust policy" text={text} checks={false} save={may ? save : undefined} words={words} />
    </Panel>
  );
}

function Attach(props: {
  readonly holder: Holder;
  readonly again: () => void;
  readonly close: () => void;
}): JSX.Element {
  const { holder, again, close } = props;
  const live = useLive('policies to attach', (signal) => readPolicies(signal), 60_000);
  const [chosen, setChosen] = useState('');
  return (
    <Dialog
      title={`Attach a policy to ${holder.name}?`}
      yes="Attach"
      done="The policy is attached."
      act={async () => {
        await attach(holder, chosen);
        again();
      }}
      close={close}
    >
      <Answered live={live} what="policies">
        {(policies) => (
          <label>
            <span>Policy</span>
            <select required value={chosen} onChange={({ currentTarget: { value } }) => setChosen(value)}>
              <option value="">Choose one</option>
              {policies.map(({ name, arn }) => (
                <option key={arn} value={arn}>
                  {visible(name)}
                </option>
              ))}
            </select>
          </label>
        )}
      </Answered>
    </Dialog>
  );
}
