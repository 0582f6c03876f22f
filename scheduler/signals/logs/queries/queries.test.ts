import { randomBytes } from 'node:crypto';
import type { BlobLocation } from '@slipway/storage/blobs';
import { scanAll } from '@slipway/storage/records';
import { expect, test } from 'vitest';

import { parseQuery } from '../insights/index.ts';
import { blobsOfLogs, relocateLogs } from '../store/blobs-of-logs.ts';
import { LogsDamaged, type ScanOptions } from '../store/contract.ts';
import { logKeys, logsPartition } from '../store/keys.ts';
import { account, MemoryBlobs, openedLogs } from '../store/testing/index.ts';

import { LogQueries } from './log-queries.ts';
import type { QueryRecord } from './records.ts';
import { longest } from './runner.ts';
import { lostAfter, mostUnfinished, TooManyQueries } from './stored-queries.ts';

type Scan = ReturnType<ReturnType<typeof openedLogs>['server']>['scan'];

/** Servers on the same stores, with a group `web` in which there are so many events. */
async function opened(events = 3) {
  const blobs = new MemoryBlobs();
  const stores = openedLogs(blobs);
  const { clock, records, said } = stores;
  const logs = stores.server();
  await logs.createGroup(account, 'web', { tags: {}, logGroupClass: 'STANDARD' });
  for (const name of ['a', 'b']) await logs.createStream(account, 'web', name);
  const lines = Array.from({ length: events }, (_, n) => ({ timestamp: clock.time + n, message: `line ${n}` }));
  await logs.put(account, 'web', 'a', lines);
  await logs.put(account, 'web', 'b', [{ timestamp: clock.time, message: 'of b "needle" here' }]);
  const log = { info: () => undefined, warn: (_: unknown, message: string) => void said.push(message) };
  const server = (scan: Scan = logs.scan.bind(logs), time: Partial<typeof clock> = {}) =>
    new LogQueries({
      records,
      blobs,
      log,
      random: randomBytes,
      clock: { now: clock.now, monotonic: clock.monotonic, sleep: clock.sleep, ...time },
      logs: { scan },
    });
  const start = (of: LogQueries, query: string, groups: readonly string[] = ['web']): Promise<string> =>
    of.start(account, { query, groups, start: 0, end: 9e12, by: 'arn' }, parseQuery(query, clock.now()));
  /** Reading that goes on when it is let. */
  const gated = () => {
    const gate = Promise.withResolvers<void>();
    let begun = 0;
    const scan: Scan = async (...given) => {
      begun++;
      await gate.promise;
      given[2].signal?.throwIfAborted();
      return logs.scan(...given);
    };
    return { scan, open: () => gate.resolve(), begun: () => begun };
  };
  const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
  };
  return { ...stores, blobs, logs, server, start, gated, until };
}

test('any server answers what one of them has worked on, also after that one is gone', async () => {
  const { server, start } = await opened(2500);
  const first = server();
  const id = await start(first, 'fields @message | filter @logStream = "a" | sort @timestamp asc');
  await first.idle();
  await first.close();
  const other = server();
  const found = (await other.get(account, id))!;
  expect(found).toMatchObject({
    status: 'Complete',
    statistics: { matched: 2500, scanned: 2500, groups: 1 },
    by: 'arn',
  });
  const messages = async (from: number, count: number) =>
    (await other.rows(found, from, count)).map((row) => row.find(([name]) => name === '@message')?.[1]);
  expect(await messages(998, 4)).toEqual(['line 998', 'line 999', 'line 1000', 'line 1001']);
  expect(await messages(2499, 10)).toEqual(['line 2499']);
  expect(await messages(2500, 10)).toEqual([]);
  expect(await messages(0, 10_000)).toHaveLength(2500);
});

test('a query of which nothing is heard for a minute has failed, and whoever worked on it cannot say otherwise', async () => {
  const { server, start, gated, until, clock, blobs } = await opened();
  const { scan, open, begun } = gated();
  const slow = server(scan);
  const id = await start(slow, 'fields @message');
  await until(() => begun() === 1);
  const other = server();
  expect(await other.get(account, id)).toMatchObject({ status: 'Running' });
  clock.time += lostAfter;
  expect(await other.get(account, id)).toMatchObject({ status: 'Failed', endedAt: clock.time });
  const before = blobs.sealed.size;
  open();
  await slow.idle();
  expect(await other.get(account, id)).toMatchObject({ status: 'Failed' });
  expect(blobs.sealed.size).toBe(before);
});

