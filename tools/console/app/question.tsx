import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { type AwsError, iam } from './aws.ts';
import { capital, type Health } from './health.ts';
import { Button, Panel, Plain, Refusal, Status } from './parts.tsx';
import type { Decision } from './types.ts';

const healths: Readonly<Record<string, Health>> = {
  allowed: { level: 'good', word: 'Allowed' },
  explicitDeny: { level: 'bad', word: 'Denied by a statement' },
  implicitDeny: { level: 'warn', word: 'Not allowed by any statement' },
};

/** Asks IAM's own simulation, which names the statements that decide. */
export function Question({
  who,
  setWho,
}: {
  readonly who: string;
  readonly setWho: (arn: string) => void;
}): JSX.Element {
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
