import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { verifyDelivery } from '@slipway/auth/kit';
import { scanAll } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { describe, expect, test } from 'vitest';

import type { Sample } from '../../metrics/index.ts';
import { FilterMissing, TooManyFilters } from '../filters/index.ts';
import { logKeys, logsPartition } from '../store/keys.ts';
import type { EventsRecord } from '../store/records.ts';
import { account, type MemoryBlobs, openedLogs, sealer } from '../store/testing/index.ts';

import { subscriptionSecret } from './secrets.ts';
import { Subscriptions } from './subscriptions.ts';

interface Told {
  readonly url: string;
  readonly id: string;
  readonly signature: string | undefined;
  readonly body: string;
}

interface Message {
  readonly messageType: string;
  readonly logStream: string;
  readonly logEvents: readonly { readonly id: string; readonly timestamp: number; readonly message: string }[];
}

const messageOf = ({ body }: Pick<Told, 'body'>): Message =>
  JSON.parse(gunzipSync(Buffer.from(JSON.parse(body).awslogs.data, 'base64')).toString()) as Message;

/** A group `web` in a store in memory, and receivers that answer as a test says. */
async function opened(answerOf: (told: Told) => number | Promise<number> = () => 200) {
  const told: Told[] = [];
  const samples: Sample[] = [];
  const receivers = { answerOf };
  const outbound = {
    fetch: async (
      url: string,
      request: { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown } = {},
    ) => {
      const { headers = {} } = request;
      const call = {
        url,
        id: headers['slipway-delivery'] ?? '',
        signature: headers['slipway-signature'],
        body: Buffer.from(request.body as Uint8Array).toString(),
      };
      const status = await receivers.answerOf(call);
      if (status === 200) told.push(call);
      return new Response('', { status });
    },
  };
  const data = { limit: Infinity };
  const events: ReturnType<typeof memoryRecords>[] = [];
  const logs = openedLogs(
    undefined,
    (clock) => {
      const records = memoryRecords(clock);
      events.push(records);
      return records;
    },
    { put: async (_account, given) => void samples.push(...given) },
    outbound,
  );
  const { records, clock } = logs;
  const store = logs.server({ maxBytes: () => data.limit });
  const subscriptions = new Subscriptions({ records, random: randomBytes, logs: store });
  await store.createGroup(account, 'web', { tags: {}, logGroupClass: 'STANDARD' });
  for (const stream of ['one', 'two']) await store.createStream(account, 'web', stream);
  return {
    ...logs,
    store,
    subscriptions,
    told,
    samples,
    data,
    receivers,
    add: (name: string, pattern = '', distribution: 'ByLogStream' | 'Random' = 'ByLogStream') =>
      subscriptions.put(account, name, {
        group: 'web',
        pattern,
        destination: `https://${name}.example.com/`,
        distribution,
        createdAt: clock.time,
      }),
    write: async (stream: string, ...lines: string[]): Promise<void> => {
      clock.time += 1;
      await store.put(
        account,
        'web',
        stream,
        lines.map((message) => ({ timestamp: clock.time, message })),
      );
    },
    /** Delivers as one leader after the other would, second by second, until something holds. */
    deliver: async (holds: () => boolean | Promise<boolean>): Promise<void> => {
      const over = new AbortController();
      const lease = await logs.lead();
      const telling = store.keeper.tell(account, lease, over.signal);
      while (!(await holds())) {
        clock.time += 1000;
        await sleep(5);
      }
      over.abort();
      await telling;
    },
    progress: (name: string) => subscriptions.progress(account, 'web', name),
    rows: async (prefix: string): Promise<number> =>
      (await scanAll(records, logsPartition(account), { prefix })).length,
    announced: () => events[0]!.announced(logsPartition(account), 'logs', 0, 100),
    /** Lines that one filter was told of a stream, in the order of the calls. */
    lines: (name: string, stream: string): string[] =>
      told
        .filter(({ url }) => url === `https://${name}.example.com/`)
        .map(messageOf)
        .filter(({ logStream }) => logStream === stream)
        .flatMap(({ logEvents }) => logEvents.map(({ message }) => message)),
  };
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}`);

describe('a subscription filter', () => {
  test('tells its receiver what it lets through, signed, as a Lambda function would get it', async () => {
    const { add, write, deliver, told, records, clock, progress, store, samples } = await opened();
    await write('one', 'ERROR before the filter');
    await add('search', 'ERROR');
    await write('one', 'ERROR a', 'fine');
    await write('one', 'ERROR b');
    await deliver(async () => (await progress('search')).delivered === 2);
    const ports = { records, clock, random: randomBytes, sealer };
    const secret = await subscriptionSecret(ports, account, { group: 'web', filter: 'search' });
    for (const call of told) {
      const signed = { secret, id: call.id, body: Buffer.from(call.body), now: clock.time };
      expect(verifyDelivery(call.signature, signed)).toBeDefined();
    }
    const { events } = await store.read(account, 'web', 'one', { direction: 'forward', limit: 10 });
    const messages = told.map(messageOf);
    expect({ ...messages[0], logEvents: [] }).toEqual({
      messageType: 'DATA_MESSAGE',
      owner: account,
      logGroup: 'web',
      logStream: 'one',
      subscriptionFilters: ['search'],
      logEvents: [],
    });
    const sent = events.filter(({ message }) => ['ERROR a', 'ERROR b'].includes(message));
    expect(messages.flatMap(({ logEvents }) => logEvents)).toEqual(
      sent.map(({ id, timestamp, message }) => ({ id, timestamp, message })),
    );
    const forwarded = samples.filter(({ name }) => name === 'ForwardedLogEvents');
    expect(forwarded.reduce((sum, { measured }) => sum + Number(measured), 0)).toBe(2);
    expect(forwarded[0]).toMatchObject({
      namespace: 'AWS/Logs',
      dimensions: [{ value: 'web' }, {}, { value: 'search' }],
    });
  });

  test('goes on where it was on the next server, and its receiver hears nothing twice', async () => {
    const { add, write, deliver, lines, progress, upkeep, store } = await opened();
    await add('search');
    await write('one', ...numbered(0, 5));
    await deliver(async () => (await progress('search')).delivered === 5);
    await write('one', ...numbered(5, 8));
    // What was told and what was not is compacted together.
    await upkeep(store);
    await write('one', ...numbered(8, 10));
    await deliver(async () => (await progress('search')).delivered === 10);
    expect(lines('search', 'one')).toEqual(numbered(0, 10));
  });

  test('whose receiver is away holds up nobody, and is told everything in order once it is back', async () => {
    const { add, write, deliver, lines, progress, upkeep, store, receivers, rows, said } = await opened();
    await add('away');
    await add('well');
    receivers.answerOf = ({ url }) => (url.includes('away') ? 503 : 200);
    for (let round = 0; round < 4; round++) {
      await write('one', ...numbered(10 * round, 10 * round + 10));
      await write('two', ...numbered(10 * round, 10 * round + 10));
      await deliver(async () => (await progress('well')).delivered === 20 * (round + 1));
      await upkeep(store, false);
    }
    await deliver(async () => ((await progress('away')).failure?.attempts ?? 0) >= 3);
    const away = await progress('away');
    expect(away).toMatchObject({
      delivered: 0,
      dropped: 0,
      owed: 80,
      failure: { reason: 'It answered with HTTP status 503.' },
    });
    expect(away.failure?.nextAt).toBeGreaterThan(away.failure?.since ?? Infinity);
    expect(await rows(logKeys.owed)).toBe(4);
    expect(said).toContain('could not tell the receiver of a subscription filter');
    receivers.answerOf = () => 200;
    await deliver(async () => (await progress('away')).delivered === 80);
    for (const name of ['away', 'well'])
      for (const stream of ['one', 'two']) expect(lines(name, stream)).toEqual(numbered(0, 40));
    expect(await progress('away')).toEqual({ version: expect.any(Number), delivered: 80, dropped: 0, owed: 0 });
    expect(await rows(logKeys.owed)).toBe(0);
    expect(store.deliveries).toMatchObject({ delivered: 160, dropped: 0 });
  });

  test('makes again only the calls that were not taken', async () => {
    const { add, write, deliver, lines, progress, receivers } = await opened();
    await add('search');
    await write('one', 'a');
    await write('two', 'b');
    let refused = 0;
    receivers.answerOf = (call) => (messageOf(call).logStream === 'two' && ++refused <= 2 ? 500 : 200);
    await deliver(async () => (await progress('search')).delivered === 2);
    expect([lines('search', 'one'), lines('search', 'two'), refused]).toEqual([['a'], ['b'], 3]);
  });

  test('is told long lines and many in calls of bounded size, those of a stream one after the other', async () => {
    const { add, write, deliver, told, lines, progress, receivers } = await opened();
    await add('search');
    const long = numbered(0, 6).map((line) => line + 'x'.repeat(400_000));
    for (const line of long) await write('one', line);
    await write('two', ...numbered(0, 10_500).map((line) => line.slice(5)));
    const under = new Map<string, number>();
    let together = 0;
    receivers.answerOf = async (call) => {
      const { logStream } = messageOf(call);
      under.set(logStream, (under.get(logStream) ?? 0) + 1);
      together = Math.max(together, under.get(logStream)!);
      await sleep(2);
      under.set(logStream, under.get(logStream)! - 1);
      return 200;
    };
    await deliver(async () => (await progress('search')).delivered === 10_506);
    expect(together).toBe(1);
    expect(lines('search', 'one')).toEqual(long);
    expect(lines('search', 'two')).toHaveLength(10_500);
    for (const { logEvents } of told.map(messageOf)) {
      expect(logEvents.length).toBeLessThanOrEqual(10_000);
      expect(logEvents.reduce((sum, { message }) => sum + message.length, 0)).toBeLessThanOrEqual(1024 * 1024);
    }
  });

  test('that says Random has several calls of a stream under way', async () => {
    const { add, write, deliver, progress, receivers } = await opened();
    await add('search', '', 'Random');
    for (const line of numbered(0, 6)) await write('one', line + 'x'.repeat(700_000));
    let under = 0;
    let most = 0;
    receivers.answerOf = async () => {
      most = Math.max(most, ++under);
      // Each waits for another one, so it does not depend on who is fast.
      for (let turn = 0; turn < 30_000 && under < 2 && most < 2; turn++) await sleep(1);
      under--;
      return 200;
    };
    await deliver(async () => (await progress('search')).delivered === 6);
    expect(most).toBeGreaterThanOrEqual(2);
  });

  test('lets go of what its receiver does not take for a day, or of what is too much: counted, announced and said', async () => {
    const { add, write, deliver, upkeep, store, receivers, progress, clock, announced, said, data, rows } =
      await opened();
    await add('away');
    receivers.answerOf = () => 500;
    await write('one', ...numbered(0, 3));
    await upkeep(store, false);
    expect(await progress('away')).toMatchObject({ owed: 3, dropped: 0 });
    clock.time += 25 * 3_600_000;
    await write('one', ...numbered(3, 5));
    await upkeep(store, false);
    await deliver(async () => (await progress('away')).dropped === 3);
    expect(await progress('away')).toMatchObject({ owed: 2, dropped: 3, delivered: 0 });
    data.limit = 10;
    await deliver(async () => (await progress('away')).dropped === 5);
    expect(await announced()).toMatchObject([
      { type: 'logs.undelivered', data: { group: 'web', filter: 'away', events: 3 } },
      { type: 'logs.undelivered', data: { group: 'web', filter: 'away', events: 2 } },
    ]);
    expect(said.filter((line) => line.startsWith('log events were not delivered'))).toHaveLength(2);
    expect(store.deliveries).toMatchObject({ dropped: 5, delivered: 0 });
    expect(await rows(logKeys.owed)).toBe(0);
    // It is alive, and told what comes.
    receivers.answerOf = () => 200;
    data.limit = Infinity;
    await write('one', 'anew');
    await deliver(async () => (await progress('away')).delivered === 1);
    expect((await progress('away')).failure).toBeUndefined();
  });

  test('has all that is let go of counted, also several files at once and while it is told others', async () => {
    const { add, write, deliver, upkeep, store, receivers, progress, clock, rows, lines } = await opened();
    await add('away');
    receivers.answerOf = () => 500;
    for (let round = 0; round < 3; round++) {
      await write('one', ...numbered(10 * round, 10 * round + 4 + round));
      await upkeep(store, false);
    }
    clock.time += 25 * 3_600_000;
    await write('one', 'young');
    await upkeep(store, false);
    expect(await rows(logKeys.owed)).toBe(4);
    await deliver(async () => (await rows(logKeys.owed)) === 1);
    expect(await progress('away')).toMatchObject({ dropped: 4 + 5 + 6, delivered: 0, owed: 1 });
    receivers.answerOf = () => 200;
    await deliver(async () => (await progress('away')).delivered === 1);
    expect(await progress('away')).toMatchObject({ dropped: 15, owed: 0 });
    expect(lines('away', 'one')).toEqual(['young']);
  });

  test('that is deleted leaves nothing behind, and neither does its group', async () => {
    const { add, write, deliver, upkeep, store, receivers, subscriptions, rows, clock } = await opened();
    receivers.answerOf = () => 500;
    await add('a');
    await add('b');
    await expect(add('c')).rejects.toThrow(TooManyFilters);
    await write('one', 'line');
    await upkeep(store, false);
    expect(await rows(logKeys.owed)).toBe(2);
    await subscriptions.remove(account, 'web', 'a');
    await expect(subscriptions.remove(account, 'web', 'a')).rejects.toThrow(FilterMissing);
    await deliver(async () => (await rows(logKeys.owed)) === 1);
    expect(await rows(logKeys.deliveries)).toBe(1);
    await store.deleteGroup(account, 'web');
    await upkeep(store, false);
    await deliver(async () => (await rows(logKeys.owed)) === 0);
    clock.time += 10 * 60_000;
    await upkeep(store, false);
    const left = await Promise.all([logKeys.subscriptions, logKeys.deliveries, logKeys.garbage].map(rows));
    expect(left).toEqual([0, 0, 0]);
  });

  test('that is put again goes on where it was, with what it lets through now', async () => {
    const { add, write, deliver, lines, progress } = await opened();
    await add('search', 'a');
    await write('one', 'a 1', 'b 1');
    await deliver(async () => (await progress('search')).delivered === 1);
    await add('search', 'b');
    await write('one', 'a 2', 'b 2');
    await deliver(async () => (await progress('search')).delivered === 2);
    expect(lines('search', 'one')).toEqual(['a 1', 'b 2']);
  });
});

test('what cannot be read of a delivery is left out, counted and said, and all the rest is told', async () => {
  const { add, write, deliver, progress, lines, records, blobs, store, said } = await opened();
  await add('search');
  for (const [stream, line] of [
    ['one', 'a'],
    ['two', 'b'],
    ['one', 'c'],
  ] as const)
    await write(stream, line);
  const chunks = await scanAll<EventsRecord>(records, logsPartition(account), { prefix: logKeys.chunks });
  (blobs as MemoryBlobs).sealed.get(chunks[1]!.value.blob.generation)!.bytes.fill(0);
  await deliver(async () => (await progress('search')).delivered === 2 && store.deliveries.dropped > 0);
  expect(await progress('search')).toMatchObject({ delivered: 2, dropped: 1 });
  expect([lines('search', 'one'), lines('search', 'two')]).toEqual([['a', 'c'], []]);
  expect(store.deliveries).toMatchObject({ delivered: 2, dropped: 1 });
  expect(said).toContain('log events cannot be read; a subscription filter is told the others');
});
