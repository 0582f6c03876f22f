import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type AwsError, iam } from './aws.ts';
import { capital, type Health } from './health.ts';
import { useLive } from './live.ts';
import { Ago, Button, Empty, LiveMark, Loading, Panel, Plain, Refusal, Status } from './parts.tsx';
import { Table } from './table.tsx';
import type { Decision } from './types.ts';

/** Users and roles that are shown. */
const mostEntities = 1000;

async function read(signal: AbortSignal) {
  const options = { signal };
  const [users, roles] = await Promise.all([
    iam('ListUsers', { MaxItems: mostEntities }, options),
    iam('ListRoles', { MaxItems: mostEntities }, options),
  ]);
  const named = (kind: string, Name = '', Arn = '', CreateDate = 0) => ({ kind, Name, Arn, CreateDate });
  return [
    ...(users.Users ?? []).map((one) => named('User', one.UserName, one.Arn, one.CreateDate)),
    ...(roles.Roles ?? []).map((one) => named('Role', one.RoleName, one.Arn, one.CreateDate)),
  ];
}

/** Who there is, and why somebody may or may not do something. */
export function IdentityPage(): JSX.Element {
  const live = useLive('identity', read, 15_000);
  const { data, error } = live;
  const [who, setWho] = useState('');
  return (
    <>
      <header class="page">
        <h1>Identity</h1>
        <LiveMark live={live} />
      </header>
      {error === undefined ? null : <Refusal error={error} />}
      <Question who={who} setWho={setWho} />
      <Panel title="Users and roles" flush>
        {data === undefined ? (
          error === undefined ? (
            <Loading what="users and roles" />
          ) : (
            <Empty title="Not shown" />
          )
        ) : (
          <Table
            caption="Users and roles"
            rows={data}
            keyOf={({ Arn }) => Arn}
            columns={[
              {
                name: 'Name',
                cell: ({ Name }) => (
                  <span class="strong">
                    <Plain text={Name} />
                  </span>
                ),
              },
              { name: 'Kind', cell: ({ kind }) => kind },
              {
                name: 'ARN',
                wide: true,
                cell: ({ Arn }) => (
                  <code>
                    <Plain text={Arn} />
                  </code>
                ),
              },
              { name: 'Made', cell: ({ CreateDate }) => <Ago at={CreateDate} /> },
              {
                name: 'Ask',
                cell: ({ Name, Arn }) => (
                  <Button kind="quiet" label={`Ask about ${Name}`} onClick={() => setWho(Arn)}>
                    Ask
                  </Button>
                ),
              },
            ]}
          />
        )}
      </Panel>
    </>
  );
}

const healths: Readonly<Record<string, Health>> = {
  allowed: { level: 'good', word: 'Allowed' },
  explicitDeny: { level: 'bad', word: 'Denied by a statement' },
  implicitDeny: { level: 'warn', word: 'Not allowed by any statement' },
};

/** Asks IAM's own simulation, which names the statements that decide. */
function Question({ who, setWho }: { readonly who: string; readonly setWho: (arn: string) => void }): JSX.Element {
  const [action, setAction] = useState('ecs:UpdateService');
  const [resource, setResource] = useState('*');
  const [answer, setAnswer] = useState<readonly Decision[]>();
  const [error, setError] = useState<AwsError>();
  const ask = async (): Promise<void> => {
    setError(undefined);
    setAnswer(undefined);
    try {
      const { EvaluationResults = [] } = await iam('SimulatePrincipalPolicy', {
        PolicySourceArn: who.trim(),
        ActionNames: [action.trim()],
        ResourceArns: [resource.trim()],
      });
      setAnswer(EvaluationResults);
    } catch (thrown) {
      setError(thrown as AwsError);
    }
  };
  return (
    <Panel title="May they do it, and why?">
      <form
        class="question"
        onSubmit={(event) => {
          event.preventDefault();
          ask().catch(() => undefined);
        }}
      >
        <label>
          <span>User or role</span>
          <input
            required
            placeholder="arn:aws:iam::…:user/…"
            value={who}
            onInput={(event) => setWho(event.currentTarget.value)}
          />
        </label>
        <label>
          <span>Action</span>
          <input required value={action} onInput={(event) => setAction(event.currentTarget.value)} />
        </label>
        <label>
          <span>On the resource</span>
          <input required value={resource} onInput={(event) => setResource(event.currentTarget.value)} />
        </label>
        <Button type="submit" kind="primary">
          Ask
        </Button>
      </form>
      <div role="status">
        {error === undefined ? null : <Refusal error={error} />}
        {answer?.map(({ EvalDecision = '', EvalActionName, MatchedStatements = [], EvalResourceName }) => (
          <div key={`${EvalActionName} ${EvalResourceName}`} class="answer">
            <Status health={healths[EvalDecision] ?? { level: 'idle', word: capital(EvalDecision) }} />
            {MatchedStatements.length === 0 ? (
              <p class="faint">No policy of theirs has a statement about it.</p>
            ) : (
              <p>
                By{' '}
                {MatchedStatements.map(({ SourcePolicyId, SourcePolicyType, StartPosition }, at) => (
                  <span key={at}>
                    {at === 0 ? '' : ', '}
                    <code>
                      <Plain text={SourcePolicyId} />
                    </code>{' '}
                    <span class="faint">
                      {SourcePolicyType}
                      {StartPosition?.Line === undefined ? '' : `, line ${StartPosition.Line}`}
                    </span>
                  </span>
                ))}
              </p>
            )}
          </div>
        ))}
      </div>
    </Panel>
  );
}
