import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type AccessList, type Call, GatewayError, type Principal } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { SteppedClock } from '../control/testing/stepped-clock.ts';
import { clusterKeys, clusterPartition } from '../state/index.ts';
import { ChangeFeeds } from './change-feeds.ts';
import { ChangeStreams, mostStreams } from './change-streams.ts';

const account = '000000000000';
const silent = (): void => {};
const log = { info: silent, warn: silent, error: silent };
let records: ReturnType<typeof memoryRecords>;
/** The partitions that were followed, and how many are. */
let followed: string[];
let following: number;
let clock: SteppedClock;
let streams: ChangeStreams;
let session: Principal | undefined;
let mayDescribe: (cluster: string | undefined) => boolean;

/** Clusters that are there. */
const clusters = ['default', 'other', ...Array.from({ length: 10 }, (_, i) => `c${i}`)];

beforeEach(async () => {
  records = memoryRecords(systemClock);
  followed = [];
  following = 0;
  const follow = records.follow.bind(records);
  vi.spyOn(records, 'follow').mockImplementation(async function* (partition, options) {
    followed.push(partition);
    following++;
    try {
      yield* follow(partition, options);
    } finally {
      following--;
    }
  });
  clock = new SteppedClock();
  session = principal('AIDAONE');
  mayDescribe = () => true;
  for (const name of clusters)
    await records.commit(clusterPartition(account, name), {
      put: [{ key: clusterKeys.cluster, value: { name, status: 'ACTIVE' } }],
    });
  streams = new ChangeStreams({
    records,
    clock,
    log,
    region: 'us-east-1',
    caller: async () => {
      if (session === undefined) throw new GatewayError('unauthenticated', 'the session is over; sign in again');
      return { principal: session, via: 'browser' };
    },
    authorizer: {
      authorize: async (_who, { resources }) => ({
        allowed: resources.every(({ arn }) => mayDescribe(arn.split('/').at(-1))),
        reason: 'the test says so',
      }),
    },
  });
});
afterEach(() => streams.close());

function principal(id: string): Principal {
  return { type: 'user', account, arn: `arn:aws:iam::${account}:user/${id}`, id };
}

interface Client {
  readonly list: AccessList;
  readonly body: Readable;
  readonly headers: Readonly<Record<string, string>>;
  readonly leave: () => void;
}

/** Asks for a stream as the gateway does. */
async function ask(query: string, id = 'AIDAONE'): Promise<Client> {
  const route = streams.web.route('GET', '/console/changes', new URLSearchParams(query));
  const gone = new AbortController();
  const call: Call = {
    requestId: 'r',
    principal: principal(id),
    account,
    region: 'us-east-1',
    endpoint: 'http://127.0.0.1:7500',
    sourceIp: '127.0.0.1',
    userAgent: 'test',
    time: new Date(0),
    signal: gone.signal,
  };
  if (route?.handle === undefined || typeof route.access !== 'function') throw new Error('no such route');
  const list = await route.access(call);
  const ctx = {
    body: undefined as unknown as Readable,
    headers: {},
    set: (h: object) => Object.assign(ctx.headers, h),
  };
  await route.handle(ctx as never, call);
  const leave = (): void => {
    gone.abort();
    ctx.body.destroy();
  };
  return { list, body: ctx.body, headers: ctx.headers, leave };
}

/** Whatever is awaited, while time goes on for the server. */
async function meanwhile<T>(work: Promise<T>): Promise<T> {
  let settled = false;
  const done = work.finally(() => (settled = true));
  while (!settled) {
    clock.step(clock.monotonic() + 500);
    await turn();
  }
  return done;
}

const write = (cluster: string, key: string): Promise<unknown> =>
  records.commit(clusterPartition(account, cluster), { put: [{ key, value: 1 }] });

/** Reads until each of these clusters was told of. @returns all frames that came */
async function untilTold(frames: AsyncIterator<Buffer>, ...clusters: string[]): Promise<string> {
  let all = '';
  while (!clusters.every((one) => all.includes(`data: ${one}\n\n`))) {
    const { value, done } = await meanwhile(frames.next());
    if (done === true) throw new Error(`the stream ended after ${JSON.stringify(all)}`);
    all += String(value);
  }
  return all;
}

