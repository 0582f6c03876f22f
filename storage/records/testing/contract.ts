import { array, assert, asyncProperty, constantFrom, uniqueArray } from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compareKeys, fenceKey } from '../encode.ts';
import {
  type Change,
  ConditionFailed,
  type EventSource,
  type RecordStore,
  StaleEpoch,
  StoreUnavailable,
  transact,
} from '../index.ts';

export interface OpenedRecords {
  readonly store: RecordStore & EventSource;
  /** A second handle on the same data, as another server process has it. */
  readonly another: () => Promise<RecordStore & EventSource>;
  readonly dispose: () => Promise<void>;
}

/** The promises of `RecordStore`, as tests that each driver runs. */
export function describeRecordStore(name: string, open: () => Promise<OpenedRecords>, missing?: string): void {
  describe.skipIf(missing !== undefined)(`record store: ${name}${missing ?? ''}`, () => {
    let opened: OpenedRecords;
    let store: RecordStore & EventSource;
    let partition: string;
    let partitions = 0;

    // One store serves all tests, each in a partition of its own.
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    beforeEach(() => {
      partition = `test/${++partitions}`;
    });
    afterAll(() => opened.dispose());

    const put = (key: string, value: string | number) => store.commit(partition, { put: [{ key, value }] });
    const keys = async (options?: Parameters<RecordStore['list']>[1]) =>
      (await store.list(partition, options)).records.map(({ key }) => key);

    test('a resolved commit is visible to reads', async () => {
      const { version } = await store.commit(partition, {
        put: [{ key: 'a', value: { n: 1, list: [null, 'x', 2.5] } }],
      });
      expect(await store.get(partition, 'a')).toEqual({ key: 'a', value: { n: 1, list: [null, 'x', 2.5] }, version });
      expect(await store.get(partition, 'b')).toBeUndefined();
      expect(await store.get(`${partition}/other`, 'a')).toBeUndefined();
    });

    test('undefined members are dropped, and empty lists, empty objects and extreme numbers survive', async () => {
      const value = { list: [], object: {}, big: 2 ** 53 - 1, small: -1e-7, text: '\u0000\u{1f40b}"\\', no: undefined };
      await store.commit(partition, { put: [{ key: 'a', value }] });
      const { no: _no, ...expected } = value;
      expect((await store.get(partition, 'a'))?.value).toStrictEqual(expected);
    });

    test('versions grow strictly within a partition and mark the records of a commit', async () => {
      expect(await store.version(partition)).toBe(0);
      const first = await put('a', 1);
      const second = await store.commit(partition, { put: [{ key: 'b', value: 2 }], remove: ['a'] });
      expect(second.version).toBeGreaterThan(first.version);
      expect((await store.get(partition, 'b'))?.version).toBe(second.version);
      expect(await store.version(partition)).toBe(second.version);
    });

    test('a batch is written whole or not at all', async () => {
      await put('a', 1);
      const commit = store.commit(partition, {
        require: [{ key: 'missing', exists: true }],
        put: [{ key: 'b', value: 2 }],
        remove: ['a'],
        announce: [{ topic: 'topic', type: 'happened', data: null }],
      });
      await expect(commit).rejects.toThrow(ConditionFailed);
      expect(await keys()).toEqual(['a']);
      expect(await store.announced(partition, 'topic', 0, 10)).toEqual([]);
    });

    test.each([
      ['the version holds', (version: number) => [{ key: 'a', version }], true],
      ['the version moved', (version: number) => [{ key: 'a', version: version + 1 }], false],
      ['a version of an absent key', () => [{ key: 'z', version: 1 }], false],
      ['present', () => [{ key: 'a', exists: true }], true],
      ['not present', () => [{ key: 'z', exists: true }], false],
      ['absent', () => [{ key: 'z', exists: false }], true],
      ['not absent', () => [{ key: 'a', exists: false }], false],
      ['equal, whatever the order of members', () => [{ key: 'a', equals: { y: [], x: 1 } }], true],
      ['not equal', () => [{ key: 'a', equals: { x: 1, y: {} } }], false],
      ['equal to an absent key', () => [{ key: 'z', equals: null }], false],
      ['an empty prefix', () => [{ prefix: 'b', empty: true as const }], true],
      ['a prefix that is not empty', () => [{ prefix: 'a', empty: true as const }], false],
      [
        'one of several fails',
        () => [
          { key: 'a', exists: true },
          { key: 'z', exists: true },
        ],
        false,
      ],
    ])('condition: %s', async (_title, conditions, holds) => {
      const { version } = await store.commit(partition, { put: [{ key: 'a', value: { x: 1, y: [] } }] });
      const commit = store.commit(partition, { require: conditions(version), put: [{ key: 'done', value: true }] });
      const refusal = await commit.then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refusal instanceof ConditionFailed).toBe(!holds);
      expect((await store.get(partition, 'done')) !== undefined).toBe(holds);
    });

    test('a lazy commit counts at once, for every process, and keeps its conditions', async () => {
      const other = await opened.another();
      const first = await store.commit(partition, { put: [{ key: 'a', value: 1 }], lazy: true });
      expect(await other.get(partition, 'a')).toEqual({ key: 'a', value: 1, version: first.version });
      await put('b', 1);
      const batch = { require: [{ key: 'a', version: first.version }], put: [{ key: 'a', value: 2 }], lazy: true };
      const outcomes = await Promise.allSettled([store.commit(partition, batch), other.commit(partition, batch)]);
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      await other.close();
    });

    test('a failed condition names itself and nothing else', async () => {
      const commit = store.commit(partition, {
        require: [
          { key: 'a', exists: false },
          { key: 'b', exists: true },
        ],
      });
      await expect(commit).rejects.toMatchObject({ failed: [{ key: 'b', exists: true }] });
    });

    test('of many commits sent together, each stands on its own', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) =>
          store.commit(partition, {
            require: index % 3 === 0 ? [{ key: 'never', exists: true }] : [],
            put: [{ key: `k${String(index).padStart(2, '0')}`, value: index }],
          }),
        ),
      );
      const committed = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
      expect(committed).toEqual(Array.from({ length: 50 }, (_, index) => index).filter((index) => index % 3 !== 0));
      expect(await keys()).toEqual(committed.map((index) => `k${String(index).padStart(2, '0')}`));
      const versions = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.version] : []));
      expect(new Set(versions).size).toBe(versions.length);
    });

    test('of racing conditional writers exactly one wins each round', async () => {
      const other = await opened.another();
      for (let round = 0; round < 5; round++) {
        const results = await Promise.allSettled(
          Array.from({ length: 8 }, (_, index) =>
            (index % 2 === 0 ? store : other).commit(partition, {
              require: [{ key: `r${round}`, exists: false }],
              put: [{ key: `r${round}`, value: index }],
            }),
          ),
        );
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      }
      await other.close();
    });

    test('counting by transactions in two processes loses no step', async () => {
      const other = await opened.another();
      await Promise.all(
        Array.from({ length: 12 }, async (_, index) => {
          await transact(
            index % 2 === 0 ? store : other,
            partition,
            async (tx) => tx.put('count', ((await tx.get<number>('count')) ?? 0) + 1),
            { attempts: 100 },
          );
        }),
      );
      expect((await other.get(partition, 'count'))?.value).toBe(12);
      await other.close();
    });

    test('pages come in the order of UTF-8 bytes, are bounded, and go on after the last key', async () => {
      const names = ['a', 'a/1', 'a/10', 'a/2', 'b', '\ue000', '\u{1f40b}', 'é', 'A', '~', '\u0000'];
      await store.commit(partition, { put: names.map((key) => ({ key, value: key })) });
      const sorted = names.toSorted((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
      expect(await keys()).toEqual(sorted);
      expect(await keys({ prefix: 'a/' })).toEqual(['a/1', 'a/10', 'a/2']);
      expect(await keys({ prefix: 'a/', after: 'a/1' })).toEqual(['a/10', 'a/2']);
      expect(await keys({ prefix: 'a/', after: 'A' })).toEqual(['a/1', 'a/10', 'a/2']);
      expect(await keys({ prefix: 'a/', after: 'b' })).toEqual([]);
      expect(await store.list(partition, { limit: 3 })).toMatchObject({ more: true, records: { length: 3 } });
      expect(await store.list(partition, { prefix: 'a/', limit: 3 })).toMatchObject({ more: false });
      const walked: string[] = [];
      for (let after: string | undefined; ; after = walked.at(-1)) {
        const page = await store.list(partition, { limit: 2, ...(after !== undefined && { after }) });
        walked.push(...page.records.map(({ key }) => key));
        if (!page.more) break;
      }
      expect(walked).toEqual(sorted);
    });

    test('records are counted by their prefix, up to a number', async () => {
      const count = (prefix: string, most = 100) => store.count(partition, prefix, most);
      expect(await count('')).toBe(0);
      const names = ['a', 'a/1', 'a/10', 'a/2', 'b', '\ue000', '\u{1f40b}', '\u{1f40b}/1', '\u0000'];
      await store.commit(partition, { put: names.map((key) => ({ key, value: key })) });
      expect(await Promise.all([count(''), count('', 4), count('a/'), count('a/', 3), count('a/', 2)])).toEqual([
        9, 4, 3, 3, 2,
      ]);
      expect(await Promise.all([count('\u{1f40b}'), count('\ud7ff'), count('c'), count('a/', 0)])).toEqual([
        2, 0, 0, 0,
      ]);
      await store.commit(partition, { remove: ['a/1'] });
      expect(await count('a/')).toBe(2);
    });

    test('pages of large values end by their size, and miss none', async () => {
      const large = 'x'.repeat(100_000);
      for (let at = 0; at < 5; at++)
        await store.commit(partition, {
          put: Array.from({ length: 5 }, (_, index) => ({ key: `l${at}${index}`, value: large })),
        });
      await put('m', 'small');
      const sizes: number[] = [];
      const walked: string[] = [];
      for (let after: string | undefined, more = true; more;) {
        const page = await store.list<string>(partition, { after, characters: 250_000 });
        for (const { key, value } of page.records) {
          expect(value.length).toBe(key === 'm' ? 5 : large.length);
          walked.push(key);
        }
        sizes.push(page.records.length);
        after = walked.at(-1);
        ({ more } = page);
      }
      expect(walked).toEqual((await keys()).toSorted());
      expect(sizes).toEqual([3, 3, 3, 3, 3, 3, 3, 3, 2]);
      // However little is wanted, a page has a record.
      expect(await keys({ characters: 0 })).toEqual(['l00']);
      await expect(store.list(partition, { characters: -1 })).rejects.toThrow(RangeError);
    });

    test('large values are read, compared, rewritten and removed like others', async () => {
      const text = (letter: string): string => letter.repeat(300_000);
      await store.commit(partition, { put: [{ key: 'a', value: { text: text('x') } }], announce: [] });
      await store.commit(partition, {
        require: [{ key: 'a', equals: { text: text('x') } }],
        put: [{ key: 'a', value: text('ü') }],
        announce: [{ topic: 'large', type: 'happened', data: text('ä') }],
      });
      expect((await store.getMany(partition, ['a'])).get('a')?.value).toBe(text('ü'));
      expect((await store.announced(partition, 'large', 0, 10))[0]?.data).toBe(text('ä'));
      const wrong = { require: [{ key: 'a', equals: text('x') }], put: [{ key: 'b', value: 1 }] };
      await expect(store.commit(partition, wrong)).rejects.toThrow(ConditionFailed);
      await put('a', 'short');
      expect((await store.get(partition, 'a'))?.value).toBe('short');
      await store.commit(partition, { put: [{ key: 'b', value: text('y') }], remove: ['a'] });
      expect(await keys()).toEqual(['b']);
    });

    test('any set of keys is listed in byte order and found by any prefix', async () => {
      const character = constantFrom(
        'a',
        'b',
        '/',
        '\u007f',
        '\u00ff',
        '\uffff',
        '\u{10ffff}',
        '\u{10000}',
        '\ud7ff',
        '\ue000',
      );
      const key = array(character, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
      let round = 0;
      await assert(
        asyncProperty(uniqueArray(key, { minLength: 1, maxLength: 12 }), key, async (names, prefix) => {
          const fresh = `${partition}/${round++}`;
          await store.commit(fresh, { put: names.map((name) => ({ key: name, value: 0 })) });
          const listed = (await store.list(fresh, { prefix })).records.map((record) => record.key);
          expect(listed).toEqual(names.filter((name) => name.startsWith(prefix)).sort(compareKeys));
          const emptiness = store.commit(fresh, { require: [{ prefix, empty: true }] });
          const refused = await emptiness.then(
            () => false,
            () => true,
          );
          expect(refused).toBe(listed.length > 0);
        }),
        { numRuns: 60 },
      );
    });

    test('several records come from one read, absent ones left out', async () => {
      await store.commit(partition, {
        put: [
          { key: 'a', value: 1 },
          { key: 'b', value: 2 },
        ],
      });
      const found = await store.getMany(partition, ['b', 'z', 'a']);
      expect(new Map(Array.from(found, ([key, { value }]) => [key, value]))).toEqual(
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
      );
      expect(await store.getMany(partition, [])).toEqual(new Map());
    });

    test('only partitions with records are named, in order and in pages', async () => {
      for (const name of ['c', 'a', 'b'])
        await store.commit(`${partition}!/${name}`, { put: [{ key: 'k', value: 1 }] });
      await store.commit(`${partition}!/b`, { remove: ['k'] });
      expect(await store.partitions({ prefix: `${partition}!/` })).toEqual({
        names: [`${partition}!/a`, `${partition}!/c`],
        more: false,
      });
      expect(await store.partitions({ prefix: `${partition}!/`, limit: 1 })).toEqual({
        names: [`${partition}!/a`],
        more: true,
      });
      const rest = await store.partitions({ prefix: `${partition}!/`, after: `${partition}!/a` });
      expect(rest.names).toEqual([`${partition}!/c`]);
    });

    test('a fence lets only the current epoch through', async () => {
      await store.commit(partition, { put: [{ key: fenceKey('leader'), value: 7 }] });
      await store.commit(partition, { fence: { name: 'leader', epoch: 7 }, put: [{ key: 'a', value: 1 }] });
      const stale = store.commit(partition, { fence: { name: 'leader', epoch: 6 }, put: [{ key: 'a', value: 2 }] });
      await expect(stale).rejects.toThrow(StaleEpoch);
      const unknown = store.commit(partition, { fence: { name: 'nobody', epoch: 1 }, put: [{ key: 'a', value: 3 }] });
      await expect(unknown).rejects.toThrow(StaleEpoch);
      expect((await store.get(partition, 'a'))?.value).toBe(1);
    });

    test.each([
      ['an empty key', { put: [{ key: '', value: 1 }] }],
      ['a key that is too long', { put: [{ key: 'k'.repeat(1101), value: 1 }] }],
      ['a lone surrogate', { put: [{ key: '\ud800', value: 1 }] }],
      [
        'a key written twice',
        {
          put: [
            { key: 'a', value: 1 },
            { key: 'a', value: 2 },
          ],
        },
      ],
      ['a key put and removed', { put: [{ key: 'a', value: 1 }], remove: ['a'] }],
      ['a value that is too long', { put: [{ key: 'a', value: 'x'.repeat(8 * 1024 * 1024) }] }],
    ])('%s is refused before anything is written', async (_title, batch) => {
      const refusal = await store.commit(partition, batch).catch((error: unknown) => error);
      expect(refusal).toSatisfy((error: unknown) => error instanceof RangeError || error instanceof TypeError);
      expect(await keys()).toEqual([]);
    });

    test('a follower sees every key that changed, the newest state last, also from another process', async () => {
      const other = await opened.another();
      const stop = new AbortController();
      await put('old', 1);
      const seen = new Map<string, unknown>();
      const versions: number[] = [];
      const following = (async () => {
        for await (const changes of store.follow(partition, { after: 0, signal: stop.signal })) {
          for (const change of changes) {
            versions.push(change.version);
            if (change.kind !== 'reset') seen.set(change.key, change.kind === 'put' ? change.value : 'removed');
          }
          if (seen.get('end') === 'b') stop.abort();
        }
      })();
      await put('a', 1);
      await put('a', 2);
      await other.commit(partition, { put: [{ key: 'gone', value: 1 }] });
      await other.commit(partition, { remove: ['gone'], put: [{ key: 'end', value: 'b' }] });
      await following;
      expect(seen).toEqual(
        new Map<string, unknown>([
          ['old', 1],
          ['a', 2],
          ['gone', 'removed'],
          ['end', 'b'],
        ]),
      );
      expect(versions).toEqual(versions.toSorted((x, y) => x - y));
      await other.close();
    });

    test('a follower without a starting point sees only what comes', async () => {
      await put('before', 1);
      const stop = new AbortController();
      const feed = store.follow(partition, { signal: stop.signal })[Symbol.asyncIterator]();
      const first = feed.next();
      // The feed has its starting point once this read, sent after it, is answered.
      await store.version(partition);
      await put('after', 2);
      expect((await first).value).toMatchObject([{ kind: 'put', key: 'after', value: 2 }]);
      stop.abort();
      expect(await feed.next()).toMatchObject({ done: true });
    });

    test('a batch of changes never ends within a commit', async () => {
      const wide = Array.from({ length: 1500 }, (_, index) => ({ key: `w${index}`, value: index }));
      await put('first', 1);
      await store.commit(partition, { put: wide });
      await put('last', 1);
      const stop = new AbortController();
      const batches: (readonly Change[])[] = [];
      for await (const changes of store.follow(partition, { after: 0, signal: stop.signal })) {
        batches.push(changes);
        if (changes.some((change) => change.kind === 'put' && change.key === 'last')) stop.abort();
      }
      const holding = batches.filter((changes) =>
        changes.some((change) => change.kind === 'put' && change.key.startsWith('w')),
      );
      expect(holding).toHaveLength(1);
    });

    test('a batch of large changes ends by its size, and still never within a commit', async () => {
      const large = 'x'.repeat(3 * 1024 * 1024);
      for (let at = 0; at < 4; at++)
        await store.commit(partition, { put: [1, 2, 3].map((part) => ({ key: `l${at}/${part}`, value: large })) });
      const stop = new AbortController();
      const batches: string[][] = [];
      for await (const changes of store.follow(partition, { after: 0, signal: stop.signal })) {
        batches.push(changes.map((change) => ('key' in change ? change.key : change.kind)).toSorted());
        if (batches.flat().length === 12) stop.abort();
      }
      const commit = (at: number): string[] => [1, 2, 3].map((part) => `l${at}/${part}`);
      expect(batches).toEqual([
        [...commit(0), ...commit(1)],
        [...commit(2), ...commit(3)],
      ]);
    });

    test('a follower ahead of the store is told to start anew', async () => {
      const { version } = await put('a', 1);
      const stop = new AbortController();
      for await (const changes of store.follow(partition, { after: version + 5, signal: stop.signal })) {
        expect(changes).toEqual([{ kind: 'reset', version }]);
        break;
      }
    });

    test('announced events are kept in order with positions, and streams are reported as they grow', async () => {
      const other = await opened.another();
      const stop = new AbortController();
      const topic = `topic/${partition}`;
      await store.commit(partition, {
        announce: [
          { topic, type: 'one', data: { n: 1 } },
          { topic, type: 'two', data: [] },
        ],
      });
      const grown: number[] = [];
      const watching = (async () => {
        for await (const streams of store.streams(topic, stop.signal)) {
          grown.push(...streams.map(({ last }) => last));
          if (grown.at(-1) === 3) stop.abort();
        }
      })();
      await other.commit(partition, { announce: [{ topic, type: 'three', data: null }] });
      await watching;
      const events = await other.announced(partition, topic, 0, 10);
      expect(events.map(({ position, type, data }) => [position, type, data])).toEqual([
        [1, 'one', { n: 1 }],
        [2, 'two', []],
        [3, 'three', null],
      ]);
      expect(events[0]).toMatchObject({ partition, topic });
      expect(Math.abs(events[0]!.time - Date.now())).toBeLessThan(60_000);
      expect(await store.announced(partition, topic, 2, 10)).toHaveLength(1);
      expect(await store.announced(partition, topic, 0, 1)).toHaveLength(1);
      expect(await store.announced(partition, 'other', 0, 10)).toEqual([]);
      await other.close();
    });

    test('a closed store refuses commits in its own words', async () => {
      const other = await opened.another();
      const underWay = other.commit(partition, { put: [{ key: 'a', value: 1 }] });
      await other.close();
      await underWay;
      await expect(other.commit(partition, { remove: ['a'] })).rejects.toThrow(StoreUnavailable);
      expect((await store.get(partition, 'a'))?.value).toBe(1);
    });
  });
}
