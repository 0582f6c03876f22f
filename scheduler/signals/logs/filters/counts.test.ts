import { StoreUnavailable } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { describe, expect, test } from 'vitest';

import { LogGroupMissing, LogNameTooLong } from '../store/index.ts';
import { logKeys, logsPartition } from '../store/keys.ts';
import { account, openedLogs, withCommit } from '../store/testing/opened.ts';

import type { Sample } from '../../metrics/index.ts';
import { MetricsThrottled, TooManySeries } from '../../metrics/index.ts';
import { openedMetrics } from '../../metrics/store/testing/opened.ts';
import { Counts, FilterMissing, MetricFilters, TooManyFilters } from './index.ts';

const transformation = { namespace: 'web', name: 'errors', value: '1', unit: 'Count' } as const;

/** Logs whose metrics are put into a list, as far as `fail` lets them. */
async function opened() {
  const told: Sample[] = [];
  const at = { fail: undefined as Error | undefined, under: 0, most: 0 };
  const put = async (_account: string, samples: readonly Sample[]): Promise<void> => {
    at.most = Math.max(at.most, ++at.under);
    await new Promise((resolve) => setImmediate(resolve));
    at.under--;
    if (at.fail !== undefined) throw at.fail;
    told.push(...samples);
  };
  const logs = openedLogs(undefined, undefined, { put });
  const store = logs.server();
  const filters = new MetricFilters({ records: logs.records, logs: store });
  await store.createGroup(account, 'web', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'web', 'one');
  const add = (name: string, pattern: string, createdAt = logs.clock.time) =>
    filters.put(account, 'web', name, { pattern, transformation, createdAt }, (text) => text.startsWith('%'));
  const write = (...lines: string[]) =>
    store.put(
      account,
      'web',
      'one',
      lines.map((message) => ({ timestamp: logs.clock.time, message })),
    );
  const count = (): number =>
    told.reduce(
      (sum, { measured }) =>
        sum +
        (typeof measured === 'object' && 'values' in measured ? (measured.counts ?? []).reduce((a, b) => a + b, 0) : 0),
      0,
    );
  const say = (_: unknown, words: string): void => void logs.said.push(words);
  const counts = new Counts(
    account,
    {
      records: logs.records,
      metrics: { put },
      clock: logs.clock,
      log: { info: () => undefined, warn: say, error: say },
    },
    { name: 'nobody', epoch: 0 },
  );
  return { ...logs, store, filters, add, write, told, at, count, counts };
}

describe('events of a group with filters', () => {
  test('are counted once, whatever comes after', async () => {
    const { add, write, store, upkeep, count, server } = await opened();
    await write('ERROR before there is a filter');
    await upkeep(store);
    await add('errors', 'ERROR');
    await write('ERROR', 'fine', 'ERROR');
    await upkeep(store);
    expect(count()).toBe(2);
    // Segments that become one are looked at by nobody.
    await write('ERROR');
    const other = server();
    await upkeep(other);
    await upkeep(other);
    expect(count()).toBe(3);
  });

  test('wait for a metric store that is away, and are told then', async () => {
    const { add, write, store, upkeep, count, at, server, said } = await opened();
    await add('errors', 'ERROR');
    await write('ERROR');
    at.fail = new MetricsThrottled('full', 1);
    await upkeep(store);
    await write('ERROR', 'ERROR');
    await upkeep(store);
    expect([count(), said.some((line) => line.includes('waits for the metric store'))]).toEqual([0, true]);
    // Of a server that was killed, another one tells it.
    at.fail = undefined;
    await upkeep(server());
    expect(count()).toBe(3);
    await upkeep(server());
    expect(count()).toBe(3);
  });

  test('that cannot be told stop nothing else', async () => {
    const { add, write, store, upkeep, count, at } = await opened();
    await add('errors', 'ERROR');
    for (const failure of [new TooManySeries('enough'), new RangeError('no metric')]) {
      await write('ERROR');
      at.fail = failure;
      await upkeep(store);
    }
    at.fail = undefined;
    await write('ERROR');
    await upkeep(store);
    expect(count()).toBe(1);
  });
});

