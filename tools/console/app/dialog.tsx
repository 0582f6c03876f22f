import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AwsError } from './aws.ts';
import { Button, Refusal } from './parts.tsx';
import { say } from './said.tsx';

/** A question before something is done. The browser's own dialog: it takes the focus, Escape closes it, and it gives the focus back. */
export function Dialog(props: {
  readonly title: string;
  readonly yes: string;
  readonly kind?: 'primary' | 'danger';
  readonly act: () => Promise<unknown>;
  readonly done: string;
  readonly close: () => void;
  readonly children?: ComponentChildren;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<AwsError>();
  useEffect(() => dialog.current?.showModal(), []);
  const act = async (): Promise<void> => {
    setBusy(true);
    try {
      await props.act();
      say(props.done);
      props.close();
    } catch (thrown) {
      setError(thrown as AwsError);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} onClose={props.close} aria-labelledby="dialog-title">
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          act().catch(() => undefined);
        }}
      >
        <h2 id="dialog-title">{props.title}</h2>
        {props.children}
        {error === undefined ? null : <Refusal error={error} />}
        <div class="actions">
          <Button onClick={props.close}>Cancel</Button>
          <Button type="submit" kind={props.kind ?? 'primary'} disabled={busy}>
            {props.yes}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
