import { describe, expect, test } from 'vitest';

import { MemoryBlobs } from '../../logs/store/testing/index.ts';

import { MetricsDamaged, MetricsThrottled, type Sample, TooManySeries } from './contract.ts';
import { metricKeys, metricsPartition } from './keys.ts';
import type { CountRecord } from './records.ts';
import type { StoredMetrics } from './stored-metrics.ts';
import { account, openedMetrics, upkeep } from './testing/opened.ts';

const day = 86_400_000;
const sample = (name: string, timestamp: number): Sample => ({
  namespace: 'App',
  name,
  dimensions: [],
  timestamp,
  resolution: 60,
  measured: 1,
});

describe('a metric store', () => {
  test('takes no more series than an account may have, counted over servers, until some have not reported for long', async () => {
    const opened = openedMetrics();
    const { clock } = opened;
    const [one, other] = [1, 2].map(() => opened.server({ catalog: { series: 3 } })) as [StoredMetrics, StoredMetrics];
    const put = (store: StoredMetrics, ...names: readonly string[]): Promise<void> =>
      store.put(
        account,
        names.map((name) => sample(name, clock.time)),
      );
    await Promise.all([put(one, 'a', 'b'), put(other, 'a', 'c')]);
    await expect(put(one, 'a', 'd')).rejects.toThrow(TooManySeries);
    await put(other, 'a', 'b', 'c');
    clock.time += 10 * day;
    await put(one, 'a');
    clock.time += 10 * day;
    await upkeep(await opened.compaction(one));
    const count = await opened.records.get<CountRecord>(metricsPartition(account), metricKeys.count);
    expect(count?.value.series).toBe(1);
    await put(other, 'b', 'd');
    await expect(put(one, 'c')).rejects.toThrow(TooManySeries);
    expect((await other.list(account, { limit: 10 })).series.map(({ name }) => name).toSorted()).toEqual([
      'a',
      'b',
      'd',
    ]);
  });

  test('takes no more names than it has room for', async () => {
    const opened = openedMetrics();
    const store = opened.server({ catalog: { characters: 100 } });
    await expect(store.put(account, [sample('x'.repeat(100), opened.clock.time)])).rejects.toThrow('may take no more');
  });

  test('refuses what it has no memory for, and takes it again later', async () => {
    const opened = openedMetrics();
    const store = opened.server({ intake: { linger: 60_000, waitingBuckets: 3 } });
    const two = ['a', 'b'].map((name) => sample(name, opened.clock.time));
    const waiting = store.put(account, two);
    await expect.poll(() => store.waiting, { timeout: 60_000 }).toBe(2);
    await expect(store.put(account, two)).rejects.toThrow(MetricsThrottled);
    await store.close();
    await waiting;
    await store.put(account, two);
    expect(store.counts).toMatchObject({ samples: 4, commits: 2 });
  });

  test('refuses many values of few buckets as well', async () => {
    const opened = openedMetrics();
    const store = opened.server({ intake: { linger: 60_000, waitingValues: 5 } });
    const three = [{ ...sample('a', opened.clock.time), measured: { values: [1, 2, 3] } }];
    const waiting = store.put(account, three);
    await expect.poll(() => store.waiting, { timeout: 60_000 }).toBe(1);
    await expect(store.put(account, three)).rejects.toThrow(MetricsThrottled);
    await store.close();
    await waiting;
    await store.put(account, three);
    expect(store.counts).toMatchObject({ samples: 2, commits: 2 });
  });

  test('takes chunks a part at a time, whatever they unpack to, and loses none of them', async () => {
    const opened = openedMetrics();
    const { clock } = opened;
    const store = opened.server({ compaction: { roundBytes: 1 } });
    for (let count = 0; count < 3; count++) await store.put(account, [sample('a', clock.time)]);
    const compaction = await opened.compaction(store);
    const rounds = [await compaction.chunks(), await compaction.chunks(), await compaction.chunks()];
    expect([...rounds, await compaction.chunks()]).toEqual([true, true, false, false]);
    const { records } = await opened.records.list(metricsPartition(account), { prefix: metricKeys.chunks });
    expect(records).toEqual([]);
    const series = [{ namespace: 'App', name: 'a', dimensions: [] }];
    const range = { from: clock.time - day, to: clock.time + day, period: 60 };
    expect(await store.read(account, series, range)).toMatchObject([[{ count: 3 }]]);
  });

  test('keeps what accounts sent within one millisecond apart', async () => {
    const opened = openedMetrics();
    const { clock } = opened;
    const store = opened.server();
    const other = '111111111111';
    await store.put(account, [sample('a', clock.time)]);
    await store.put(other, [{ ...sample('a', clock.time), measured: 7 }]);
    const range = { from: clock.time - day, to: clock.time + day, period: 60 };
    const read = (of: string) => store.read(of, [{ namespace: 'App', name: 'a', dimensions: [] }], range);
    expect(await read(account)).toMatchObject([[{ sum: 1 }]]);
    expect(await read(other)).toMatchObject([[{ sum: 7 }]]);
  });

  test('writes what many callers send at one time in one commit', async () => {
    const opened = openedMetrics();
    const store = opened.server({ intake: { linger: 60_000 } });
    const puts = Array.from({ length: 200 }, () => store.put(account, [sample('a', opened.clock.time)]));
    await expect.poll(() => store.counts.samples, { timeout: 60_000 }).toBe(200);
    await store.close();
    await Promise.all(puts);
    expect(store.counts).toEqual({ samples: 200, buckets: 1, commits: 1 });
  });

  test('says which blob is damaged, and goes on with what is not', async () => {
    const blobs = new MemoryBlobs();
    const opened = openedMetrics({ blobs });
    const { clock } = opened;
    const store = opened.server();
    await store.put(account, [sample('a', clock.time)]);
    await upkeep(await opened.compaction(store));
    for (const blob of blobs.sealed.values()) blob.bytes = Buffer.alloc(blob.bytes.length);
    const fresh = opened.server();
    const series = [{ namespace: 'App', name: 'a', dimensions: [] }];
    const range = { from: clock.time - day, to: clock.time + day, period: 60 };
    const reading = fresh.read(account, series, range);
    await expect(reading).rejects.toThrow(MetricsDamaged);
    await expect(reading).rejects.toThrow(/metrics in the blob sha256:[0-9a-f]{64}/);
    await fresh.put(account, [sample('a', clock.time)]);
    await fresh.put(account, [sample('b', clock.time - 3 * day)]);
    await upkeep(await opened.compaction(fresh));
    const elsewhere = { ...range, from: clock.time - 4 * day, to: clock.time - 2 * day };
    expect(await fresh.read(account, [{ namespace: 'App', name: 'b', dimensions: [] }], elsewhere)).toMatchObject([
      [{ count: 1 }],
    ]);
  });

  test('lets go of what is over, and forgets series, where files are damaged that are to become one', async () => {
    const blobs = new MemoryBlobs();
    const opened = openedMetrics({ blobs });
    const { clock, records } = opened;
    const store = opened.server();
    for (let times = 0; times < 2; times++) {
      await store.put(account, [sample('a', clock.time)]);
      await upkeep(await opened.compaction(store));
    }
    for (const blob of blobs.sealed.values()) blob.bytes = Buffer.alloc(blob.bytes.length);
    clock.time += 20 * day;
    await upkeep(await opened.compaction(opened.server()));
    expect(opened.said).toContain('files of metrics cannot be made fewer');
    const partition = metricsPartition(account);
    expect((await records.list(partition, { prefix: metricKeys.segmentsAt(60) })).records).toEqual([]);
    expect((await records.list(partition, { prefix: metricKeys.segmentsAt(300) })).records).toHaveLength(2);
    expect((await records.get<CountRecord>(partition, metricKeys.count))?.value.series).toBe(0);
  });
});
