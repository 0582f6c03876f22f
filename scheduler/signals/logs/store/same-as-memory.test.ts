import {
  array,
  assert,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  integer,
  type Arbitrary,
  oneof,
  record,
  string,
  tuple,
} from 'fast-check';
import { type RecordStore, StoreUnavailable } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';
import type { LogEvent, LogStore } from './contract.ts';
import { LogGroupMissing, LogStreamMissing } from './contract.ts';
import { MemoryBlobs } from './testing/memory-blobs.ts';
import { MemoryLogs } from './testing/memory-logs.ts';
import { account, openedLogs, withCommit } from './testing/opened.ts';

const groups = ['a', 'b'] as const;
const streams = ['s', 's/1', 't'] as const;
const day = 86_400_000;
const words = ['ERROR', 'info', 'code="404"', 'id="x-1"', 'id="x-2"', 'ü\u{1f40b}', ' ', '\n'] as const;

type Step =
  | {
      readonly kind: 'put';
      readonly group: string;
      readonly stream: string;
      readonly server: number;
      readonly events: readonly (readonly [number, string])[];
    }
  | { readonly kind: 'upkeep'; readonly thorough: boolean; readonly crash: boolean }
  | { readonly kind: 'crash'; readonly server: number }
  | { readonly kind: 'lost-put'; readonly group: string; readonly stream: string }
  | { readonly kind: 'delete-stream'; readonly group: string; readonly stream: string }
  | { readonly kind: 'delete-group'; readonly group: string };