describe('what was counted', () => {
  test('counts once in the metric store, though noting that it was told fails, and whoever tells it again', async () => {
    const metrics = openedMetrics();
    const stored = metrics.server();
    let refused = 0;
    const logs = openedLogs(
      undefined,
      (clock) => {
        const inner = memoryRecords(clock);
        return withCommit(inner, async (partition, batch) => {
          const notes = batch.remove?.some((key) => key.startsWith(logKeys.counts)) === true;
          if (notes && refused < 2)
            throw new StoreUnavailable('the disk is away', refused++ === 0 ? 'not-committed' : 'unknown');
          return inner.commit(partition, batch);
        });
      },
      stored,
    );
    const store = logs.server();
    logs.clock.time = metrics.clock.time;
    await store.createGroup(account, 'web', { tags: {}, logGroupClass: 'STANDARD' });
    await store.createStream(account, 'web', 'one');
    const filters = new MetricFilters({ records: logs.records, logs: store });
    const filter = { pattern: 'ERROR', transformation, createdAt: logs.clock.time };
    await filters.put(account, 'web', 'errors', filter, () => false);
    await store.put(account, 'web', 'one', [{ timestamp: logs.clock.time, message: 'ERROR' }]);
    await expect(logs.upkeep(store, false)).rejects.toThrow('the disk is away');
    await expect(logs.upkeep(logs.server(), false)).rejects.toThrow('the disk is away');
    await logs.upkeep(logs.server(), false);
    const range = { from: logs.clock.time - 60_000, to: logs.clock.time + 60_000, period: 60 };
    const [buckets] = await stored.read(account, [{ namespace: 'web', name: 'errors', dimensions: [] }], range);
    expect([buckets?.map(({ count }) => count), refused]).toEqual([[1], 2]);
    expect(await logs.records.count(logsPartition(account), logKeys.counts, 10)).toBe(0);
    await Promise.all([store.close(), stored.close()]);
  });

  test('is told together: the metric store is not waited for row by row', async () => {
    const { add, write, store, upkeep, count, at, filters, clock } = await opened();
    await add('errors', 'ERROR');
    await store.createGroup(account, 'api', { tags: {}, logGroupClass: 'STANDARD' });
    await store.createStream(account, 'api', 'one');
    await filters.put(
      account,
      'api',
      'errors',
      { pattern: 'ERROR', transformation, createdAt: clock.time },
      () => false,
    );
    await write('ERROR');
    await store.put(account, 'api', 'one', [{ timestamp: clock.time, message: 'ERROR' }]);
    await upkeep(store);
    expect([count(), at.most]).toEqual([2, 2]);
  });

  test('is never more than a commit takes', async () => {
    const { add, store, clock, counts, said } = await opened();
    await add('errors', 'ERROR');
    const group = await store.group(account, 'web');
    const message = Buffer.from('ERROR');
    const events = Array.from({ length: 200 }, (_, n) => ({
      timestamp: n * 60_000,
      ingestionTime: clock.time,
      message,
    }));
    expect(await counts.of(group?.id ?? '', events, 'a', 10)).toHaveLength(4);
    expect(said).toEqual([]);
    expect(await counts.of(group?.id ?? '', events, 'b', 3)).toHaveLength(3);
    expect(said).toEqual(['some of what metric filters counted is lost: there is too much of it']);
    expect(await counts.of(group?.id ?? '', events, 'c', 0)).toEqual([]);
  });

  test('does not pile up, however large its rows are', async () => {
    const { records, counts } = await opened();
    expect(await counts.room()).toBe(2000);
    // A page of a list ends after 16 Mi characters.
    const value = { samples: [], filling: 'x'.repeat(20_000) };
    await records.commit(`logs/${account}`, {
      put: Array.from({ length: 1000 }, (_, n) => ({ key: `counts/${String(n).padStart(4, '0')}`, value })),
    });
    expect((await records.list(`logs/${account}`, { prefix: 'counts/' })).more).toBe(true);
    expect(await counts.room()).toBe(0);
  });
});

describe('filters', () => {
  test('have names that fit into a key', async () => {
    const { add, filters } = await opened();
    await add('\u20ac'.repeat(300), 'a');
    await expect(add('\u20ac'.repeat(301), 'a')).rejects.toThrow(LogNameTooLong);
    await expect(filters.remove(account, 'web', '\u20ac'.repeat(512))).rejects.toThrow(FilterMissing);
  });

  test('go with their group: one of the same name has none of them', async () => {
    const { add, write, store, upkeep, count, filters, records } = await opened();
    await add('errors', 'ERROR');
    await store.deleteGroup(account, 'web');
    await store.createGroup(account, 'web', { tags: {}, logGroupClass: 'STANDARD' });
    await store.createStream(account, 'web', 'one');
    const group = await store.group(account, 'web');
    expect(await filters.count(account, group?.id ?? '')).toBe(0);
    await write('ERROR');
    await upkeep(store);
    expect(count()).toBe(0);
    const left = await records.list(`logs/${account}`, { prefix: 'filter/', limit: 10 });
    expect(left.records).toEqual([]);
  });

  test('are changed under their name, and keep when they were made', async () => {
    const { add, filters, store } = await opened();
    await add('errors', 'ERROR', 5);
    await add('errors', 'WARN', 6);
    const group = await store.group(account, 'web');
    if (group === undefined) throw new Error('no group');
    expect(await filters.of(account, group)).toEqual([
      { name: 'errors', group: 'web', pattern: 'WARN', transformation, createdAt: 5 },
    ]);
    await filters.remove(account, 'web', 'errors');
    await expect(filters.remove(account, 'web', 'errors')).rejects.toThrow(FilterMissing);
    await expect(filters.remove(account, 'none', 'errors')).rejects.toThrow(LogGroupMissing);
  });

  test('are a hundred of a group at most, five of them with regular expressions', async () => {
    const { add } = await opened();
    for (let n = 0; n < 5; n++) await add(`x${n}`, '%a%');
    await expect(add('x5', '%a%')).rejects.toThrow(TooManyFilters);
    await add('x4', '%b%');
    for (let n = 0; n < 95; n++) await add(`f${n}`, 'a');
    await expect(add('more', 'a')).rejects.toThrow('at most 100 metric filters');
    await add('f0', 'b');
  });
});
