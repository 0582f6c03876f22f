import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { AwsError } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { Button, Icon, Plain, Refusal } from './parts.tsx';
import { indented, lineIn, validate, wrongIn } from './policy-data.ts';

/** After so long without a key the server is asked whether it is a policy. Milliseconds. */
const settling = 500;

/** What the server says of a text. */
type Verdict =
  | { readonly kind: 'none' | 'asking' | 'valid' }
  | { readonly kind: 'wrong' | 'unknown'; readonly error: AwsError };
const [none, asking] = [{ kind: 'none' }, { kind: 'asking' }] as const;

/**
 * A policy as text. While it is written, the server reads it as it would when it is put in place, and says what is wrong in which line;
 * what it says when it is put in place is shown in the same way.
 */
export function PolicyEditor(props: {
  readonly label: string;
  /** What is there now. */
  readonly text: string;
  /** How what is written is put in place; undefined: the caller may not. */
  readonly save: ((text: string) => Promise<unknown>) | undefined;
  /** What the button says, and what is asked and told. */
  readonly words: { readonly yes: string; readonly question: string; readonly done: string; readonly warning: string };
  /** Whether the server can read it beforehand: of policies about who may take a role on it cannot. */
  readonly checks: boolean;
  /** Whether it may be put in place as it is: what is new is not there yet. */
  readonly isNew?: boolean;
}): JSX.Element {
  const { label, text, save, words, checks, isNew = false } = props;
  /** What was there when it was begun: somebody else may change it meanwhile. */
  const [base, setBase] = useState(text);
  const [draft, setDraft] = useState(text);
  const [known, setKnown] = useState<{ readonly of: string; readonly verdict: Verdict }>();
  const [isOpen, setOpen] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLPreElement>(null);
  const isChanged = isNew || draft !== base;
  const start = (): void => {
    setBase(text);
    setDraft(text);
  };
  useEffect(() => {
    // What nobody is writing in follows; so does what was just put in place.
    if (text !== base && (draft === base || indented(draft) === text)) start();
  }, [text]);
  const isRead = checks && save !== undefined && isChanged;
  // What was said of another text counts for nothing.
  const verdict: Verdict = known?.of === draft ? known.verdict : isRead ? asking : none;
  const say = (said: Verdict): void => setKnown({ of: draft, verdict: said });
  useEffect(() => {
    if (!isRead) return undefined;
    const controller = new AbortController();
    const timer = setTimeout(() => {
      validate(draft, controller.signal).then(
        () => say({ kind: 'valid' }),
        (thrown: unknown) => {
          if (!controller.signal.aborted) say(told(thrown));
        },
      );
    }, settling);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [draft, isRead]);
  const wrong = verdict.kind === 'wrong' ? wrongIn(verdict.error) : undefined;
  const goThere = (): void => {
    if (area.current === null || wrong === undefined) return;
    const { from, to } = lineIn(draft, wrong.place.line);
    area.current.focus();
    area.current.setSelectionRange(from, to);
  };
  const lines = draft.split('\n').length;
  return (
    <>
      <label class="policy">
        <span>{label}</span>
        <span class="numbered">
          <pre ref={gutter} class="gutter" aria-hidden="true">
            {Array.from({ length: lines }, (_, at) => (
              <span key={at} class={wrong?.place.line === at + 1 ? 'wrong' : ''}>
                {`${at + 1}\n`}
              </span>
            ))}
          </pre>
          <textarea
            ref={area}
            rows={Math.min(30, lines + 1)}
            wrap="off"
            spellcheck={false}
            readOnly={save === undefined}
            aria-invalid={wrong === undefined ? undefined : true}
            value={draft}
            onInput={({ currentTarget: { value } }) => setDraft(value)}
            onScroll={({ currentTarget: { scrollTop } }) => {
              if (gutter.current !== null) gutter.current.scrollTop = scrollTop;
            }}
          />
        </span>
      </label>
      {save === undefined ? null : (
        <div class="actions">
          <Button
            kind="primary"
            disabled={!isChanged || verdict.kind === 'wrong' || verdict.kind === 'asking'}
            onClick={() => setOpen(true)}
          >
            {words.yes}
          </Button>
          {!isChanged || isNew ? null : <Button onClick={start}>Undo the changes</Button>}
        </div>
      )}
      {text === base ? null : (
        <p class="notice">It was changed meanwhile. “Undo the changes” shows what is there now.</p>
      )}
      <div role="status">
        {verdict.kind === 'asking' ? <p class="faint">The server reads it…</p> : null}
        {verdict.kind === 'valid' ? (
          <p class="status good">
            <Icon level="good" />
            It is a valid policy
          </p>
        ) : null}
        {wrong === undefined ? null : (
          <div class="problem">
            <Icon level="bad" />
            <div>
              <p>
                <Plain text={wrong.problem} />
              </p>
              <p>
                {wrong.place.path === undefined ? null : (
                  <>
                    <code>
                      <Plain text={wrong.place.path} />
                    </code>
                    ,{' '}
                  </>
                )}
                line {wrong.place.line}, column {wrong.place.column}
              </p>
              <Button onClick={goThere}>Go to line {wrong.place.line}</Button>
            </div>
          </div>
        )}
        {verdict.kind === 'unknown' ? <Refusal error={verdict.error} /> : null}
      </div>
      {!isOpen || save === undefined ? null : (
        <Dialog
          title={words.question}
          yes={words.yes}
          kind="danger"
          done={words.done}
          act={async () => {
            try {
              await save(draft);
            } catch (thrown) {
              say(told(thrown));
              throw thrown;
            }
          }}
          close={() => setOpen(false)}
        >
          <p>{words.warning}</p>
        </Dialog>
      )}
    </>
  );
}

/** Without the right to have it read, one may still have the right to put it in place: the server reads it then. */
function told(thrown: unknown): Verdict {
  const error = thrown instanceof AwsError ? thrown : new AwsError('', 'Error', (thrown as Error).message, '');
  if (wrongIn(error) !== undefined) return { kind: 'wrong', error };
  return error.isRefusal && error.operation === 'SimulateCustomPolicy' ? none : { kind: 'unknown', error };
}
