import { StoreUnavailable } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';
import { LogsThrottled, type NewLogEvent } from './contract.ts';
import { logKeys, logsPartition } from './keys.ts';
import { MemoryBlobs } from './testing/memory-blobs.ts';
import { account, openedLogs, withCommit } from './testing/opened.ts';

const size = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 40 : 2000;
const base = 1_799_999_000_000;

/** A generator of numbers from 0 on, for a seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

test('two servers to which one sender speaks by turns, and commits of which nobody knows, take each line once and in order', async () => {
  for (let seed = 1; seed <= size; seed++) {
    const next = numbers(seed);
    const opened = openedLogs(new MemoryBlobs(), (clock) => {
      const inner = memoryRecords(clock);
      return withCommit(inner, async (partition, batch) => {
        const file = batch.put?.some(({ key }) => key.startsWith(logKeys.chunks)) === true;
        if (!file || next(3) > 0) return inner.commit(partition, batch);
        if (next(2) === 0) await inner.commit(partition, batch);
        throw new StoreUnavailable('the answer was lost', 'unknown');
      });
    });
    const servers = [opened.server(), opened.server()];
    await servers[0]!.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
    for (const stream of ['a', 'b']) await servers[0]!.createStream(account, 'g', stream);
    const lines: NewLogEvent[] = Array.from({ length: 30 }, (_, n) => ({
      timestamp: base + Math.floor(n / 4),
      message: `line ${n}`,
    }));
    const send = async (stream: string): Promise<void> => {
      for (let last = 0, asked = 0; last < lines.length; asked++) {
        expect(asked, `seed ${seed}`).toBeLessThan(1000);
        // From before what was answered: an agent that came back with what it had on disk.
        const from = Math.max(0, last - next(5));
        const some = { first: from + 1, events: lines.slice(from, from + 1 + next(12)), resume: '' };
        const sent = servers.slice(next(2)).map((server) => server.ship(account, 'g', stream, some));
        for (const outcome of await Promise.allSettled(sent))
          if (outcome.status === 'fulfilled') last = outcome.value?.last ?? 0;
          else if (!(outcome.reason instanceof StoreUnavailable || outcome.reason instanceof LogsThrottled))
            throw outcome.reason;
      }
    };
    await Promise.all([send('a'), send('b')]);
    for (const stream of ['a', 'b']) {
      const { events } = await servers[1]!.read(account, 'g', stream, { direction: 'forward', limit: 100 });
      expect(events.map(({ message }) => message).toSorted(), `seed ${seed}`).toEqual(
        lines.map(({ message }) => message).toSorted(),
      );
    }
    await Promise.all(servers.map((server) => server.close()));
  }
});

test('how far a sender has come goes with the stream', async () => {
  const opened = openedLogs();
  const store = opened.server();
  const rows = async () =>
    (await opened.records.list(logsPartition(account), { prefix: 'shipped/', limit: 10 })).records;
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'g', 's');
  await store.ship(account, 'g', 's', { first: 1, events: [{ timestamp: base, message: 'x' }], resume: '' });
  expect(await rows()).toHaveLength(1);
  await store.deleteGroup(account, 'g');
  await opened.upkeep(store);
  expect(await rows()).toHaveLength(0);
  await store.close();
});
