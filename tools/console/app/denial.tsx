import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { AwsError } from './aws.ts';
import type { Health } from './health.ts';
import { capital } from './health.ts';
import { denialRoute, own } from './own-routes.ts';
import { Ago, Button, Loading, Panel, Plain, Refusal, Status } from './parts.tsx';
import { link } from './route.ts';

interface Statement {
  readonly layer: string;
  readonly policy: string;
  readonly statement: string;
  readonly effect: 'Allow' | 'Deny';
  readonly matched: boolean;
  readonly because?: string;
}

interface Explanation {
  readonly resource: string;
  readonly outcome: string;
  readonly reason: string;
  readonly decidedBy?: { readonly policy: string; readonly statement: string };
  readonly considered: readonly { readonly layer: string; readonly policy: string }[];
  readonly statements: readonly Statement[];
  readonly missingKeys: readonly string[];
}

/** A refusal as the server keeps it for an hour. */
interface Denial {
  readonly requestId: string;
  readonly time: string;
  readonly service: string;
  readonly operation: string;
  readonly principal: string;
  readonly sourceIp: string;
  readonly action: string;
  readonly resources: readonly string[];
  readonly resourcesLeftOut: number;
  readonly reason: string;
  readonly explanations: readonly Explanation[];
}

const isId = (text: string): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);

/** Why a request was refused, by its id: what each policy said of it then. */
export function Denied({ id }: { readonly id: string }): JSX.Element {
  const [asked, setAsked] = useState(id);
  const [denial, setDenial] = useState<Denial>();
  const [error, setError] = useState<AwsError>();
  const [looking, setLooking] = useState('');
  const look = (wanted: string): (() => void) => {
    const controller = new AbortController();
    setLooking(wanted);
    setError(undefined);
    setDenial(undefined);
    const show = (found: Denial | undefined, thrown?: unknown): void => {
      if (controller.signal.aborted) return;
      setLooking('');
      setDenial(found);
      setError(thrown as AwsError | undefined);
    };
    if (!isId(wanted)) show(undefined, new AwsError('', 'Id', 'This is not the id of a request.', ''));
    else
      own(denialRoute(wanted), { signal: controller.signal }).then(
        (found) => show(found as Denial),
        (thrown: unknown) => show(undefined, thrown),
      );
    return () => controller.abort();
  };
  useEffect(() => {
    setAsked(id);
    return id === '' ? undefined : look(id);
  }, [id]);
  return (
    <Panel title="Why was a request refused?">
      <form
        class="question"
        onSubmit={(event) => {
          event.preventDefault();
          const wanted = asked.trim();
          // The address says what is shown, so that it can be passed on; the same once more is asked once more.
          if (wanted === id) look(wanted);
          else location.hash = link('identity', 'why', wanted);
        }}
      >
        <label>
          <span>Id of the request</span>
          <input
            required
            placeholder="0b9c6f0e-8f1c-4a54-9f43-1f0a3a0d6f0b"
            value={asked}
            onInput={({ currentTarget: { value } }) => setAsked(value)}
          />
        </label>
        <Button type="submit" kind="primary">
          Explain
        </Button>
      </form>
      <div role="status">
        {looking === '' ? null : <Loading what="why it was refused" />}
        {error === undefined ? null : <Refusal error={error} />}
        {denial === undefined ? null : <Told denial={denial} />}
      </div>
    </Panel>
  );
}

function Told({ denial }: { readonly denial: Denial }): JSX.Element {
  const { principal, action, resources, resourcesLeftOut, reason, explanations } = denial;
  return (
    <div class="denial">
      <p>
        <span class="strong">
          <Plain text={principal} />
        </span>{' '}
        was refused <code>{action}</code>, <Ago at={Date.parse(denial.time) / 1000} />, from{' '}
        <Plain text={denial.sourceIp} /> ({denial.service}:{denial.operation}), because <Plain text={reason} />.
      </p>
      {explanations.length > 0 ? null : (
        <p>
          On <Plain text={resources.join(', ')} />. What its policies said is not known, or for another account to tell.
        </p>
      )}
      {explanations.map((one) => (
        <Layers key={one.resource} explanation={one} principal={principal} />
      ))}
      {resourcesLeftOut === 0 ? null : <p class="faint">It was about {resourcesLeftOut} more resources.</p>}
    </div>
  );
}

const healths: Readonly<Record<string, Health>> = {
  explicitDeny: { level: 'bad', word: 'Denied by a statement' },
  implicitDeny: { level: 'warn', word: 'Not allowed by any statement' },
};

function Layers(props: { readonly explanation: Explanation; readonly principal: string }): JSX.Element {
  const { resource, outcome, decidedBy, considered, statements, missingKeys } = props.explanation;
  return (
    <section class="answer" aria-label={`On ${resource}`}>
      <p>
        <Status health={healths[outcome] ?? { level: 'idle', word: capital(outcome) }} /> on{' '}
        <code>
          <Plain text={resource} />
        </code>
      </p>
      {decidedBy === undefined ? null : (
        <p>
          By the statement <code>{<Plain text={decidedBy.statement} />}</code> of{' '}
          <PolicyName name={decidedBy.policy} principal={props.principal} />
        </p>
      )}
      {considered.length === 0 ? <p class="faint">No policy applies.</p> : null}
      <ul class="policies">
        {considered.map(({ layer, policy }) => {
          const own = statements.filter((one) => one.layer === layer && one.policy === policy);
          return (
            <li key={`${layer} ${policy}`}>
              <PolicyName name={policy} principal={props.principal} />{' '}
              <span class="faint">
                {layer}
                {own.length === 0 ? ', has no statement about it' : ''}
              </span>
              {own.length === 0 ? null : (
                <ul>
                  {own.map((one, at) => (
                    <li key={at}>
                      <code>
                        <Plain text={one.statement} />
                      </code>{' '}
                      {said(one)}
                    </li>
                  ))}
                </ul>
              )}
            </li>
          );
        })}
      </ul>
      {missingKeys.length === 0 ? null : (
        <p class="faint">
          Statements about it ask for what the request did not have: <Plain text={missingKeys.join(', ')} />
        </p>
      )}
    </section>
  );
}

function said({ effect, matched, because = '' }: Statement): JSX.Element {
  if (matched) return <>{effect === 'Deny' ? 'denies it' : 'allows it'}</>;
  return (
    <>
      {effect === 'Deny' ? 'would deny it' : 'would allow it'}, but <Plain text={because} />
    </>
  );
}

/** A policy by its name, which leads to where it is changed, where that is in IAM. */
function PolicyName({ name, principal }: { readonly name: string; readonly principal: string }): JSX.Element {
  const arn = /arn:[^:]*:iam::(?:\d{12}|aws):policy\/.+$/.exec(name)?.[0];
  const [, kind, holder] = /:(user|role|assumed-role)\/(?:[^/]+\/)*?([^/]+)(?:\/[^/]+)?$/.exec(principal) ?? [];
  const text = <Plain text={name.replace(/^(?:inline|boundary):/, '')} />;
  if (arn !== undefined) return <a href={link('identity', 'policy', arn)}>{text}</a>;
  if (/^inline:[^/]+$/.test(name) && holder !== undefined)
    return <a href={link('identity', kind === 'user' ? 'user' : 'role', holder)}>{text}</a>;
  return <code>{text}</code>;
}
