import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { AwsError, ecr, pages } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { plural, visible } from './format.ts';
import { useLive, useMay } from './live.ts';
import { Ago, Answered, Button, Empty, Loading, Panel, Plain, Refusal } from './parts.tsx';
import { Table } from './table.tsx';

/** Images of a preview that are shown. */
const mostPreviewed = 500;
/** Milliseconds between looks at whether a preview is done, and how often it is looked. */
const [pause, looks] = [500, 120] as const;

interface Expiring {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly pushed: number | undefined;
  readonly rule: number | undefined;
}

/** The policy of a repository; undefined where it has none. @throws AwsError */
async function readPolicy(repositoryName: string, signal: AbortSignal): Promise<{ readonly text: string | undefined }> {
  try {
    const { lifecyclePolicyText } = await ecr('GetLifecyclePolicy', { repositoryName }, { signal });
    return { text: lifecyclePolicyText };
  } catch (error) {
    if (error instanceof AwsError && error.code === 'LifecyclePolicyNotFoundException') return { text: undefined };
    throw error;
  }
}

/** Asks once more where no answer came: a preview changes nothing, and one lost answer among many would end it. @throws AwsError */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AwsError) || error.code !== 'NoAnswer') throw error;
    return ask();
  }
}

/** What a policy would remove now; nothing is removed. @throws AwsError with the rule and the member that are wrong */
export async function preview(repositoryName: string, lifecyclePolicyText: string): Promise<readonly Expiring[]> {
  await patiently(() => ecr('StartLifecyclePolicyPreview', { repositoryName, lifecyclePolicyText }));
  for (let look = 0; look < looks; look++) {
    const { status } = await patiently(() => ecr('GetLifecyclePolicyPreview', { repositoryName, maxResults: 1 }));
    if (status === 'COMPLETE') break;
    if (status !== 'IN_PROGRESS' || look === looks - 1)
      throw new AwsError('GetLifecyclePolicyPreview', 'Preview', 'The preview did not come to an end.', '');
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  const found = await pages(
    (nextToken) => patiently(() => ecr('GetLifecyclePolicyPreview', { repositoryName, nextToken, maxResults: 100 })),
    (page) => page.previewResults,
    mostPreviewed,
  );
  return found.map(({ imageDigest = '', imageTags = [], imagePushedAt, appliedRulePriority }) => ({
    digest: imageDigest,
    tags: imageTags,
    pushed: imagePushedAt,
    rule: appliedRulePriority,
  }));
}

const beginning = JSON.stringify(
  {
    rules: [
      {
        rulePriority: 1,
        selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 },
        action: { type: 'expire' },
      },
    ],
  },
  undefined,
  2,
);

/** The lifecycle policy of a repository: what it says, what it or another one would remove now, and putting that other one in its place. */
export function Lifecycle({ repository }: { readonly repository: string }): JSX.Element {
  const live = useLive(`lifecycle ${repository}`, (signal) => readPolicy(repository, signal), 30_000);
  return (
    <Answered live={live} what="the lifecycle policy">
      {({ text }) => <Policy key={text} repository={repository} text={text} again={live.again} />}
    </Answered>
  );
}

function Policy(props: {
  readonly repository: string;
  readonly text: string | undefined;
  readonly again: () => void;
}): JSX.Element {
  const { repository, text, again } = props;
  const [draft, setDraft] = useState(text === undefined ? beginning : indented(text));
  const written = useRef(draft);
  written.current = draft;
  const [open, setOpen] = useState(text !== undefined);
  const [state, setState] = useState<'idle' | 'busy' | 'applying'>('idle');
  const [found, setFound] = useState<readonly Expiring[]>();
  const [error, setError] = useState<AwsError>();
  const input = { repositoryName: repository, lifecyclePolicyText: text ?? beginning };
  const mayPreview = useMay(`preview ${repository}`, () => ecr.may('StartLifecyclePolicyPreview', input));
  const mayPut = useMay(`put lifecycle ${repository}`, () => ecr.may('PutLifecyclePolicy', input));
  const isChanged = text === undefined || draft !== indented(text);
  const look = async (): Promise<void> => {
    setState('busy');
    setError(undefined);
    setFound(undefined);
    try {
      const expiring = await preview(repository, draft);
      // What another policy than the one that stands there now would remove is told to nobody.
      if (written.current === draft) setFound(expiring);
    } catch (thrown) {
      if (written.current === draft) setError(thrown as AwsError);
    }
    // Whoever has gone on to put it in place is not interrupted.
    setState((now) => (now === 'busy' ? 'idle' : now));
  };
  const write = <Button onClick={() => setOpen(true)}>Write one</Button>;
  return (
    <Panel title="Lifecycle" aside={!open && (mayPreview || mayPut) ? write : undefined}>
      {!open ? (
        <Empty title="No lifecycle policy">Images stay until somebody removes them.</Empty>
      ) : (
        <>
          <label class="policy">
            <span>Policy</span>
            <textarea
              rows={Math.min(24, draft.split('\n').length + 1)}
              spellcheck={false}
              readOnly={!mayPreview && !mayPut}
              value={draft}
              onInput={({ currentTarget: { value } }) => {
                setDraft(value);
                setFound(undefined);
                setError(undefined);
              }}
            />
          </label>
          <div class="actions">
            {mayPreview ? (
              <Button
                kind="primary"
                disabled={state === 'busy'}
                onClick={() => {
                  look().catch(() => undefined);
                }}
              >
                Show what it would remove
              </Button>
            ) : null}
            {mayPut && isChanged ? <Button onClick={() => setState('applying')}>Put in place</Button> : null}
          </div>
        </>
      )}
      <div role="status">
        {state === 'busy' ? <Loading what="what the policy would remove" /> : null}
        {error === undefined ? null : <Refusal error={error} />}
        {found === undefined ? null : <Found found={found} />}
      </div>
      {state !== 'applying' ? null : (
        <Dialog
          title="Put this policy in place?"
          yes="Put in place"
          kind="danger"
          done="The policy is in place."
          act={async () => {
            await ecr('PutLifecyclePolicy', { repositoryName: repository, lifecyclePolicyText: draft });
            again();
          }}
          close={() => setState('idle')}
        >
          <p>
            {found === undefined
              ? 'What it removes has not been looked at.'
              : `It removes ${plural(found.length, 'image')} soon, and others as they come under it.`}{' '}
            What is removed does not come back.
          </p>
        </Dialog>
      )}
    </Panel>
  );
}

function Found({ found }: { readonly found: readonly Expiring[] }): JSX.Element {
  if (found.length === 0) return <Empty title="It would remove nothing now" />;
  return (
    <>
      <p class="strong">It would remove {plural(found.length, 'image')} now:</p>
      <Table
        caption="Images that the policy would remove"
        rows={found}
        keyOf={({ digest }) => digest}
        columns={[
          { name: 'Digest', cell: ({ digest }) => <code title={digest}>{digest.slice(7, 19)}</code> },
          {
            name: 'Tags',
            wide: true,
            cell: ({ tags }) => <Plain text={tags.length === 0 ? 'no tag' : tags.join(', ')} />,
          },
          { name: 'Pushed', cell: ({ pushed }) => <Ago at={pushed} /> },
          { name: 'By rule', number: true, cell: ({ rule }) => rule ?? '—' },
        ]}
      />
      {found.length >= mostPreviewed ? <p class="faint">Only {mostPreviewed} are shown.</p> : null}
    </>
  );
}

/** As people write it; as it is where it is no JSON. */
function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return visible(text);
  }
}
