import { afterEach, beforeEach, expect, test, vi } from 'vitest';

type Watcher = (event: { readonly key?: string | null }) => void;

/** What the browser keeps for all tabs, what the server answers by proof, and who listens. */
let kept: Map<string, string>;
let people: Map<string | null, string>;
let reachable: boolean;
/** Where the server takes its time: when it goes on. */
let slow: Promise<void> | undefined;
let listeners: Map<string, Watcher>;
let address: { hash: string };
let asked: string[];
let session: typeof import('./session.ts');

beforeEach(async () => {
  kept = new Map();
  people = new Map();
  reachable = true;
  slow = undefined;
  listeners = new Map();
  address = { hash: '' };
  asked = [];
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  vi.stubGlobal('location', address);
  vi.stubGlobal('history', { replaceState: (_data: unknown, _title: string, hash: string) => (address.hash = hash) });
  vi.stubGlobal('window', { addEventListener: (name: string, watcher: Watcher) => listeners.set(name, watcher) });
  vi.stubGlobal(
    'fetch',
    async (_path: string, init: { method: string; headers: Record<string, string>; body?: string }) => {
      const { method, headers, body } = init;
      asked.push(`${method} ${body ?? ''}`.trim());
      await slow;
      if (!reachable) throw new TypeError('nobody is there');
      const arn = method === 'POST' ? 'arn:code' : people.get(headers['x-slipway-session'] ?? '');
      if (arn === undefined) return new Response('{"message":"the session is over"}', { status: 401 });
      return new Response(JSON.stringify({ arn, account: '1', region: 'r', proof: 'of the code' }));
    },
  );
  vi.resetModules();
  session = await import('./session.ts');
  session.followSession();
});
afterEach(() => vi.unstubAllGlobals());

const who = (): string => {
  const state = session.currentSession();
  return state.kind === 'in' ? state.session.arn : state.kind;
};
const proof = 'slipway-session';

test('a code that is put into the address of an open page signs in, and is gone from the address', async () => {
  await session.resume();
  expect(who()).toBe('out');
  address.hash = '#code=abc';
  listeners.get('hashchange')?.({});
  await expect.poll(who).toBe('arn:code');
  expect(address.hash).toBe('#/');
  expect(asked).toEqual(['POST {"code":"abc"}']);
  expect(kept.get(proof)).toBe('of the code');
});

test('a tab follows when another one signs in as somebody else, or out', async () => {
  kept.set(proof, 'one');
  people.set('one', 'arn:reader').set('two', 'arn:admin');
  await session.resume();
  expect(who()).toBe('arn:reader');
  kept.set(proof, 'two');
  listeners.get('storage')?.({ key: 'something else' });
  listeners.get('storage')?.({ key: proof });
  await expect.poll(who).toBe('arn:admin');
  kept.delete(proof);
  listeners.get('storage')?.({ key: proof });
  await expect.poll(who).toBe('out');
});

test('an old session that is over takes no newer one along', async () => {
  kept.set(proof, 'one');
  people.set('one', 'arn:reader');
  await session.resume();
  kept.set(proof, 'two');
  session.sessionIsOver('one');
  expect([kept.get(proof), who()]).toEqual(['two', 'arn:reader']);
  session.sessionIsOver('two');
  expect([kept.get(proof), who()]).toEqual([undefined, 'out']);
});

test('a server that does not answer ends no session, and the page says so instead of staying empty', async () => {
  kept.set(proof, 'one');
  people.set('one', 'arn:reader');
  reachable = false;
  await session.resume();
  expect(session.currentSession()).toMatchObject({ kind: 'out', notice: expect.stringContaining('Reload') });
  reachable = true;
  await session.resume();
  expect(who()).toBe('arn:reader');
  people.clear();
  await session.resume();
  expect([kept.get(proof), who()]).toEqual([undefined, 'out']);
});

test('signing out ends everything here at once, however slow the server is, and says where it has not confirmed it', async () => {
  for (const [answers, notice] of [
    [true, 'You are signed out.'],
    [false, expect.stringContaining('has not confirmed it')],
  ] as const) {
    kept.set(proof, 'one');
    people.set('one', 'arn:reader');
    await session.resume();
    const { promise, resolve } = Promise.withResolvers<void>();
    slow = promise;
    reachable = answers;
    const leaving = session.signOut();
    // Other tabs are told by what they share.
    expect([kept.get(proof), who(), asked.at(-1)]).toEqual([undefined, 'out', 'DELETE']);
    resolve();
    await leaving;
    expect(session.currentSession()).toEqual({ kind: 'out', notice });
    [slow, reachable] = [undefined, true];
  }
});

test('who has signed in again meanwhile hears nothing of the sign-out before', async () => {
  kept.set(proof, 'one');
  people.set('one', 'arn:reader');
  await session.resume();
  const { promise, resolve } = Promise.withResolvers<void>();
  slow = promise;
  reachable = false;
  const leaving = session.signOut();
  [slow, reachable] = [undefined, true];
  await session.signIn({ code: 'abc' });
  reachable = false;
  resolve();
  await leaving;
  expect([kept.get(proof), who()]).toEqual(['of the code', 'arn:code']);
});
