import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@slipway/storage/clock';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { until } from '../testing/bench.ts';
import { engineMissing, TestEngine } from '../testing/test-engine.ts';
import { readHierarchy } from './limits/index.ts';
import { KernelStats } from './kernel-stats.ts';
import { metricsBetween, Sampler, type Stats } from './sampler.ts';
import type { TaskEngine } from './task-engine.ts';

const reading = (at: number, cpu: number, received = 0) => ({ at, cpu, received, sent: 0 });
const memory: Stats = { memory_stats: { usage: 10 * 1024 * 1024, stats: { total_inactive_file: 4 * 1024 * 1024 } } };
const set = (value: number) => ({ min: value, max: value, sum: value, sampleCount: 1 });

describe('what a container has used between two readings', () => {
  test('is CPU in percent of the host, memory without the page cache, and rates of bytes', () => {
    const stats: Stats = {
      ...memory,
      networks: { eth0: {} },
      blkio_stats: {
        io_service_bytes_recursive: [
          { op: 'Read', value: 5 },
          { op: 'read', value: 2 },
          { op: 'Write', value: 3 },
          { op: 'Total', value: 10 },
        ],
      },
    };
    expect(metricsBetween(reading(0, 1e9), reading(10_000, 3e9, 500), stats, 2048)).toEqual({
      cpuStatsSet: set(10),
      memoryStatsSet: set(6),
      networkStatsSet: { rxBytesPerSecond: set(50), txBytesPerSecond: set(0) },
      storageStatsSet: { readSizeBytes: set(7), writeSizeBytes: set(3) },
    });
  });

  test('is nothing that needs two readings at first, and no network where it has none of its own', () => {
    expect(metricsBetween(undefined, reading(0, 1e9), memory, 1024)).not.toHaveProperty('cpuStatsSet');
    expect(metricsBetween(reading(0, 0), reading(1, 1), memory, 1024)).not.toHaveProperty('networkStatsSet');
  });

  test('counts from nothing where a counter began anew with its container', () => {
    const { cpuStatsSet } = metricsBetween(reading(0, 50e9), reading(10_000, 1e9), memory, 1024);
    expect(cpuStatsSet).toEqual(set(10));
  });
});

const missing = await engineMissing();

