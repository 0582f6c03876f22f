import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { patientClock } from '@slipway/storage/testing';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../testbed/command.ts';
import { startJobs } from './jobs.ts';

let folder: string;
let storage: Storage;
const log = pino({ level: 'silent' });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-jobs-'));
  storage = await openStorage(
    {
      records: { type: 'sqlite', file: join(folder, 'r.sqlite') },
      blobs: { type: 'filesystem', root: join(folder, 'b') },
    },
    // No server loses the jobs to the other because a busy machine let both stand.
    patientClock(),
  );
});
afterEach(async () => {
  await storage.close();
  await rm(folder, { recursive: true });
});

const start = (jobs: readonly Job[]): { stop(): Promise<void> } =>
  startJobs({ records: storage.records, leases: storage.leases, clock: systemClock, log, jobs, lookEvery: 20 });

test('two servers share the jobs: one runs them, the other takes over when it stops', async () => {
  const runs: string[] = [];
  const job = (who: string): Job => ({
    name: 'count',
    every: 50,
    run: async () => {
      runs.push(who);
      return undefined;
    },
  });
  const first = start([job('first')]);
  await until('the first to run', 180_000, async () => runs.length >= 2, 10);
  const second = start([job('second')]);
  await until('more runs', 180_000, async () => runs.length >= 5, 10);
  expect(new Set(runs)).toEqual(new Set(['first']));
  await first.stop();
  await until('the second to run', 180_000, async () => runs.includes('second'), 10);
  await second.stop();
});

test('a job that was done is not done again by a restart before its time', async () => {
  let runs = 0;
  const job: Job = { name: 'weekly', every: 604_800_000, run: async () => ({ runs: ++runs }) };
  const first = start([job]);
  await until('the run', 180_000, async () => (await storage.records.get('jobs', 'last/weekly')) !== undefined, 10);
  await first.stop();
  const second = start([job]);
  await systemClock.sleep(200);
  await second.stop();
  expect(runs).toBe(1);
});

test('a job that fails does not keep the others from running', async () => {
  let runs = 0;
  const bad: Job = { name: 'bad', every: 10, run: () => Promise.reject(new Error('no')) };
  const good: Job = { name: 'good', every: 10, run: async () => ({ runs: ++runs }) };
  const running = start([bad, good]);
  await until('the good one', 180_000, async () => runs >= 2, 10);
  await running.stop();
  expect(runs).toBeGreaterThanOrEqual(2);
});
