import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { distributedMissing, startDistributed } from '@slipway/storage/engine/testing';
import { describeLogStore, type OpenedStore } from './testing/contract.ts';
import { MemoryLogs } from './testing/memory-logs.ts';
import { type OpenedLogs, openedLogs } from './testing/opened.ts';

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

const onStores = (opened: OpenedLogs, close: () => Promise<void> = () => Promise.resolve()): OpenedStore => {
  const store = opened.server();
  const another = opened.server();
  return {
    store,
    another,
    pass: (ms) => void (opened.clock.time += ms),
    settle: () => opened.upkeep(store),
    dispose: async () => {
      await Promise.all([store.close(), another.close()]);
      await close();
    },
  };
};

describeLogStore('on blobs and records', () => Promise.resolve(onStores(openedLogs())));

describeLogStore(
  'on Redis and S3',
  async () => {
    const engine = await startDistributed();
    const storage = await openStorage(engine.storage, systemClock);
    return onStores(
      openedLogs(storage.blobs, () => storage.records),
      async () => {
        await storage.close();
        await engine[Symbol.asyncDispose]();
      },
    );
  },
  // Under CI the start of the engine fails instead.
  process.env['CI'] ? undefined : distributedMissing,
);
