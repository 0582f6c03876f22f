import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { type DistributedEngine, distributedMissing, startDistributed } from '@slipway/storage/engine/testing';
import { afterAll } from 'vitest';

import { describeMetricStore, type TestedStore } from './testing/contract.ts';
import { MemoryMetrics } from './testing/memory-metrics.ts';
import { account, HandClock, openedMetrics, upkeep } from './testing/opened.ts';

describeMetricStore('in memory', async () => {
  const clock = new HandClock();
  const store = new MemoryMetrics(clock.now);
  return {
    store,
    another: store,
    account,
    now: clock.now,
    pass: (ms) => void (clock.time += ms),
    settle: () => Promise.resolve(),
    dispose: () => Promise.resolve(),
  };
});

const opened = (given: NonNullable<Parameters<typeof openedMetrics>[0]>): TestedStore => {
  const { clock, server, compaction } = openedMetrics(given);
  const store = server();
  const another = server();
  return {
    store,
    another,
    account: given.account ?? account,
    now: clock.now,
    pass: (ms) => void (clock.time += ms),
    settle: async () => upkeep(await compaction(store)),
    dispose: async () => {
      await Promise.all([store.close(), another.close()]);
    },
  };
};

describeMetricStore('on blobs and records', () => Promise.resolve(opened({})));

// One engine for all of them: each test has an account of its own. Under CI the start of the engine fails instead.
let engine: DistributedEngine | undefined;
let storage: Storage | undefined;
let accounts = 0;
describeMetricStore(
  'on Redis and S3',
  async () => {
    engine ??= await startDistributed();
    storage ??= await openStorage(engine.storage, systemClock);
    return opened({ records: storage.records, blobs: storage.blobs, account: String(200_000_000_000 + ++accounts) });
  },
  process.env['CI'] ? undefined : distributedMissing,
);
afterAll(async () => {
  await storage?.close();
  await engine?.[Symbol.asyncDispose]();
});