test('a stream says which clusters changed and not what, and that it is there while nothing does', async () => {
  const client = await ask('cluster=default&cluster=other');
  expect(client.list).toEqual([
    {
      action: 'ecs:DescribeClusters',
      resources: ['default', 'other'].map((name) => ({ arn: `arn:aws:ecs:us-east-1:${account}:cluster/${name}` })),
    },
  ]);
  expect(client.headers).toMatchObject({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const frames = client.body[Symbol.asyncIterator]();
  expect(await untilTold(frames, 'default', 'other')).toMatch(/^:\n\n/);
  await write('default', clusterKeys.service('secret-name'));
  expect(await untilTold(frames, 'default')).toMatch(/^(?::\n\n)*data: default\n\n$/);
  await write('other', clusterKeys.task('t1'));
  expect(await untilTold(frames, 'other')).toMatch(/^(?::\n\n)*data: other\n\n$/);
  expect(String((await meanwhile(frames.next())).value)).toBe(':\n\n');
  client.leave();
  await vi.waitFor(() => expect(streams.open).toBe(0), { timeout: 60_000 });
});

test.each([
  ['the session is over', () => (session = undefined)],
  ['somebody else has the session', () => (session = principal('AIDATWO'))],
  ['one of the clusters may not be described any more', () => (mayDescribe = (cluster) => cluster !== 'other')],
])('a stream ends when %s', async (_when, happen) => {
  const { body } = await ask('cluster=default&cluster=other');
  const frames = body[Symbol.asyncIterator]();
  await untilTold(frames, 'default', 'other');
  happen();
  await write('default', clusterKeys.task('t1'));
  let left: IteratorResult<Buffer>;
  do left = await meanwhile(frames.next());
  while (left.done !== true);
  expect(streams.open).toBe(0);
});

test('a server that closes ends its streams, follows nothing any more and takes no more', async () => {
  const { body } = await ask('cluster=default');
  const unread = await ask('cluster=other');
  const all = body.toArray();
  await vi.waitFor(() => expect(following).toBe(1), { timeout: 60_000 });
  await streams.close();
  expect(following).toBe(0);
  await meanwhile(all);
  await meanwhile(unread.body.toArray());
  expect(streams.open).toBe(0);
  expect(followed).toEqual([clusterPartition(account, 'default')]);
  await expect(ask('cluster=default')).rejects.toMatchObject({ kind: 'unavailable' });
});

test('who does not read holds a few bytes, and hears of everything once it does', async () => {
  const { body, leave } = await ask('cluster=default');
  for (let i = 0; i < 200; i++) {
    await write('default', clusterKeys.task(`t${i}`));
    clock.step(clock.monotonic() + 10_000);
    await turn();
  }
  expect(body.readableLength).toBeLessThan(64);
  const frames = body[Symbol.asyncIterator]();
  expect((await untilTold(frames, 'default')).match(/data: default/g)).toHaveLength(1);
  leave();
  await vi.waitFor(() => expect(streams.open).toBe(0), { timeout: 60_000 });
});

test('streams of one principal and of all are bounded; who goes makes room, also before anything was read', async () => {
  const own = await Promise.all(Array.from({ length: mostStreams.each }, () => ask('cluster=default')));
  await expect(ask('cluster=default')).rejects.toMatchObject({ kind: 'throttled', retryAfter: 60 });
  const others: Client[] = [];
  while (streams.open < mostStreams.all) others.push(await ask('cluster=default', `AIDA${others.length}`));
  await expect(ask('cluster=default', 'AIDALAST')).rejects.toMatchObject({ kind: 'throttled' });
  for (const { leave } of own) leave();
  expect(streams.open).toBe(mostStreams.all - mostStreams.each);
  others.push(await ask('cluster=default'));
  for (const { leave } of others) leave();
  expect(streams.open).toBe(0);
});

test('a stream names one to ten clusters by names that clusters may have, and nothing else is there', async () => {
  const many = Array.from({ length: 11 }, (_, i) => `cluster=c${i}`).join('&');
  for (const query of ['', 'cluster=', 'cluster=a%0Adata:b', `cluster=${'x'.repeat(256)}`, many])
    await expect(ask(query)).rejects.toMatchObject({ kind: 'bad-request' });
  (await ask(`${many.replace('c10', 'c9')}&cluster=c9`)).leave();
  for (const [method, path] of [
    ['POST', '/console/changes'],
    ['GET', '/console/changes/x'],
  ] as const)
    expect(streams.web.route(method, path, new URLSearchParams())).toBeUndefined();
});

test('a cluster that is not there is not followed, whatever its name: a store may remember each that ever was', async () => {
  await expect(ask('cluster=default&cluster=none')).rejects.toMatchObject({ kind: 'not-found' });
  expect(streams.open).toBe(0);
});

test('a cluster is followed once while somebody listens; leases and tokens are nobody’s business', async () => {
  const feeds = new ChangeFeeds({ records, clock: systemClock, log });
  const ref = { account, cluster: 'default' };
  const heard = [0, 0];
  const deafs = heard.map((_, i) => feeds.listen(ref, () => (heard[i] = (heard[i] ?? 0) + 1)));
  await vi.waitFor(() => expect(following).toBe(1), { timeout: 60_000 });
  expect(heard).toEqual([1, 1]);
  await write('default', '$lease/leader/holder');
  await write('default', clusterKeys.token('RunTask', 'once'));
  await write('default', clusterKeys.service('web'));
  await vi.waitFor(() => expect(heard).toEqual([2, 2]), { timeout: 60_000 });
  deafs[0]?.();
  deafs[0]?.();
  await write('default', clusterKeys.service('web'));
  await vi.waitFor(() => expect(heard).toEqual([2, 3]), { timeout: 60_000 });
  deafs[1]?.();
  await vi.waitFor(() => expect(following).toBe(0), { timeout: 60_000 });
  await feeds.close();
  expect(followed).toEqual([clusterPartition(account, 'default')]);
});
