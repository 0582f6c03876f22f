/**
 * The metric store, which `npm run bench:signals` measures behind the logs: points a second on one core, and a day of 100 services.
 * Also alone: `node tools/bench/metrics.ts [--quick]`.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkQueries, evaluateQueries } from '@slipway/scheduler/signals/metrics';
import { blobsOfMetrics, type Sample, StoredMetrics } from '@slipway/scheduler/signals/metrics/store';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { type MetricPeer, prometheus } from './metric-peers.ts';
import { quantile, type Row, short, writeSection } from './results.ts';

// What is said to the benchmark of logs is not for this one.
const { values: options } = parseArgs({ options: { quick: { type: 'boolean' } }, strict: false });
const quick = options['quick'] === true;
const points = quick ? 200_000 : 1_000_000;
const account = '000000000000';
const minute = 60_000;
const services = 100;
const minutes = 1440;
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-metrics-'));
const rows: Row[] = [];

const storage = await openStorage(
  {
    records: { type: 'sqlite', file: join(folder, 'records.db') },
    blobs: { type: 'filesystem', root: join(folder, 'blobs') },
  },
  systemClock,
);
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const metrics = new StoredMetrics(
  { ...storage, clock: systemClock, random: randomBytes, log },
  { maxBytes: () => Infinity, compaction: { age: 0, chunks: 0 } },
);
/** The minute that a day ends with. */
const now = Math.floor(Date.now() / minute) * minute;

const sample = (series: number, timestamp: number, value: number): Sample => ({
  namespace: series % 2 === 0 ? 'Bench/CPU' : 'Bench/Memory',
  name: series % 2 === 0 ? 'CPUUtilization' : 'MemoryUtilization',
  dimensions: [
    { name: 'ClusterName', value: 'default' },
    { name: 'ServiceName', value: `service-${Math.floor(series / 2)}` },
  ],
  timestamp,
  unit: 'Percent',
  resolution: 60,
  measured: value,
});

const valueAt = (at: number, series: number): number => (at * 17 + series * 31) % 101;
let peer: MetricPeer | undefined;

