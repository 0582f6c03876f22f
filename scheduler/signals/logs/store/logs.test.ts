import { systemClock } from '@slipway/storage/clock';
import { describeLogStore } from './testing/contract.ts';
import { MemoryLogs } from './testing/memory-logs.ts';
import { openedLogs } from './testing/opened.ts';

describeLogStore('in memory', async () => {
  let time = 1_800_000_000_000;
  const store = new MemoryLogs(() => time);
  return {
    store,
    another: store,
    pass: (ms) => void (time += ms),
    settle: () => systemClock.sleep(0),
    dispose: async () => undefined,
  };
});

describeLogStore('on blobs and records', async () => {
  const opened = openedLogs();
  const store = opened.server();
  const another = opened.server();
  return {
    store,
    another,
    pass: (ms) => void (opened.clock.time += ms),
    settle: () => opened.upkeep(store),
    dispose: async () => {
      await Promise.all([store.close(), another.close()]);
    },
  };
});
