import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { iam } from './aws.ts';
import { useMay } from './live.ts';
import { Empty, Panel } from './parts.tsx';
import { PolicyEditor } from './policy-editor.tsx';
import { beginning } from './policy-page.tsx';
import { link } from './route.ts';

/** Whether the caller may make policies. */
export const useMayMake = (): boolean =>
  useMay('make policy', () => iam.may('CreatePolicy', { PolicyName: 'policy', PolicyDocument: beginning }));

/** Writing a policy that can be attached to many. */
export function NewPolicyPage(): JSX.Element {
  const mayMake = useMayMake();
  const [name, setName] = useState('');
  const make = async (PolicyDocument: string): Promise<void> => {
    const { Policy } = await iam('CreatePolicy', { PolicyName: name.trim(), PolicyDocument });
    location.hash = link('identity', 'policy', Policy?.Arn ?? '');
  };
  return (
    <>
      <nav class="path" aria-label="Where this is">
        <a href={link('identity')}>Identity</a>
      </nav>
      <header class="page">
        <h1>A new policy</h1>
      </header>
      <Panel title="Policy">
        {mayMake ? (
          <>
            <div class="question">
              <label>
                <span>Name</span>
                <input
                  required
                  maxLength={128}
                  autocomplete="off"
                  value={name}
                  onInput={({ currentTarget: { value } }) => setName(value)}
                />
              </label>
            </div>
            <PolicyEditor
              label="Policy"
              text={beginning}
              isNew
              checks
              save={make}
              words={{
                yes: 'Create the policy',
                question: `Create the policy ${name.trim()}?`,
                done: 'The policy is there.',
                warning: 'It allows nobody anything until it is attached.',
              }}
            />
          </>
        ) : (
          <Empty title="You are not allowed to make policies" />
        )}
      </Panel>
    </>
  );
}