test('a query can be stopped on any server, and has no answer then', async () => {
  const { server, start, gated, until, blobs } = await opened();
  const { scan, open, begun } = gated();
  const slow = server(scan);
  const [here, there] = [await start(slow, 'limit 1'), await start(slow, 'limit 2')];
  await until(() => begun() === 2);
  const waiting = await start(slow, 'limit 3');
  const other = server();
  expect(await other.get(account, waiting)).toMatchObject({ status: 'Scheduled' });
  expect(await slow.stop(account, here)).toBe(true);
  expect(await other.stop(account, there)).toBe(true);
  expect(await other.stop(account, waiting)).toBe(true);
  expect(await other.stop(account, waiting)).toBe(false);
  expect(await other.stop(account, '00000000-0000-0000-0000-000000000000')).toBeUndefined();
  const before = blobs.sealed.size;
  open();
  await slow.idle();
  for (const id of [here, there, waiting]) expect(await other.get(account, id)).toMatchObject({ status: 'Cancelled' });
  expect(blobs.sealed.size).toBe(before);
});

test('a server that stops says that its queries have failed', async () => {
  const { server, start, gated, until } = await opened();
  const { scan, open, begun } = gated();
  const slow = server(scan);
  const ids = [await start(slow, ''), await start(slow, ''), await start(slow, '')];
  await until(() => begun() === 2);
  const closed = slow.close();
  open();
  await closed;
  for (const id of ids) expect(await server().get(account, id)).toMatchObject({ status: 'Failed' });
});

test('an account has so many queries at work, over all servers', async () => {
  const { server, start, gated } = await opened();
  const { scan, open } = gated();
  const [one, other] = [server(scan), server(scan)];
  for (let n = 0; n < mostUnfinished; n++) await start(n % 2 === 0 ? one : other, '');
  await expect(start(one, '')).rejects.toThrow(TooManyQueries);
  open();
  await Promise.all([one.idle(), other.idle()]);
  expect((await other.list(account)).map(({ status }) => status)).toEqual(
    Array.from({ length: mostUnfinished }, () => 'Complete'),
  );
  await start(one, '');
  await one.idle();
});

test('those that begin together are no more than that, and who is stopped while it waits holds nothing any more', async () => {
  const { server, start, gated, until } = await opened();
  const { scan, open, begun } = gated();
  const one = server(scan);
  const together = await Promise.allSettled(Array.from({ length: mostUnfinished + 5 }, () => start(one, '')));
  const refused = together.filter((each) => each.status === 'rejected');
  expect(refused.map(({ reason }) => reason instanceof TooManyQueries)).toEqual(Array.from({ length: 5 }, () => true));
  await until(() => begun() === 2);
  for (const { id, status } of await one.list(account)) if (status === 'Scheduled') await one.stop(account, id);
  // Nobody had to end for them to be let go of.
  let more = 0;
  await until(async () => {
    more += await start(one, '').then(
      () => 1,
      () => 0,
    );
    return more === mostUnfinished - 2;
  });
  expect(begun()).toBe(2);
  open();
  await one.idle();
});

test('answers are forgotten, the oldest first, when they take too much together', async () => {
  const { server, start, clock, records } = await opened();
  const queries = server();
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    const id = await start(queries, '');
    await queries.idle();
    const stored = (await records.get<QueryRecord>(logsPartition(account), logKeys.query(id)))!;
    await queries.write(account, stored, { blob: { ...stored.value.blob!, size: 200 * 1024 * 1024 } });
    ids.push(id);
    clock.time += 1000;
  }
  // Each that begins lets go of those before the newest one that is over.
  const known = await Promise.all(ids.map(async (id) => (await queries.get(account, id)) !== undefined));
  expect(known).toEqual([false, true, true]);
});

test('a query that takes too long ends, and so does one whose events cannot be read', async () => {
  const { server, start, said } = await opened();
  let time = 0;
  const hasty = server(undefined, { monotonic: () => (time += longest) });
  const late = await start(hasty, '');
  await hasty.idle();
  expect(await hasty.get(account, late)).toMatchObject({ status: 'Timeout' });
  const broken = server(() => Promise.reject(new LogsDamaged('a block')));
  const damaged = await start(broken, '');
  const gone = server();
  const deleted = await start(gone, '', ['web', 'none']);
  await Promise.all([broken.idle(), gone.idle()]);
  for (const id of [damaged, deleted]) expect(await gone.get(account, id)).toMatchObject({ status: 'Failed' });
  expect(said).toEqual(['a query of logs failed', 'a query of logs failed']);
});

