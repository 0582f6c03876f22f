import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { account, openedLogs } from '@slipway/scheduler/signals/logs/store/testing';
import { openedMetrics, upkeep } from '@slipway/scheduler/signals/metrics/store/testing';
import { expect, test } from 'vitest';

import { logFindings, lostLines, metricFindings } from './doctor-logs.ts';

test('logs near the room that they have are a warning, and nothing is said where there are none', async () => {
  const opened = openedLogs();
  const store = opened.server();
  const found = (logsMaxBytes: number) =>
    logFindings(opened.records, { logsMaxBytes, blobs: { type: 'filesystem' }, data: '/' });
  expect(await found(1000)).toEqual([]);
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'g', 's');
  await store.put(account, 'g', 's', [{ timestamp: opened.clock.now(), message: 'a line' }]);
  await opened.upkeep(store);
  expect(await found(2 ** 30)).toMatchObject([{ state: 'ok', detail: 'logs take 0.00 GiB of 1.0 GiB' }]);
  expect(await found(10)).toMatchObject([{ state: 'warning', detail: expect.stringContaining('SLIPWAY_LOGS_MAX') }]);
  await store.close();
});

test('metrics near the room that they have are a warning, too', async () => {
  const { records, clock, server, compaction } = openedMetrics();
  const store = server();
  const found = (metricsMaxBytes: number) =>
    metricFindings(records, { metricsMaxBytes, blobs: { type: 'filesystem' }, data: '/' });
  expect(await found(1000)).toEqual([]);
  const sample = {
    namespace: 'App',
    name: 'a',
    dimensions: [],
    resolution: 60,
    timestamp: clock.time,
    measured: 1,
  } as const;
  await store.put(account, [sample]);
  await upkeep(await compaction(store));
  expect(await found(2 ** 30)).toMatchObject([{ state: 'ok', detail: 'metrics take 0.00 GiB of 1.0 GiB' }]);
  expect(await found(10)).toMatchObject([{ state: 'warning', detail: expect.stringContaining('SLIPWAY_METRICS_MAX') }]);
  await store.close();
});

test('lines of tasks that were lost are a warning', async () => {
  let metrics = '';
  const server = createServer((_, response) => response.end(metrics));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const lines = (dropped: number, gap: number): string =>
    `slipway_task_log_lines_total{outcome="stored"} 7\nslipway_task_log_lines_total{outcome="dropped"} ${dropped}\n` +
    `slipway_task_log_lines_total{outcome="gap"} ${gap}\n`;
  metrics = lines(0, 0);
  expect(await lostLines(endpoint)).toEqual([]);
  metrics = lines(12, 1);
  expect(await lostLines(endpoint)).toMatchObject([
    { state: 'warning', detail: expect.stringMatching(/^12 lines of tasks were dropped and 1 times/) },
  ]);
  metrics = 'slipway_log_subscriptions_failing 1\nslipway_log_subscription_events_total{outcome="dropped"} 8\n';
  expect(await lostLines(endpoint)).toMatchObject([
    { detail: expect.stringMatching(/^the receivers of 1 subscription filters .* 8 events were given up/) },
  ]);
  await new Promise((closed) => server.close(closed));
  expect(await lostLines(endpoint)).toEqual([]);
});
