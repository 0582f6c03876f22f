import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Button, Icon } from './parts.tsx';
import { Mark } from './mark.tsx';
import { visible } from './format.ts';
import { identityProvider, leaveForProvider, type SignIn, signIn } from './session.ts';

type Way = 'key' | 'password';

/** Signing in with an access key, or as a user with a password; what is typed is sent once, and kept nowhere. */
export function SignInPage({ notice }: { readonly notice: string | undefined }): JSX.Element {
  const [way, setWay] = useState<Way>('key');
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    document.title = 'Sign in – Slipway';
    form.current?.querySelector('input')?.focus();
  }, [way]);
  const [provider, setProvider] = useState<string>();
  useEffect(() => {
    identityProvider().then(setProvider, () => undefined);
  }, []);
  const tried = async (attempt: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await attempt();
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  };
  const submit = async (): Promise<void> => {
    const field = (name: string): string =>
      (form.current?.elements.namedItem(name) as HTMLInputElement | null)?.value.trim() ?? '';
    const token = field('sessionToken');
    const given: SignIn =
      way === 'key'
        ? {
            accessKeyId: field('accessKeyId'),
            secretAccessKey: field('secretAccessKey'),
            ...(token === '' ? {} : { sessionToken: token }),
          }
        : { account: field('account'), user: field('user'), password: field('password') };
    await tried(() => signIn(given));
  };
  return (
    <main class="sign-in">
      <div class="brand">
        <Mark />
        <h1>Slipway</h1>
      </div>
      {notice === undefined || problem !== undefined ? null : <p class="notice">{visible(notice)}</p>}
      {provider === undefined ? null : (
        <Button
          kind="primary"
          disabled={busy}
          onClick={() => {
            tried(leaveForProvider).catch(() => undefined);
          }}
        >
          Sign in with {visible(provider)}
        </Button>
      )}
      <div class="choices" role="group" aria-label="How to sign in">
        <Button kind="quiet" pressed={way === 'key'} onClick={() => setWay('key')}>
          Access key
        </Button>
        <Button kind="quiet" pressed={way === 'password'} onClick={() => setWay('password')}>
          Password
        </Button>
      </div>
      <form
        ref={form}
        autocomplete="on"
        onSubmit={(event) => {
          event.preventDefault();
          submit().catch(() => undefined);
        }}
      >
        {way === 'key' ? (
          <>
            <Field name="accessKeyId" label="Access key id" autocomplete="username" />
            <Field name="secretAccessKey" label="Secret access key" secret />
            <Field name="sessionToken" label="Session token" hint="Only with temporary credentials" secret optional />
          </>
        ) : (
          <>
            <Field name="account" label="Account" hint="12 digits, or its alias" />
            <Field name="user" label="User" autocomplete="username" />
            <Field name="password" label="Password" secret />
          </>
        )}
        {problem === undefined ? null : (
          <p class="problem" role="alert">
            <Icon level="bad" />
            {problem}
          </p>
        )}
        <Button type="submit" kind="primary" disabled={busy}>
          Sign in
        </Button>
      </form>
      <p class="faint">
        On the machine of the server, <code>npx slipway console</code> opens this page signed in.
      </p>
    </main>
  );
}

function Field(props: {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly secret?: boolean;
  readonly optional?: boolean;
  readonly autocomplete?: string;
}): JSX.Element {
  const hintId = `${props.name}-hint`;
  const attributes = {
    name: props.name,
    required: props.optional !== true,
    autocapitalize: 'off',
    spellcheck: false,
    ...(props.hint === undefined ? {} : { 'aria-describedby': hintId }),
  } as const;
  return (
    <label>
      <span>{props.label}</span>
      {props.secret === true ? (
        <input {...attributes} type="password" autocomplete="current-password" />
      ) : (
        <input {...attributes} type="text" autocomplete={props.autocomplete ?? 'off'} />
      )}
      {props.hint === undefined ? null : (
        <span id={hintId} class="faint">
          {props.hint}
        </span>
      )}
    </label>
  );
}