/** Calls of 1,000 data from 20 callers at once, each answered when it is durable. */
async function measureIngest(): Promise<void> {
  const series = 2000;
  const perCall = 1000;
  const calls = Array.from({ length: series / perCall }, (_, call) =>
    Array.from({ length: perCall }, (_, index) => sample(call * perCall + index, now, (index * 37) % 101)),
  );
  let left = points / perCall;
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(
    Array.from({ length: 20 }, async (_, caller) => {
      for (let call = caller; left-- > 0; call++)
        await metrics.put(account, calls[call % calls.length] as readonly Sample[]);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rate = points / ((user + system) / 1e6);
  rows.push({
    what: `points taken in, ${series} series, for each second of processor time`,
    ours: `${short(rate)} points/s (${short(points / seconds)} points/s of the clock)`,
    peer: peer === undefined ? '' : `${short(peer.pointsPerCpuSecond)} points/s`,
    ratio: peer === undefined ? '' : `${short(rate / peer.pointsPerCpuSecond)}x`,
    goal: 'at least 100,000 points/s',
  });
}

/** A day of two metrics of each service, minute by minute, compacted as it comes. */
async function fillDay(): Promise<number> {
  const stop = new AbortController();
  const lease = await storage.leases.acquire(`metrics/${account}`, 'keeper', { signal: stop.signal });
  const compaction = metrics.keeper.compaction(account, lease);
  const perRound = 10;
  const cpu = process.cpuUsage();
  for (let at = 0; at < minutes; at += perRound) {
    const puts = Array.from({ length: perRound }, (_, index) =>
      metrics.put(
        account,
        Array.from({ length: 2 * services }, (_, series) =>
          sample(series, now - (minutes - at - index) * minute, valueAt(at + index, series)),
        ),
      ),
    );
    await Promise.all(puts);
    while (await compaction.chunks());
  }
  const { user, system } = process.cpuUsage(cpu);
  await lease.release();
  return (user + system) / 1e6;
}

async function measureDay(): Promise<void> {
  const cpu = await fillDay();
  let bytes = 0;
  let files = 0;
  for await (const { size } of blobsOfMetrics(storage.records)) {
    bytes += size;
    files++;
  }
  const day = 2 * services * minutes;
  rows.push({
    what: `a day of ${2 * services} series by the minute on disk, in three resolutions`,
    ours: `${short(bytes / day)} bytes a point (${files} files), ${short((cpu / day) * 1e6)} µs of a core a point to take in and compact`,
    peer: peer === undefined ? '' : `${short(peer.bytesPerPoint)} bytes a point, in one resolution`,
    ratio: peer === undefined ? '' : `${short(bytes / day / peer.bytesPerPoint)}x`,
    goal: '',
  });
  for (const period of [60, 300]) {
    const queries = checkQueries(
      Array.from({ length: services }, (_, service) => ({
        Id: `m${service}`,
        MetricStat: {
          Metric: {
            Namespace: 'Bench/CPU',
            MetricName: 'CPUUtilization',
            Dimensions: [
              { Name: 'ClusterName', Value: 'default' },
              { Name: 'ServiceName', Value: `service-${service}` },
            ],
          },
          Period: period,
          Stat: 'Average',
        },
      })),
      account,
    );
    const range = { from: now - minutes * minute, to: now, now };
    const times: number[] = [];
    const runs = quick ? 10 : 30;
    const before = process.cpuUsage();
    for (let run = 0; run < runs; run++) {
      const started = performance.now();
      const results = await evaluateQueries(metrics, account, queries, range);
      times.push(performance.now() - started);
      const found = results.reduce((sum, result) => sum + result.points.size, 0);
      if (found < (services * (minutes * 60)) / period) throw new Error(`only ${found} points were found`);
    }
    const spent = process.cpuUsage(before);
    const each = (spent.user + spent.system) / 1000 / runs;
    const theirs = await peer?.day(period, runs);
    rows.push({
      what: `GetMetricData over a day of ${services} services, period ${period} s, without its encoding`,
      ours: `${short(quantile(times, 0.5))} ms (${short(each)} ms of a core; first ${short(times[0] ?? 0)}, p99 ${short(quantile(times, 0.99))})`,
      peer:
        theirs === undefined
          ? ''
          : `${short(quantile(theirs.times, 0.5))} ms (${short(theirs.cpu)} ms of a core; first ${short(theirs.times[0] ?? 0)}), with its encoding`,
      ratio: theirs === undefined ? '' : `${short(theirs.cpu / each)}x of a core`,
      goal: 'under 100 ms',
    });
  }
}

try {
  peer = await prometheus(folder, { services, from: now - minutes * minute, to: now - minute, value: valueAt });
  await measureDay();
  await measureIngest();
} finally {
  await peer?.stop();
  await metrics.close();
  await storage.close();
  rmSync(folder, { recursive: true, force: true });
}
for (const row of rows) process.stdout.write(`${row.what}: ${row.ours} | ${row.peer} | ${row.ratio} | ${row.goal}\n`);
if (!quick)
  writeSection({
    name: 'metrics',
    title: 'Metrics',
    command: 'npm run bench:signals',
    notes: [
      'SQLite and files on one disk; a call of 1,000 data is answered after its commit and its fsync. Chunks are compacted ten minutes of data at a time.',
      'What the API adds (decoding of requests, authorization) is not in it.',
      `The peer is Debian’s Prometheus 2.42, where it is installed, with the same day in its blocks, and while it fetches 2,000 series a second, which it does not sync. Work waiting for a core when it ended (load average of a minute): ${short(loadavg()[0] ?? 0)}.`,
    ],
    rows,
  });
