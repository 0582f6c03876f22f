import { memoryRecords } from '@slipway/storage/records/memory';
import { expect, test } from 'vitest';

import { metricGauges } from './gauges.ts';
import { metricKeys, metricsPartition, placeOfSegment } from './keys.ts';
import type { Sample } from './contract.ts';
import type { SegmentRecord } from './records.ts';
import { inOrderOfLoss, metricRoom } from './capping.ts';
import { account, HandClock, openedMetrics, upkeep } from './testing/opened.ts';

const hour = 3_600_000;
const day = 24 * hour;

const file = (resolution: number, span: number) => ({
  key: metricKeys.segment(resolution, span, 'f'),
  value: {} as SegmentRecord,
  version: 1,
});

test('the finest files go first, of one resolution the oldest, and those that are being written last', () => {
  const now = 100 * day + 5 * hour;
  const hours = now / hour;
  const given = [
    file(3600, 0),
    file(3600, 3),
    file(300, 14),
    file(60, 100),
    file(60, 98),
    file(60, 99),
    file(1, hours - 1),
    file(1, hours),
    file(1, hours - 2),
  ];
  const places = inOrderOfLoss(given, now).map(({ key }) => placeOfSegment(key));
  expect(places.map(({ resolution, span }) => [resolution, span])).toEqual([
    [1, hours - 2],
    [1, hours - 1],
    [60, 98],
    [60, 99],
    [3600, 0],
    [1, hours],
    [60, 100],
    [300, 14],
    [3600, 3],
  ]);
});

test('metrics beyond their room are dropped, of the account that takes most, which is announced and said; coarser ones stay', async () => {
  const clock = new HandClock();
  const records = memoryRecords(clock);
  const limit = { bytes: Infinity };
  const opened = openedMetrics({ records, clock });
  const store = opened.server({ maxBytes: () => limit.bytes });
  const samples = (count: number): readonly Sample[] =>
    Array.from({ length: count }, (_, n) => ({
      namespace: 'App',
      name: `m${n}`,
      dimensions: [],
      resolution: 60,
      timestamp: clock.time,
      measured: (n * 7919) % 1000,
    }));
  const start = clock.time;
  for (let minute = 0; minute < 6; minute++) {
    await store.put(account, samples(50));
    clock.time += 30 * 60_000;
  }
  await store.put('111111111111', samples(1));
  clock.time = start + 2 * day;
  await store.put(account, samples(1));
  const compaction = await opened.compaction(store);
  await upkeep(compaction);
  await compaction.cap();
  const { total, largest } = await metricRoom(records);
  expect([largest?.account, largest?.stored]).toEqual([account, total]);
  expect(opened.said).toEqual([]);
  const series = [{ namespace: 'App', name: 'm1', dimensions: [] }];
  const counted = async (period: number): Promise<number> => {
    const [buckets = []] = await store.read(account, series, { from: start - day, to: clock.time, period });
    return buckets.reduce((sum, { count }) => sum + count, 0);
  };
  expect([await counted(60), await counted(3600)]).toEqual([6, 6]);
  limit.bytes = total - 1;
  await compaction.cap();
  expect((await metricRoom(records)).total).toBeLessThan(total);
  expect([await counted(60), await counted(3600)]).toEqual([0, 6]);
  expect(opened.said).toEqual([expect.stringMatching(/^metrics were dropped: they are at SLIPWAY_METRICS_MAX/)]);
  const announced = await records.announced(metricsPartition(account), 'metrics', 0, 10);
  expect(announced).toMatchObject([{ type: 'metrics.dropped', data: { account, resolution: 60 } }]);
  // However little there may be, it is kept to.
  limit.bytes = 0;
  await compaction.cap();
  expect((await metricRoom(records)).total).toBe(0);
  const gauges = metricGauges(store).filter(({ name }) => name.endsWith('_bytes'));
  expect(await Promise.all(gauges.map(({ read }) => read()))).toEqual([
    [{ labels: {}, value: 0 }],
    [{ labels: {}, value: 0 }],
  ]);
  await store.close();
});