const group = constantFrom(...groups);
const stream = constantFrom(...streams);
const message = oneof(
  array(constantFrom(...words), { maxLength: 4 }).map((parts) => parts.join(' ')),
  string({ maxLength: 20 }),
);
/** Over three days, many of one time. */
const time = oneof(integer({ min: 0, max: 3 * day }), integer({ min: 0, max: 5 }));
const step: Arbitrary<Step> = oneof(
  {
    weight: 8,
    arbitrary: record({
      kind: constant('put' as const),
      group,
      stream,
      server: integer({ min: 0, max: 1 }),
      events: array(tuple(time, message), { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 4, arbitrary: record({ kind: constant('upkeep' as const), thorough: boolean(), crash: boolean() }) },
  { weight: 1, arbitrary: record({ kind: constant('crash' as const), server: integer({ min: 0, max: 1 }) }) },
  { weight: 1, arbitrary: record({ kind: constant('lost-put' as const), group, stream }) },
  { weight: 1, arbitrary: record({ kind: constant('delete-stream' as const), group, stream }) },
  { weight: 1, arbitrary: record({ kind: constant('delete-group' as const), group }) },
);

/** What is asked at the end, of both. */
const question = record({
  group,
  stream,
  limit: integer({ min: 1, max: 6 }),
  bytes: oneof(constant(1024 * 1024), integer({ min: 1, max: 40 })),
  start: oneof(constant(undefined), time),
  end: oneof(constant(undefined), time),
  terms: array(constantFrom('ERROR', 'RO', '"404"', '"x-1"', 'x-2', 'ü', 'no'), { maxLength: 2 }),
  budget: constantFrom(undefined, { bytes: 0, milliseconds: 0 }),
});

/** Without ids, which are each store's own. */
const shown = (events: readonly LogEvent[]) => events.map(({ id: _id, ...event }) => event);

/** Commits that fail after the blobs have been sealed, as often as asked for. */
class FailingRecords {
  fails = 0;
  of(inner: RecordStore): RecordStore {
    const commit: RecordStore['commit'] = (partition, batch) => {
      if (this.fails === 0 || batch.put?.every(({ value }) => !isFile(value)) !== false)
        return inner.commit(partition, batch);
      this.fails -= 1;
      return Promise.reject(new StoreUnavailable('the process ended here', 'unknown'));
    };
    return withCommit(inner, commit);
  }
}

const isFile = (value: unknown): boolean => typeof value === 'object' && value !== null && 'footer' in value;

async function ensure(store: LogStore, group: string, stream: string): Promise<void> {
  if ((await store.group(account, group)) === undefined)
    await store.createGroup(account, group, { tags: {}, logGroupClass: 'STANDARD' });
  if ((await store.stream(account, group, stream)) === undefined) await store.createStream(account, group, stream);
}

/** The outcome, or that there is no such thing. */
async function outcome<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof LogGroupMissing || error instanceof LogStreamMissing) return error.message;
    throw error;
  }
}

async function readAll(
  store: LogStore,
  asked: {
    readonly group: string;
    readonly stream: string;
    readonly limit: number;
    readonly bytes: number;
    readonly start: number | undefined;
    readonly end: number | undefined;
  },
  direction: 'forward' | 'backward',
) {
  const pages: unknown[] = [];
  for (let from: string | undefined; ;) {
    const page = await store.read(account, asked.group, asked.stream, { ...asked, direction, from });
    pages.push(shown(page.events));
    if (!page.more) return pages;
    from = page.events.at(direction === 'forward' ? -1 : 0)?.id;
  }
}

async function scanAll(store: LogStore, { group: name, ...asked }: { readonly group: string; readonly limit: number }) {
  const found: LogEvent[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.scan(account, name, { ...asked, after });
    found.push(...page.events);
    if (page.next === undefined) return shown(found);
    expect(page.next > (after ?? '')).toBe(true);
    after = page.next;
  }
}

test('whatever is put, compacted, deleted and interrupted in whichever order, it answers as a list in memory does', async () => {
  await assert(
    asyncProperty(
      array(step, { maxLength: 25 }),
      array(question, { minLength: 3, maxLength: 3 }),
      async (steps, questions) => {
        const failing = new FailingRecords();
        const blobs = new MemoryBlobs();
        const opened = openedLogs(blobs, (clock) => failing.of(memoryRecords(clock)));
        const memory = new MemoryLogs(() => opened.clock.time);
        const lost: unknown[] = [];
        const servers = [opened.server(), opened.server()];
        for (const it of steps) {
          opened.clock.time += 1;
          if (it.kind === 'put') {
            const events = it.events.map(([timestamp, text]) => ({ timestamp, message: text }));
            for (const store of [memory, servers[it.server]!]) {
              await ensure(store, it.group, it.stream);
              await store.put(account, it.group, it.stream, events);
            }
          } else if (it.kind === 'upkeep') {
            if (it.crash) failing.fails = 1;
            const done = opened.upkeep(servers[0]!, it.thorough);
            await (it.crash ? done.catch(() => undefined) : done);
            failing.fails = 0;
          } else if (it.kind === 'crash') {
            servers[it.server] = opened.server();
          } else if (it.kind === 'lost-put') {
            for (const store of [memory, servers[0]!]) await ensure(store, it.group, it.stream);
            failing.fails = 1;
            const put = servers[0]!.put(account, it.group, it.stream, [{ timestamp: 0, message: 'not acknowledged' }]);
            lost.push(await put.catch((error: unknown) => error));
          } else if (it.kind === 'delete-stream') {
            for (const store of [memory, servers[0]!]) await outcome(store.deleteStream(account, it.group, it.stream));
          } else {
            for (const store of [memory, servers[0]!]) await outcome(store.deleteGroup(account, it.group));
          }
        }
        expect(lost.every((error) => error instanceof StoreUnavailable)).toBe(true);
        for (const asked of questions) {
          const [expected, actual] = await Promise.all(
            [memory, servers[1]!].map(async (store) => ({
              forward: await outcome(readAll(store, asked, 'forward')),
              backward: await outcome(readAll(store, asked, 'backward')),
              scanned: await outcome(scanAll(store, { ...asked, limit: asked.limit })),
              ofStream: await outcome(scanAll(store, { ...asked, prefix: asked.stream } as never)),
            })),
          );
          expect(actual).toEqual(expected);
        }
        await Promise.all(servers.map((server) => server.close()));
      },
    ),
    { numRuns: runs },
  );
}, 300_000);

const runs = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 60 : 600;
