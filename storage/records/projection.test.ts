import { beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { type Change, type Projection, project, type RecordStore, scanAll } from './index.ts';
import { memoryRecords } from './testing/memory-records.ts';

let records: RecordStore;
let stop: AbortController;
let rows: Map<string, unknown>;
let loads: number;
let seen: number;
const interruptions: unknown[] = [];

beforeEach(() => {
  records = memoryRecords(systemClock);
  stop = new AbortController();
  rows = new Map();
  loads = 0;
  seen = -1;
  interruptions.length = 0;
});

const put = (key: string, value: number) => records.commit('p', { put: [{ key, value }] });

const projection: Projection = {
  async load(version) {
    loads++;
    seen = version;
    rows = new Map((await scanAll(records, 'p')).map(({ key, value }) => [key, value]));
  },
  apply(changes, version) {
    for (const change of changes) {
      if (change.kind === 'put') rows.set(change.key, change.value);
      else rows.delete(change.key);
    }
    seen = version;
  },
  interrupted: (error) => interruptions.push(error),
  retryAfter: 1,
};

const start = (store: Pick<RecordStore, 'version' | 'follow'> = records, parts: Partial<Projection> = {}) =>
  project(store, 'p', { ...projection, ...parts }, { clock: systemClock, signal: stop.signal });

test('what was there is loaded, and what comes, changes and goes is taken over', async () => {
  await put('a', 1);
  const running = start();
  await vi.waitFor(() => expect(rows).toEqual(new Map([['a', 1]])), { timeout: 60_000 });
  await put('a', 2);
  await put('b', 3);
  await records.commit('p', { remove: ['a'] });
  await vi.waitFor(() => expect(rows).toEqual(new Map([['b', 3]])), { timeout: 60_000 });
  expect(seen).toBe(await records.version('p'));
  expect(loads).toBe(1);
  stop.abort();
  await running;
  expect(interruptions).toEqual([]);
});

test('a gap in the feed is a reason to load anew, at once and without a word', async () => {
  await put('a', 1);
  let follows = 0;
  const gappy: Pick<RecordStore, 'version' | 'follow'> = {
    version: (partition) => records.version(partition),
    async *follow(partition, options): AsyncGenerator<readonly Change[]> {
      if (follows++ === 0) {
        await put('b', 2);
        yield [{ kind: 'reset', version: 2 }];
        throw new Error('followed on after a reset');
      }
      yield* records.follow(partition, options);
    },
  };
  const running = start(gappy);
  await vi.waitFor(() => expect(loads).toBe(2), { timeout: 60_000 });
  expect(rows.get('b')).toBe(2);
  stop.abort();
  await running;
  expect(interruptions).toEqual([]);
});

test.each(['load', 'apply', 'version', 'follow'] as const)(
  'a failure of %s is told, and everything begins anew',
  async (part) => {
    await put('a', 1);
    let failures = 0;
    const fail = (): void => {
      if (failures++ === 0) throw new Error(`no ${part}`);
    };
    const store: Pick<RecordStore, 'version' | 'follow'> = {
      version: async (partition) => {
        if (part === 'version') fail();
        return records.version(partition);
      },
      follow: (partition, options) => {
        if (part === 'follow') fail();
        return records.follow(partition, options);
      },
    };
    const running = start(store, {
      load: async (version) => {
        if (part === 'load') fail();
        await projection.load(version);
      },
      apply: (changes, version) => {
        if (part === 'apply') fail();
        return projection.apply(changes, version);
      },
    });
    await vi.waitFor(() => expect(rows.get('a')).toBe(1), { timeout: 60_000 });
    await put('b', 2);
    await vi.waitFor(() => expect(rows.get('b')).toBe(2), { timeout: 60_000 });
    expect(interruptions).toEqual([new Error(`no ${part}`)]);
    stop.abort();
    await running;
  },
);

test('it ends with its signal, also while the store fails', async () => {
  const failing = {
    ...records,
    version: () => Promise.reject(new Error('away')),
    follow: () => records.follow('p', { signal: stop.signal }),
  };
  const running = start(failing, { retryAfter: 60_000 });
  await vi.waitFor(() => expect(interruptions).toHaveLength(1), { timeout: 60_000 });
  stop.abort();
  await running;
});
