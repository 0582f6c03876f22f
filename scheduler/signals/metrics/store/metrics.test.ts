import { describeMetricStore } from './testing/contract.ts';
import { MemoryMetrics } from './testing/memory-metrics.ts';
import { HandClock, openedMetrics, upkeep } from './testing/opened.ts';

describeMetricStore('in memory', async () => {
  const clock = new HandClock();
  const store = new MemoryMetrics(clock.now);
  return {
    store,
    another: store,
    now: clock.now,
    pass: (ms) => void (clock.time += ms),
    settle: () => Promise.resolve(),
    dispose: () => Promise.resolve(),
  };
});

describeMetricStore('on blobs and records', async () => {
  const { clock, server, compaction } = openedMetrics();
  const store = server();
  const another = server();
  return {
    store,
    another,
    now: clock.now,
    pass: (ms) => void (clock.time += ms),
    settle: async () => upkeep(await compaction(store)),
    dispose: async () => {
      await Promise.all([store.close(), another.close()]);
    },
  };
});
