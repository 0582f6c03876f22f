import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type LogEvent,
  LogGroupExists,
  LogGroupMissing,
  LogNameTooLong,
  type LogStore,
  LogStreamExists,
  LogStreamMissing,
  type NewLogEvent,
  positionAt,
  type ReadOptions,
  type ScanOptions,
  type TailedEvent,
} from '../contract.ts';
import { account } from './opened.ts';

export interface OpenedStore {
  readonly store: LogStore;
  /** Another server on the same data; the same one where there is only one. */
  readonly another: LogStore;
  /** Sets the wall clock forward, milliseconds. */
  readonly pass: (ms: number) => void;
  /** Events move to where they stay. */
  readonly settle: () => Promise<void>;
  readonly dispose: () => Promise<void>;
}

const settings = { tags: {}, logGroupClass: 'STANDARD' } as const;
const minute = 60_000;
/** A time within the past hour of the test's clock. */
const base = 1_799_999_000_000;

export const messagesOf = (events: readonly NewLogEvent[]): string[] => events.map(({ message }) => message);

/**
 * The promises of `LogStore`, as tests that each implementation runs; with events where they arrive, and where they stay.
 * @param missing why it cannot be opened here; the tests are left out then
 */
export function describeLogStore(name: string, open: () => Promise<OpenedStore>, missing?: string): void {
  describe.skipIf(missing !== undefined)(`log store: ${name}`, () => {
    let opened: OpenedStore;
    let store: LogStore;
    let group: string;
    let groups = 0;

    beforeAll(async () => {
      opened = await open();
      ({ store } = opened);
    });
    beforeEach(async () => {
      group = `/test/${++groups}`;
      await store.createGroup(account, group, settings);
    });
    afterAll(() => opened.dispose());

    const put = async (stream: string, events: readonly (readonly [number, string])[], on = store): Promise<void> => {
      await on.createStream(account, group, stream).catch((error: unknown) => {
        if (!(error instanceof LogStreamExists)) throw error;
      });
      await on.put(
        account,
        group,
        stream,
        events.map(([at, message]) => ({ timestamp: base + at, message })),
      );
      opened.pass(1);
    };
    const read = async (stream: string, options: Partial<ReadOptions> = {}) =>
      store.read(account, group, stream, { direction: 'forward', limit: 10_000, ...options });
    const scanned = async (options: Partial<ScanOptions> = {}): Promise<LogEvent[]> => {
      const found: LogEvent[] = [];
      for (let after: string | undefined; ;) {
        const page = await store.scan(account, group, { limit: 1000, ...options, after });
        found.push(...page.events);
        if (page.next === undefined) return found;
        expect(page.next > (after ?? '')).toBe(true);
        after = page.next;
      }
    };

    test('a group has what it was made with, once, until it is deleted', async () => {
      const made = await store.createGroup(account, `${group}/a`, {
        tags: { team: 'x' },
        logGroupClass: 'INFREQUENT_ACCESS',
        retentionInDays: 7,
      });
      expect(made).toMatchObject({ name: `${group}/a`, retentionInDays: 7, tags: { team: 'x' }, storedBytes: 0 });
      expect(await opened.another.group(account, `${group}/a`)).toEqual(made);
      expect(await store.group('111111111111', `${group}/a`)).toBeUndefined();
      await expect(store.createGroup(account, `${group}/a`, settings)).rejects.toThrow(LogGroupExists);
      const changed = await store.changeGroup(account, `${group}/a`, (before) => ({
        ...before,
        retentionInDays: undefined,
        tags: { team: 'y' },
      }));
      expect(changed).toMatchObject({ id: made.id, createdAt: made.createdAt, tags: { team: 'y' } });
      expect(changed.retentionInDays).toBeUndefined();
      const refuse = () => {
        throw new Error('it is protected');
      };
      await expect(store.deleteGroup(account, `${group}/a`, refuse)).rejects.toThrow('it is protected');
      await store.deleteGroup(account, `${group}/a`);
      expect(await store.group(account, `${group}/a`)).toBeUndefined();
      for (const missing of [
        () => store.deleteGroup(account, `${group}/a`),
        () => store.changeGroup(account, `${group}/a`, (same) => same),
        () => store.createStream(account, `${group}/a`, 's'),
        () => store.stream(account, `${group}/a`, 's'),
        () => store.streams(account, `${group}/a`, { order: 'name', limit: 1 }),
        () => store.deleteStream(account, `${group}/a`, 's'),
        () => store.put(account, `${group}/a`, 's', []),
        () => store.read(account, `${group}/a`, 's', { direction: 'forward', limit: 1 }),
        () => store.scan(account, `${group}/a`, { limit: 1 }),
      ])
        await expect(missing()).rejects.toThrow(LogGroupMissing);
    });

    test('what a sender sends again is taken once, also on another server', async () => {
      await store.createStream(account, group, 's');
      const events = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, n) => ({ timestamp: base, message: `line ${from + n}` }));
      const lines = (from: number, to: number) => ({
        first: from,
        events: events(from, to),
        resume: `after ${to - 1}`,
      });
      expect(await store.ship(account, group, 's', lines(1, 1))).toBeUndefined();
      expect(await store.shipped(account, group, 's')).toBeUndefined();
      expect(await store.ship(account, group, 's', lines(1, 10))).toEqual({ last: 9, resume: 'after 9' });
      expect(await opened.another.ship(account, group, 's', lines(5, 12))).toEqual({ last: 11, resume: 'after 11' });
      expect(await store.ship(account, group, 's', lines(1, 3))).toEqual({ last: 11, resume: 'after 11' });
      expect(await store.shipped(account, group, 's')).toEqual({ last: 11, resume: 'after 11' });
      const without = { first: 12, events: [undefined, undefined], resume: 'after 13' };
      expect(await store.ship(account, group, 's', without)).toEqual({ last: 13, resume: 'after 13' });
      const all = await Promise.all([
        store.ship(account, group, 's', lines(12, 20)),
        opened.another.ship(account, group, 's', lines(12, 22)),
        store.ship(account, group, 's', lines(15, 30)),
        store.put(account, group, 's', [{ timestamp: base + 1, message: 'of somebody else' }]),
      ]);
      expect(all[2]).toEqual({ last: 29, resume: 'after 29' });
      const page = await read('s');
      expect(messagesOf(page.events).toSorted()).toEqual(['of somebody else', ...messagesOf(events(1, 30))].toSorted());
      // Another stream of the same name begins anew.
      await store.deleteStream(account, group, 's');
      await expect(store.ship(account, group, 's', lines(1, 2))).rejects.toThrow(LogStreamMissing);
      await store.createStream(account, group, 's');
      expect(await store.ship(account, group, 's', lines(1, 2))).toEqual({ last: 1, resume: 'after 1' });
      expect(messagesOf((await read('s')).events)).toEqual(['line 1']);
    });

    test('groups and streams come in pages, by the bytes of their names', async () => {
      for (const each of ['b', 'a', 'B', 'a-1']) {
        await store.createGroup(account, `${group}/${each}`, settings);
        await store.createStream(account, group, each);
      }
      const sorted = ['B', 'a', 'a-1', 'b'];
      const page = await store.groups(account, { prefix: `${group}/`, limit: 3 });
      expect(page.groups.map((it) => it.name)).toEqual(sorted.slice(0, 3).map((it) => `${group}/${it}`));
      expect(page.more).toBe(true);
      const rest = await store.groups(account, { prefix: `${group}/`, after: page.groups.at(-1)?.name, limit: 3 });
      expect(rest).toMatchObject({ groups: [{ name: `${group}/b` }], more: false });
      const names = async (descending: boolean, order: 'name' | 'lastEvent', prefix = ''): Promise<string[]> => {
        const found: string[] = [];
        for (let after; ;) {
          const some = await store.streams(account, group, { order, prefix, limit: 3, descending, after });
          found.push(...some.streams.map((stream) => stream.name));
          if (!some.more) return found;
          after = some.streams.at(-1);
        }
      };
      expect(await names(false, 'name')).toEqual(sorted);
      expect(await names(true, 'name')).toEqual(sorted.toReversed());
      expect(await names(false, 'name', 'a')).toEqual(['a', 'a-1']);
      await put('a', [[5, 'x']]);
      await put('b', [[3, 'x']]);
      await opened.settle();
      expect(await names(true, 'lastEvent')).toEqual(['a', 'b', 'a-1', 'B']);
      expect(await store.stream(account, group, 'a')).toMatchObject({ firstEventAt: base + 5, lastEventAt: base + 5 });
      expect(await store.stream(account, group, 'none')).toBeUndefined();
      await expect(store.createStream(account, group, 'a')).rejects.toThrow(LogStreamExists);
    });

    test.each([
      ['a time before all times', { timestamp: -1, message: 'x' }],
      ['a part of a millisecond', { timestamp: 1.5, message: 'x' }],
      ['no time', { timestamp: NaN, message: 'x' }],
      ['a time of 14 digits', { timestamp: 10_000_000_000_000, message: 'x' }],
      ['a message that is too long', { timestamp: 1, message: 'ü'.repeat(524_289) }],
    ])('%s is refused, with all events of the call', async (_title, event) => {
      await put('s', []);
      const call = store.put(account, group, 's', [{ timestamp: 1, message: 'good' }, event]);
      await expect(call).rejects.toThrow(RangeError);
      expect(await read('s')).toEqual({ events: [], more: false });
      const nowhere = store.put(account, group, 'none', [{ timestamp: 1, message: 'good' }]);
      await expect(nowhere).rejects.toThrow(LogStreamMissing);
    });

    test('names that are too long for keys are refused, and nothing has them', async () => {
      const long = 'ü'.repeat(451);
      await expect(store.createGroup(account, long, settings)).rejects.toThrow(LogNameTooLong);
      await expect(store.createStream(account, group, long)).rejects.toThrow(LogNameTooLong);
      await store.createStream(account, group, long.slice(1));
      expect(await store.group(account, long)).toBeUndefined();
      expect(await store.stream(account, group, long)).toBeUndefined();
      await expect(store.deleteGroup(account, long)).rejects.toThrow(LogGroupMissing);
      await expect(store.deleteStream(account, group, long)).rejects.toThrow(LogStreamMissing);
      await expect(store.put(account, group, long, [])).rejects.toThrow(LogStreamMissing);
      const longest = 'x'.repeat(2000);
      expect((await store.streams(account, group, { order: 'name', prefix: longest, limit: 1 })).streams).toEqual([]);
      expect((await store.groups(account, { prefix: longest, limit: 1 })).groups).toEqual([]);
    });

    describe.each([
      ['as they arrive', false],
      ['where they stay', true],
    ])('events %s', (_title, isSettled) => {
      const settle = async (): Promise<void> => {
        if (isSettled) await opened.settle();
      };

      test('are read in order from either side, page by page, and late ones take their place', async () => {
        const texts = Array.from({ length: 25 }, (_, at) => `line ${at} \u0000 \u{1f40b} ü`);
        await put(
          's',
          texts.slice(10).map((text, at) => [(at + 10) * 10, text]),
        );
        await put('other', [[5, 'another stream']]);
        await settle();
        await put(
          's',
          texts.slice(0, 10).map((text, at) => [at * 10, text]),
          opened.another,
        );
        await settle();
        const all = await read('s');
        expect(messagesOf(all.events)).toEqual(texts);
        expect(all.events[0]).toMatchObject({ stream: 's', timestamp: base });
        expect(all.events.map(({ id }) => id)).toEqual(all.events.map(({ id }) => id).toSorted());
        expect(all.more).toBe(false);
        const walk = async (direction: 'forward' | 'backward'): Promise<string[][]> => {
          const pages: string[][] = [];
          for (let from: string | undefined; ;) {
            const page = await read('s', { direction, from, limit: 10 });
            pages.push(messagesOf(page.events));
            if (!page.more) return pages;
            from = page.events.at(direction === 'forward' ? -1 : 0)?.id;
          }
        };
        expect(await walk('forward')).toEqual([texts.slice(0, 10), texts.slice(10, 20), texts.slice(20)]);
        expect(await walk('backward')).toEqual([texts.slice(15), texts.slice(5, 15), texts.slice(0, 5)]);
        const last = all.events.at(-1)!.id;
        expect(await read('s', { from: last })).toEqual({ events: [], more: false });
        const part = { start: base + 30, end: base + 60 };
        expect(messagesOf((await read('s', part)).events)).toEqual(texts.slice(3, 6));
        expect(messagesOf((await read('s', { ...part, direction: 'backward', limit: 2 })).events)).toEqual(
          texts.slice(4, 6),
        );
        expect(messagesOf((await read('s', { from: positionAt(base + 240) })).events)).toEqual([texts[24]]);
        expect((await read('s', { start: base + 60, end: base + 60 })).events).toEqual([]);
        // The first event always fits.
        expect((await read('s', { bytes: 1 })).events).toHaveLength(1);
        expect((await read('s', { bytes: Buffer.byteLength(texts.slice(0, 3).join('')) })).events).toHaveLength(3);
      });

      test('keep their ids, whatever becomes of the files that they lie in', async () => {
        await put('s', [
          [1, 'a'],
          [1, 'a'],
          [2, 'b'],
        ]);
        const before = (await read('s')).events;
        expect(new Set(before.map(({ id }) => id)).size).toBe(3);
        await settle();
        await put('s', [[0, 'earlier']]);
        await settle();
        expect((await read('s')).events.slice(1)).toEqual(before);
        expect((await scanned()).slice(1)).toEqual(before);
      });

      test('are found by time, stream, prefix and words, over all streams in one order', async () => {
        for (let at = 0; at < 60; at++) {
          const level = at % 20 === 0 ? 'ERROR' : 'info';
          await put(`web/${at % 3}`, [[at * minute, `${level} request="r-${at}" took ${at} ms`]]);
          if (at % 7 === 0) await settle();
        }
        await put('db', [[minute, 'info request="r-1" from the database']]);
        await settle();
        const all = await scanned();
        expect(all).toHaveLength(61);
        expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted());
        expect(await scanned({ limit: 7 })).toEqual(all);
        expect(await scanned({ budget: { bytes: 0, milliseconds: 0 } })).toEqual(all);
        expect(await scanned({ prefix: 'web/' })).toHaveLength(60);
        expect(await scanned({ streams: ['db', 'none'] })).toHaveLength(1);
        expect(await scanned({ terms: ['ERROR'] })).toHaveLength(3);
        expect(await scanned({ terms: ['RRO', 'request='] })).toHaveLength(3);
        expect(await scanned({ terms: ['error'] })).toEqual([]);
        expect(await scanned({ terms: ['"r-1"'] })).toHaveLength(2);
        expect(await scanned({ terms: ['"r-77"'] })).toEqual([]);
        expect(await scanned({ terms: [''] })).toHaveLength(61);
        // A text that would lie across two messages, or in what is between them, is in neither.
        expect(await scanned({ terms: ['msinfo'] })).toEqual([]);
        const some = {
          start: base + 10 * minute,
          end: base + 13 * minute,
          matches: ({ stream }: LogEvent) => stream !== 'web/0',
        };
        expect(messagesOf(await scanned(some))).toEqual([
          'info request="r-10" took 10 ms',
          'info request="r-11" took 11 ms',
        ]);
        const stop = AbortSignal.abort(new Error('nobody waits'));
        await expect(scanned({ signal: stop })).rejects.toThrow('nobody waits');
        const wrong = () => {
          throw new Error('a pattern that fails');
        };
        await expect(scanned({ matches: wrong })).rejects.toThrow('a pattern that fails');
      });

      test('of deleted streams and groups are gone, and what is made anew is empty', async () => {
        await put('kept', [[1, 'kept']]);
        await put('dropped', [[2, 'dropped']]);
        await settle();
        await store.deleteStream(account, group, 'dropped');
        await expect(read('dropped')).rejects.toThrow(LogStreamMissing);
        await expect(store.deleteStream(account, group, 'dropped')).rejects.toThrow(LogStreamMissing);
        expect(messagesOf(await scanned())).toEqual(['kept']);
        await put('dropped', [[3, 'anew']]);
        await settle();
        expect(messagesOf(await scanned())).toEqual(['kept', 'anew']);
        expect(messagesOf((await read('dropped')).events)).toEqual(['anew']);
        await store.deleteGroup(account, group);
        await store.createGroup(account, group, settings);
        await settle();
        expect(await scanned()).toEqual([]);
        expect((await store.streams(account, group, { order: 'name', limit: 10 })).streams).toEqual([]);
      });
    });

    test('followers see what comes, once, on every server, also of groups that come later', async () => {
      await put('s', [[1, 'before']]);
      const stop = new AbortController();
      const later = `${group}/later`;
      const followed = [
        { group, prefix: 's' },
        { group: later, streams: ['x'] },
      ];
      const batches = opened.another.tail(account, followed, stop.signal);
      const seen: TailedEvent[] = [];
      const following = (async () => {
        for await (const { events, gap } of batches) {
          expect(gap).toBe(false);
          seen.push(...events);
          if (seen.some(({ message }) => message === 'last')) stop.abort();
        }
      })();
      // It follows from when it has begun, which shows in what it sees.
      for (let n = 0; seen.length === 0; n++) {
        await put('s', [[2, `begun ${n}`]]);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await put('not-followed', [[3, 'no']]);
      await store.createGroup(account, later, settings);
      await store.createStream(account, later, 'x');
      await store.put(account, later, 'x', [{ timestamp: base, message: 'later' }]);
      await opened.settle();
      await put('s', [
        [3, 'more'],
        [0, 'last'],
      ]);
      await following;
      const begun = seen.findIndex(({ message }) => !message.startsWith('begun'));
      expect(messagesOf(seen.slice(begun)).toSorted()).toEqual(['last', 'later', 'more']);
      expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
      expect(seen.find(({ message }) => message === 'later')).toMatchObject({ group: later, stream: 'x' });
      expect(seen.find(({ message }) => message === 'last')?.id).toBe((await read('s')).events[0]?.id);
    });
  });
}
