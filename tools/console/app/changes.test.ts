import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Changes } from './changes.ts';

/** What the server was asked, and the streams that it gave, in order; `status` of the next answer. */
let asked: { readonly path: string; readonly proof: string | undefined; readonly signal: AbortSignal }[];
let streams: ReadableStreamDefaultController<Uint8Array>[];
let status: number;
let view: { hidden: boolean; watchers: Set<() => void> };
let changes: Changes;
let heard: string[];

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  streams = [];
  status = 200;
  heard = [];
  view = { hidden: false, watchers: new Set() };
  vi.stubGlobal('localStorage', { getItem: () => 'proof' });
  vi.stubGlobal('document', {
    get hidden() {
      return view.hidden;
    },
    addEventListener: (_name: string, watcher: () => void) => view.watchers.add(watcher),
    removeEventListener: (_name: string, watcher: () => void) => view.watchers.delete(watcher),
  });
  vi.stubGlobal(
    'fetch',
    async (path: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) => {
      asked.push({ path, proof: headers['x-slipway-session'], signal });
      if (status !== 200) return new Response('{}', { status });
      return new Response(
        new ReadableStream({
          start(stream) {
            streams.push(stream);
            signal.addEventListener('abort', () => stream.error(new TypeError('aborted')));
          },
        }),
      );
    },
  );
  changes = new Changes();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const listen = (name: string, ...clusters: string[]): (() => void) => changes.listen(clusters, () => heard.push(name));
const after = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
/** What was sent arrives over several turns. */
async function arrives(): Promise<void> {
  for (let i = 0; i < 10; i++) await after(0);
}
async function sends(text: string): Promise<void> {
  streams.at(-1)?.enqueue(new TextEncoder().encode(text));
  await arrives();
}
/** What was heard since the last look. */
const news = (): string[] => heard.splice(0);

test('one stream tells everybody on the page what is theirs, also what comes in pieces', async () => {
  listen('overview', 'default', 'other');
  listen('service', 'default');
  await after(500);
  expect(asked).toMatchObject([{ path: '/console/changes?cluster=default&cluster=other', proof: 'proof' }]);
  expect([changes.tells(['default']), news()]).toEqual([false, []]);
  // From now on it tells; what was before is asked for.
  await sends(':\n\n');
  expect([changes.tells(['default', 'other']), changes.tells(['third']), changes.tells([])]).toEqual([
    true,
    false,
    false,
  ]);
  expect(news()).toEqual(['overview', 'service']);
  await sends('data: oth');
  expect(news()).toEqual([]);
  await sends('er\n\n:\n\ndata: third\n\n');
  expect(news()).toEqual(['overview']);
  await sends('data: default\n\ndata: other\n\n');
  expect(news()).toEqual(['overview', 'service']);
  expect(asked).toHaveLength(1);
});

test('a page that nobody looks at has no stream, nor one that shows nothing of clusters or of very many', async () => {
  view.hidden = true;
  const deaf = listen('overview', 'default');
  await after(60_000);
  expect(asked).toEqual([]);
  view.hidden = false;
  for (const look of view.watchers) look();
  await after(0);
  expect(asked).toHaveLength(1);
  view.hidden = true;
  for (const look of view.watchers) look();
  await after(0);
  expect([asked[0]?.signal.aborted, changes.tells(['default'])]).toEqual([true, false]);
  view.hidden = false;
  deaf();
  listen('many', ...Array.from({ length: 11 }, (_, i) => `c${i}`));
  await after(60_000);
  expect([asked.length, view.watchers.size]).toEqual([1, 1]);
});

test('the stream follows what is wanted, and goes on where the next page wants the same', async () => {
  const deaf = listen('overview', 'default');
  await after(500);
  await sends(':\n\n');
  deaf();
  await after(100);
  const next = listen('service', 'default');
  await after(500);
  await sends('data: default\n\n');
  expect([asked.length, news()]).toEqual([1, ['overview', 'service']]);
  listen('hosts', 'other');
  await after(500);
  expect(asked.map(({ path, signal }) => [path, signal.aborted])).toEqual([
    ['/console/changes?cluster=default', true],
    ['/console/changes?cluster=default&cluster=other', false],
  ]);
  next();
  await after(500);
  expect(asked.at(-1)?.path).toBe('/console/changes?cluster=other');
});

test('a stream that is cut or falls silent is said to everybody, and another one begins later', async () => {
  listen('overview', 'default');
  await after(500);
  await sends(':\n\n');
  news();
  streams[0]?.close();
  await arrives();
  expect([changes.tells(['default']), news()]).toEqual([false, ['overview']]);
  await after(4999);
  expect(asked).toHaveLength(1);
  await after(1);
  expect(asked).toHaveLength(2);
  await sends(':\n\n');
  news();
  // The server says something every five seconds.
  for (let i = 0; i < 10; i++) {
    await after(5000);
    await sends(':\n\n');
  }
  expect([asked.length, news()]).toEqual([2, []]);
  await after(30_000);
  expect([changes.tells(['default']), news()]).toEqual([false, ['overview']]);
});

test('who may not have a stream, or not another one, hardly asks again', async () => {
  for (const answer of [403, 429]) {
    status = answer;
    const deaf = listen('overview', `c${answer}`);
    await after(500);
    expect([asked.length, news()]).toEqual([1, ['overview']]);
    listen('service', `c${answer}`)();
    await after(299_000);
    expect(asked).toHaveLength(1);
    await after(2000);
    expect(asked).toHaveLength(2);
    deaf();
    await after(500);
    asked.length = 0;
    news();
  }
  // A server that is away is asked ever less often.
  status = 503;
  listen('overview', 'default');
  await after(3_600_000);
  expect(asked.length).toBeGreaterThan(10);
  expect(asked.length).toBeLessThan(25);
});
