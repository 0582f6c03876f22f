/** Whose session the page has, and the two things that prove it: a cookie that no script reads, and this page's own half. */
export interface Session {
  readonly arn: string;
  readonly account: string;
  readonly region: string;
  /** Why there is none, for the page that asks to sign in. */
}

export type SessionState =
  | { readonly kind: 'asking' }
  | { readonly kind: 'out'; readonly notice?: string }
  | { readonly kind: 'in'; readonly session: Session };

/** The ways to sign in that the server takes. */
export type SignIn =
  | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
  | { readonly account: string; readonly user: string; readonly password: string }
  | { readonly code: string };

/** Worth nothing without the cookie, which is why it may lie where scripts can read it: all pages of this origin share it. */
const kept = 'slipway-session';
const path = '/console/session';

let state: SessionState = { kind: 'asking' };
const watchers = new Set<(state: SessionState) => void>();

export const currentSession = (): SessionState => state;

export function watchSession(watcher: (state: SessionState) => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

function become(next: SessionState): void {
  state = next;
  for (const watcher of watchers) watcher(next);
}

/** What goes along with every request of the page. */
export const sessionHeaders = (): Record<string, string> => ({
  'content-type': 'application/x-amz-json-1.1',
  'x-slipway-session': localStorage.getItem(kept) ?? '',
});

/** The one-time code of `slipway console`, taken out of the address at once so that it is in no history. */
function codeOfAddress(): string | undefined {
  const code = /^#code=([\w-]{1,64})$/.exec(location.hash)?.[1];
  if (code !== undefined) history.replaceState(null, '', '#/');
  return code;
}

/** Goes on with the session there is. A code in the address becomes a new one, unless that would silently replace another. */
export async function resume(): Promise<void> {
  const code = codeOfAddress();
  const had = localStorage.getItem(kept) !== null ? await ask('GET') : undefined;
  if (had?.ok === true) {
    become({ kind: 'in', session: (await had.json()) as Session });
    return;
  }
  if (code === undefined) become({ kind: 'out' });
  else await signIn({ code }).catch((error: Error) => become({ kind: 'out', notice: error.message }));
}

/** @throws Error with what to tell whoever signs in */
export async function signIn(given: SignIn): Promise<void> {
  const answer = await ask('POST', given).catch(() => undefined);
  if (answer === undefined) throw new Error('The server does not answer. Is it running?');
  const body = (await answer.json()) as Session & { readonly proof: string; readonly message?: string };
  if (!answer.ok) throw new Error(body.message ?? `The server answers ${answer.status}.`);
  localStorage.setItem(kept, body.proof);
  become({ kind: 'in', session: { arn: body.arn, account: body.account, region: body.region } });
}

export async function signOut(): Promise<void> {
  await ask('DELETE').catch(() => undefined);
  localStorage.removeItem(kept);
  become({ kind: 'out', notice: 'You are signed out.' });
}

/** The server said that there is no session any more. */
export function sessionIsOver(): void {
  if (state.kind !== 'in') return;
  localStorage.removeItem(kept);
  become({ kind: 'out', notice: 'The session is over. Sign in again.' });
}

function ask(method: 'GET' | 'POST' | 'DELETE', body?: SignIn): Promise<Response> {
  return fetch(path, {
    method,
    headers: sessionHeaders(),
    credentials: 'same-origin',
    cache: 'no-store',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