test('blocks of other streams, times and words are not asked for', async () => {
  const { server, start, logs } = await opened();
  const asked: ScanOptions[] = [];
  const watched = server((one, group, options) => {
    asked.push(options);
    return logs.scan(one, group, options);
  });
  const id = await start(
    watched,
    'filter @logStream in ["b", "c"] and @message like "\\"needle\\"" | stats count(*) as n',
  );
  await watched.idle();
  const found = (await watched.get(account, id))!;
  expect(await watched.rows(found, 0, 10)).toEqual([[['n', '1']]]);
  // Pages of a busy machine may be several.
  const { length } = asked;
  expect(asked).toMatchObject(
    Array.from({ length }, () => ({ start: 0, end: 9e12, streams: ['b', 'c'], terms: ['"needle"'] })),
  );
  expect(length).toBeGreaterThan(0);
  expect(found.statistics).toMatchObject({ matched: 1, scanned: 1 });
  // Streams that no event can be of.
  await start(watched, 'filter @logStream = "b" | filter @logStream = "c"');
  await watched.idle();
  expect(asked).toHaveLength(length);
});

test('others have their turn while a query goes over many events', async () => {
  const { server, start } = await opened(2000);
  let time = 0;
  // Each look at the clock finds that much time has passed.
  const busy = server(undefined, { monotonic: () => (time += 10) });
  let turns = 0;
  let isOver = false;
  const others = (async () => {
    while (!isOver) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await start(busy, 'stats count(*) by @message');
  await busy.idle();
  isOver = true;
  await others;
  expect(turns).toBeGreaterThan(1000);
});

test('answers are known blobs, move with an installation, and go when they are forgotten', async () => {
  const { server, start, clock, records, blobs, logs, upkeep } = await opened();
  const queries = server();
  const id = await start(queries, '');
  await queries.idle();
  const { blob } = (await queries.get(account, id))!;
  const known: string[] = [];
  for await (const { by, generation } of blobsOfLogs(records)) if (by.includes(logKeys.queries)) known.push(generation);
  expect(known).toEqual([blob!.generation]);
  const partition = logsPartition(account);
  const [{ key, value } = { key: '', value: null }] = await scanAll(records, partition, { prefix: logKeys.queries });
  const where = (at: BlobLocation) => Promise.resolve({ ...at, generation: 'moved' });
  expect(await relocateLogs(partition, key, value, where)).toMatchObject({ blob: { generation: 'moved' } });
  expect(await relocateLogs(partition, key, { status: 'Running' }, where)).toEqual({ status: 'Running' });

  clock.time += 25 * 3_600_000;
  await start(queries, 'limit 1');
  await queries.idle();
  expect(await queries.get(account, id)).toBeUndefined();
  expect(blobs.sealed.has(blob!.generation)).toBe(true);
  clock.time += 3_600_000;
  await upkeep(logs);
  expect(blobs.sealed.has(blob!.generation)).toBe(false);
});

test('answers that are damaged are said to be, and are not answered', async () => {
  const { server, start, blobs } = await opened();
  const queries = server();
  const id = await start(queries, '');
  await queries.idle();
  const found = (await queries.get(account, id))!;
  const sealed = blobs.sealed.get(found.blob!.generation)!;
  sealed.bytes[sealed.bytes.length >> 1]! ^= 1;
  await expect(queries.rows(found, 0, 10)).rejects.toThrow(LogsDamaged);
});

test('a query ends once when its record changes under it again and again', async () => {
  const { server, start, records } = await opened();
  const queries = server();
  const ids = await Promise.all(Array.from({ length: 8 }, () => start(queries, 'stats count(*)')));
  const stopped = await Promise.all(ids.map((id) => queries.stop(account, id)));
  await queries.idle();
  const all = await scanAll<QueryRecord>(records, logsPartition(account), { prefix: logKeys.queries });
  const byId = new Map(all.map(({ key, value }) => [key, value.status]));
  expect(ids.map((id) => byId.get(logKeys.query(id)) === 'Cancelled')).toEqual(stopped);
});
