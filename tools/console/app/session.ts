/** Whose session the page has, and the two things that prove it: a cookie that no script reads, and this page's own half. */
export interface Session {
  readonly arn: string;
  readonly account: string;
  readonly region: string;
}

export type SessionState =
  | { readonly kind: 'asking' }
  /** `notice`: why there is none, for the page that asks to sign in. */
  | { readonly kind: 'out'; readonly notice?: string }
  | { readonly kind: 'in'; readonly session: Session };

/** The ways to sign in that the server takes. */
export type SignIn =
  | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
  | { readonly account: string; readonly user: string; readonly password: string }
  | { readonly code: string }
  | { readonly oidc: { readonly state: string; readonly code: string; readonly begun: string } };

/** Worth nothing without the cookie, which is why it may lie where scripts can read it: all pages of this origin share it. */
const kept = 'slipway-session';
const path = '/console/session';
export const proofHeader = 'x-slipway-session';

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
export const sessionHeaders = (): { readonly 'content-type': string; readonly [proofHeader]: string } => ({
  'content-type': 'application/x-amz-json-1.1',
  [proofHeader]: localStorage.getItem(kept) ?? '',
});

/** The one-time code of `slipway console`, taken out of the address at once so that it is in no history. */
function codeOfAddress(): string | undefined {
  const code = /^#code=([\w-]{1,64})$/.exec(location.hash)?.[1];
  if (code !== undefined) history.replaceState(null, '', '#/');
  return code;
}

/** What the page keeps in its tab while somebody is at the identity provider: other origins neither read nor write it. */
const begunHere = 'slipway-oidc';
const oidcPath = '/console/oidc';

/** What the provider is called where people sign in by OpenID Connect; undefined where they do not, or that is not known. */
export async function identityProvider(): Promise<string | undefined> {
  const answer = await fetch(oidcPath, { cache: 'no-store' }).catch(() => undefined);
  const { name } = (answer?.ok === true ? await answer.json() : {}) as { readonly name?: string };
  return name;
}

/** Leaves for the identity provider. @throws Error with what to tell whoever signs in */
export async function leaveForProvider(): Promise<void> {
  const answer = await fetch(oidcPath, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
    cache: 'no-store',
  }).catch(() => undefined);
  if (answer === undefined) throw new Error('The server does not answer. Is it running?');
  const body = (await answer.json()) as { readonly url?: string; readonly begun?: string; readonly message?: string };
  if (!answer.ok || body.begun === undefined || URL.parse(body.url ?? '')?.protocol.startsWith('http') !== true)
    throw new Error(body.message ?? `The server answers ${answer.status}.`);
  sessionStorage.setItem(begunHere, body.begun);
  location.assign(body.url ?? '');
}

/**
 * What the identity provider says by the address that it leads back to, taken out of it at once, as is what was kept for it.
 * @returns how to sign in with it, or why not; undefined where nobody comes back
 */
function returned(): SignIn | { readonly problem: string } | undefined {
  const query = new URLSearchParams(location.search);
  const [state, code, error] = ['state', 'code', 'error'].map((name) => query.get(name));
  if (state == null || (code == null && error == null)) return undefined;
  history.replaceState(null, '', `${location.pathname}#/`);
  const begun = sessionStorage.getItem(begunHere);
  sessionStorage.removeItem(begunHere);
  if (begun === null) return { problem: 'This sign-in was not begun in this tab. Sign in again.' };
  if (code == null) return { problem: `The identity provider does not sign you in: ${(error ?? '').slice(0, 200)}` };
  return { oidc: { state, code, begun } };
}

/** Goes on with the session there is. A code in the address becomes a new one, unless that would silently replace another. */
export async function resume(): Promise<void> {
  const code = codeOfAddress();
  const back = returned();
  const proof = localStorage.getItem(kept);
  const had = proof === null ? undefined : await ask('GET').catch(() => 'no answer' as const);
  const session = had instanceof Response && had.ok ? ((await had.json()) as Session) : undefined;
  // Whoever signed in or out meanwhile, here or in another tab, has the last word.
  if (localStorage.getItem(kept) !== proof) return;
  if (session !== undefined) return become({ kind: 'in', session });
  if (had === 'no answer' || (had !== undefined && had.status !== 401))
    return become({
      kind: 'out',
      notice: 'The server could not be asked who is signed in. Reload the page to ask again.',
    });
  localStorage.removeItem(kept);
  const given = code === undefined ? back : { code };
  if (given === undefined) become({ kind: 'out' });
  else if ('problem' in given) become({ kind: 'out', notice: given.problem });
  else await signIn(given).catch((error: Error) => become({ kind: 'out', notice: error.message }));
}

/**
 * Follows what happens beside the page: a code that is put into the address of a page that is open already, and another tab that signs in or
 * out. All tabs share one session, so a tab that did not follow would show one name and act under another.
 */
export function followSession(): void {
  const again = (): void => {
    resume().catch(() => undefined);
  };
  window.addEventListener('hashchange', () => {
    if (location.hash.startsWith('#code=')) again();
  });
  window.addEventListener('storage', ({ key }) => {
    if (key === kept || key === null) again();
  });
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

/**
 * Ends the session: here and in the other tabs at once, whatever they have open, and on the server as soon as it answers. A server that is slow
 * or gone would otherwise keep terminals of tabs that nobody sees.
 */
export async function signOut(): Promise<void> {
  // It is sent with what proves the session, which is gone from here on.
  const answer = ask('DELETE').catch(() => undefined);
  localStorage.removeItem(kept);
  become({ kind: 'out', notice: 'You are signed out.' });
  const said = await answer;
  const isOver = said !== undefined && (said.ok || said.status === 401);
  if (isOver || state.kind !== 'out' || localStorage.getItem(kept) !== null) return;
  become({
    kind: 'out',
    notice:
      'You are signed out here. The server has not confirmed it: there the session ends after two hours without use.',
  });
}

/** The server said that there is no session any more. @param proof what it was asked with; another tab may have a new session since */
export function sessionIsOver(proof: string): void {
  if (state.kind !== 'in' || localStorage.getItem(kept) !== proof) return;
  localStorage.removeItem(kept);
  become({ kind: 'out', notice: 'The session is over. Sign in again.' });
}

function ask(method: 'GET' | 'POST' | 'DELETE', body?: SignIn): Promise<Response> {
  return fetch(path, {
    method,
    headers: sessionHeaders(),
    credentials: 'same-origin',
    cache: 'no-store',
    // A sign-out goes its way also where the page is closed right after it.
    keepalive: method === 'DELETE',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}
