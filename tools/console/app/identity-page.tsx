import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { iam, unlessRefused } from './aws.ts';
import { Denied } from './denial.tsx';
import { HolderPage } from './holder-page.tsx';
import { useLive } from './live.ts';
import { NewPolicyPage, useMayMake } from './new-policy-page.tsx';
import { Ago, Answered, Button, Empty, LiveMark, Panel, Plain } from './parts.tsx';
import type { HolderKind } from './policy-data.ts';
import { holderLink, PolicyPage } from './policy-page.tsx';
import { Question } from './question.tsx';
import { link } from './route.ts';
import { Table } from './table.tsx';
import { CreateUser } from './users.tsx';

/** Of each kind, so many are shown. */
const mostEntities = 1000;

async function read(signal: AbortSignal) {
  const options = { signal };
  const input = { MaxItems: mostEntities };
  const [users, roles, groups, policies] = await Promise.all([
    iam('ListUsers', input, options),
    iam('ListRoles', input, options),
    unlessRefused(iam('ListGroups', input, options), { Groups: [] }),
    unlessRefused(iam('ListPolicies', { ...input, Scope: 'Local' }, options), { Policies: [] }),
  ]);
  const named = (kind: HolderKind, name = '', arn = '', made = 0) => ({ kind, name, arn, made });
  return {
    holders: [
      ...(users.Users ?? []).map((one) => named('User', one.UserName, one.Arn, one.CreateDate)),
      ...(roles.Roles ?? []).map((one) => named('Role', one.RoleName, one.Arn, one.CreateDate)),
      ...(groups.Groups ?? []).map((one) => named('Group', one.GroupName, one.Arn, one.CreateDate)),
    ],
    policies: policies.Policies ?? [],
  };
}

type Data = Awaited<ReturnType<typeof read>>;

const kinds: Readonly<Record<string, HolderKind>> = { user: 'User', role: 'Role', group: 'Group' };

/** The pages about who there is and what they may. @param route what the address has behind `identity` */
export function IdentityPages({ route }: { readonly route: readonly string[] }): JSX.Element {
  const [what = '', name = ''] = route;
  const kind = kinds[what];
  if (what === 'new-policy') return <NewPolicyPage />;
  if (what === 'policy' && name !== '') return <PolicyPage key={name} arn={name} />;
  if (kind !== undefined && name !== '') return <HolderPage key={`${kind} ${name}`} holder={{ kind, name }} />;
  return <IdentityPage request={what === 'why' ? name : ''} />;
}

/** Who there is, what they have, and why somebody may or may not do something. */
function IdentityPage({ request }: { readonly request: string }): JSX.Element {
  const live = useLive('identity', read, 15_000);
  const [who, setWho] = useState('');
  return (
    <>
      <header class="page">
        <h1>Identity</h1>
        <LiveMark live={live} />
      </header>
      <Denied id={request} />
      <Question who={who} setWho={setWho} />
      <Answered live={live} what="users and roles">
        {({ holders, policies }) => (
          <>
            <Holders holders={holders} ask={setWho} />
            <Policies policies={policies} />
          </>
        )}
      </Answered>
    </>
  );
}

function Holders(props: { readonly holders: Data['holders']; readonly ask: (arn: string) => void }): JSX.Element {
  const { holders, ask } = props;
  return (
    <Panel title="Users, roles and groups" flush aside={<CreateUser />}>
      <Table
        caption="Users, roles and groups"
        rows={holders}
        keyOf={({ arn }) => arn}
        columns={[
          {
            name: 'Name',
            cell: (holder) => (
              <a class="strong" href={holderLink(holder)}>
                <Plain text={holder.name} />
              </a>
            ),
          },
          { name: 'Kind', cell: ({ kind }) => kind },
          {
            name: 'ARN',
            wide: true,
            cell: ({ arn }) => (
              <code>
                <Plain text={arn} />
              </code>
            ),
          },
          { name: 'Made', cell: ({ made }) => <Ago at={made} /> },
          {
            name: 'Ask',
            cell: ({ name, arn }) => (
              <Button kind="quiet" label={`Ask about ${name}`} onClick={() => ask(arn)}>
                Ask
              </Button>
            ),
          },
        ]}
      />
    </Panel>
  );
}

function Policies({ policies }: { readonly policies: Data['policies'] }): JSX.Element {
  const mayMake = useMayMake();
  const make = (
    <a class="button" href={link('identity', 'new-policy')}>
      Create a policy
    </a>
  );
  return (
    <Panel title="Policies of this account" flush={policies.length > 0} aside={mayMake ? make : undefined}>
      {policies.length === 0 ? (
        <Empty title="No policy of its own">Users and roles may have AWS's, and some that are theirs alone.</Empty>
      ) : (
        <Table
          caption="Policies of this account"
          rows={policies}
          keyOf={({ Arn = '' }) => Arn}
          columns={[
            {
              name: 'Name',
              wide: true,
              cell: ({ PolicyName, Arn = '' }) => (
                <a class="strong" href={link('identity', 'policy', Arn)}>
                  <Plain text={PolicyName} />
                </a>
              ),
            },
            { name: 'Version', cell: ({ DefaultVersionId }) => DefaultVersionId },
            { name: 'Attached', number: true, cell: ({ AttachmentCount = 0 }) => AttachmentCount },
            { name: 'Changed', cell: ({ UpdateDate }) => <Ago at={UpdateDate} /> },
          ]}
        />
      )}
    </Panel>
  );
}