describe.skipIf(missing !== undefined && !process.env['CI'])(
  `what containers of an engine use${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let engine: TestEngine;
    const docker = new Docker();
    const started: Docker.Container[] = [];
    beforeAll(async () => {
      if (missing !== undefined) throw new Error(missing);
      engine = await TestEngine.open();
    });
    afterAll(async () => {
      for (const one of started) await one.remove({ force: true });
      await engine?.[Symbol.asyncDispose]();
    });

    /** Reads files of the control group that a container is in, of a controller of version 1 or of the one hierarchy of version 2. */
    async function groupReader(pid: number): Promise<(controller: string, ...names: string[]) => string> {
      const { controllers, unified = '' } = await readHierarchy();
      const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
        .split('\n')
        .map((line) => line.split(':'));
      return (controller, ...names) => {
        const isOwn = controllers.has(controller);
        const own = groups.find(([, all = '']) => (isOwn ? all.split(',').includes(controller) : all === ''));
        const folder = join(controllers.get(controller) ?? unified, own?.[2] ?? '');
        return readFileSync(join(folder, names.find((name) => existsSync(join(folder, name))) ?? ''), 'utf8');
      };
    }

    test('agrees with the counters of the kernel within 5 %', async () => {
      // 24 MiB that stay, and all of a processor.
      const script =
        'dd if=/dev/zero of=/dev/shm/held bs=1M count=24 2>/dev/null; touch /tmp/held; while :; do :; done';
      const container = await docker.createContainer({
        Image: engine.image,
        Entrypoint: ['/bin/busybox', 'sh', '-c'],
        Cmd: [script],
      });
      started.push(container);
      await container.start();
      const { Id: id, State } = await container.inspect();
      const read = await groupReader(State.Pid);
      /** Nanoseconds. */
      const cpu = (): number => {
        const text = read('cpuacct', 'cpuacct.usage', 'cpu.stat');
        return /^\d+\s*$/.test(text) ? Number(text) : Number(/usage_usec (\d+)/.exec(text)?.[1]) * 1000;
      };
      /** MiB. */
      const used = (): number => {
        const cache = /^(?:total_)?inactive_file (\d+)$/gm;
        const inactive = [...read('memory', 'memory.stat').matchAll(cache)].at(-1)?.[1] ?? '0';
        return (Number(read('memory', 'memory.usage_in_bytes', 'memory.current')) - Number(inactive)) / 1024 ** 2;
      };
      await until(() => (used() > 24 ? true : undefined), 'the memory that is held');
      const task = { arn: 'arn:task/one', family: 'burn', version: '1' };
      const counted = { id, pid: State.Pid, networkMode: 'default', runtime: 'runc', internal: false };
      const tasks = { containers: () => [{ task, name: 'main', ...counted }] } as unknown as TaskEngine;
      const times: number[] = [];
      const monotonic = (): number => times.at(times.push(systemClock.monotonic()) - 1)!;
      const processors = 4;
      const sampler = new Sampler(docker, new KernelStats(), { ...systemClock, monotonic }, processors * 1024);
      const bracketed = async () => {
        const before = cpu();
        const metrics = await sampler.measure(tasks);
        return { before, after: cpu(), of: metrics[0]?.containerMetrics?.[0], at: times.at(-1)! };
      };
      const first = await bracketed();
      await until(() => (cpu() - first.after > 3e9 ? true : undefined), 'three seconds of CPU time');
      const second = await bracketed();
      const seconds = (second.at - first.at) / 1000;
      const measured = ((second.of?.cpuStatsSet?.sum ?? 0) / 100) * processors * seconds;
      expect(measured).toBeGreaterThan(((second.before - first.after) / 1e9) * 0.95);
      expect(measured).toBeLessThan(((second.after - first.before) / 1e9) * 1.05);
      expect(Math.abs((second.of?.memoryStatsSet?.sum ?? 0) / used() - 1)).toBeLessThan(0.05);
    });

    test('the kernel tells what the engine tells of a container, and nothing of one that is another', async () => {
      const script = 'dd if=/dev/zero of=/dev/shm/held bs=1M count=24 2>/dev/null; exec sleep 600';
      const container = await docker.createContainer({
        Image: engine.image,
        Entrypoint: ['/bin/busybox', 'sh', '-c'],
        Cmd: [script],
      });
      started.push(container);
      await container.start();
      const { Id: id, State } = await container.inspect();
      const kernel = new KernelStats();
      const counted = { id, pid: State.Pid, networkMode: 'default', runtime: 'runc', internal: false };
      await until(async () => {
        const { memory_stats: held } = (await kernel.of(counted)) ?? {};
        return (held?.usage ?? 0) > 24 * 1024 ** 2 ? true : undefined;
      }, 'the memory that is held');
      const [ours, theirs] = [
        await kernel.of(counted),
        (await container.stats({ stream: false, 'one-shot': true })) as Stats,
      ];
      const cpu = (stats: Stats | undefined): number => stats?.cpu_stats?.cpu_usage?.total_usage ?? 0;
      // What sleeps uses next to nothing between the two.
      expect(cpu(ours)).toBeGreaterThan(0);
      expect(cpu(theirs) - cpu(ours)).toBeLessThan(1e9);
      const memoryOf = (stats: Stats | undefined): number => stats?.memory_stats?.usage ?? 0;
      expect(Math.abs(memoryOf(ours) / memoryOf(theirs) - 1)).toBeLessThan(0.2);
      expect(Object.keys(ours?.memory_stats?.stats ?? {})).toEqual(
        expect.arrayContaining(
          Object.keys(theirs.memory_stats?.stats ?? {}).filter((name) => /inactive_file/.test(name)),
        ),
      );
      expect(Object.keys(ours?.networks ?? {})).toEqual(['eth0']);
      expect(await kernel.of({ ...counted, internal: true })).toEqual({ networks: { eth0: expect.anything() } });
      for (const networkMode of ['host', 'none', 'container:other'])
        expect(await kernel.of({ ...counted, networkMode })).not.toHaveProperty('networks');
      // The number of a process may be another one's by now, and of a sandbox the kernel tells nothing.
      const others = [{ pid: process.pid }, { id: id.replace(/^./, '0').replace(/.$/, '1') }, { runtime: 'runsc' }];
      for (const other of [...others, { pid: 4_194_305 }, { id: '.*' }])
        expect(await kernel.of({ ...counted, ...other })).toBeUndefined();
    });
  },
);
