import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';

import { clusterPartition, type ClusterRecord, type InstanceRecord, type TaskRecord } from '../../state/index.ts';
import { MetricsThrottled, type Sample, TooManySeries } from '../metrics/index.ts';
import { MemoryMetrics } from '../metrics/store/testing/index.ts';

import { UsageCollector } from './collector.ts';
import { dimensions } from './samples.ts';
import { type UsageOptions, UsageTeller } from './teller.ts';

const account = '000000000000';
const at = Date.parse('2026-06-15T12:00:00Z');
const instance = { account, cluster: 'shop', id: 'host' };
const host = {
  id: 'host',
  status: 'ACTIVE',
  ownerArn: `arn:aws:iam::${account}:user/hosts`,
  cpu: 2048,
  memory: 4096,
  attributes: [],
  gpuIds: [],
} as unknown as InstanceRecord;
const task = {
  id: 'one',
  arn: 'arn:task/one',
  taskDefinition: 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:3',
  service: { name: 'web', deploymentId: 'ecs-svc/1' },
  instanceId: 'host',
  launchType: 'EC2',
  lastStatus: 'RUNNING',
  reservation: { cpu: 512, memory: 1024, tcpPorts: [], udpPorts: [], gpus: 0 },
  containers: [{ name: 'main' }],
} as unknown as TaskRecord;
const service = { name: 'web', status: 'ACTIVE', desiredCount: 2, deployments: [{ status: 'PRIMARY' }] };

type View = ReturnType<UsageOptions['clusters']>[number]['view'];

/** A cluster of one host with one task, as every server knows it. */
const view = (settings: ClusterRecord['settings'] = []): View =>
  ({
    account,
    name: 'shop',
    cluster: { settings },
    instances: new Map([['host', { value: host }]]),
    tasks: new Map([['one', { value: task }]]),
    services: new Map([['web', { value: service }]]),
  }) as unknown as View;

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const never = new AbortController().signal;

describe('what servers tell of tasks', () => {
  let records: ReturnType<typeof memoryRecords>;
  let metrics: MemoryMetrics;
  beforeEach(() => {
    records = memoryRecords(systemClock);
    metrics = new MemoryMetrics(() => at + 120_000);
  });

  function server(
    epoch?: number,
    put?: (account: string, samples: readonly Sample[]) => Promise<void>,
    of = view(),
    said: UsageOptions['log'] = log,
  ) {
    const clock = { ...systemClock, now: () => at + 60_000, sleep: () => Promise.resolve() };
    const collector = new UsageCollector({ records, clock, random: randomBytes });
    const store = { put: put ?? ((to: string, samples: readonly Sample[]) => metrics.put(to, samples)) };
    const pulled: { account: string; repository: string; count: number }[] = [];
    const teller = new UsageTeller({
      records,
      clock,
      log: said,
      collector,
      metrics: store,
      pulls: () => pulled.splice(0),
      clusters: () => [{ view: of, epoch }],
    });
    return { collector, teller, pulled };
  }

  const say = (session: Awaited<ReturnType<UsageCollector['open']>>, percent: number, saidAt: number): void => {
    const cpuStatsSet = { sum: percent, sampleCount: 1 };
    session.take(
      host,
      [task],
      [{ taskArn: task.arn, containerMetrics: [{ containerName: 'main', cpuStatsSet }] }],
      saidAt,
    );
  };

  const read = async (name: string, of: Readonly<Record<string, string>>, namespace = 'AWS/ECS') => {
    const series = { namespace, name, dimensions: dimensions(of) };
    const [buckets = []] = await metrics.read(account, [series], { from: at, to: at + 60_000, period: 60 });
    return buckets.map(({ count, sum, max }) => ({ count, sum, max }));
  };
  const web = { ClusterName: 'shop', ServiceName: 'web' };

  test('an agent that moves in the middle of a minute is told by the server that it moved to, once', async () => {
    const [one, two] = [server(), server()];
    const before = await one.collector.open(instance);
    say(before, 10, 1);
    const after = await two.collector.open(instance);
    say(after, 50, 2);
    // The older connection has not been noticed to be gone.
    say(before, 10, 1);
    for (const { teller } of [one, two]) await teller.tell(at, never);
    expect(await read('CPUUtilization', web)).toEqual([{ count: 1, sum: 200, max: 200 }]);
  });

  test('pulls of images add up by repository, over all servers, whether or not anything runs', async () => {
    const [one, two] = [server(), server()];
    one.pulled.push({ account, repository: 'team/web', count: 3 }, { account, repository: 'other', count: 1 });
    two.pulled.push({ account, repository: 'team/web', count: 4 });
    for (const { teller } of [one, two, one]) await teller.tell(at, never);
    const pulls = (RepositoryName: string) => read('RepositoryPullCount', { RepositoryName }, 'AWS/ECR');
    expect(await pulls('team/web')).toEqual([{ count: 2, sum: 7, max: 4 }]);
    expect(await pulls('other')).toEqual([{ count: 1, sum: 1, max: 1 }]);
  });

  test('an agent that comes back to the same server within a minute loses nothing, and counts once', async () => {
    const { collector, teller } = server();
    const before = await collector.open(instance);
    say(before, 10, 1);
    before.close();
    say(await collector.open(instance), 30, 2);
    await teller.tell(at, never);
    expect(await read('CPUUtilization', web)).toEqual([{ count: 1, sum: 80, max: 80 }]);
    await teller.tell(at, never);
    expect(await read('CPUUtilization', web)).toHaveLength(1);
  });

  test('the server that leads counts the cluster; Container Insights only where they are on', async () => {
    const cluster = { ClusterName: 'shop' };
    await server().teller.tell(at, never);
    expect(await read('CPUReservation', cluster)).toEqual([]);
    await server(3).teller.tell(at, never);
    expect(await read('CPUReservation', cluster)).toEqual([{ count: 1, sum: 25, max: 25 }]);
    expect(await read('MemoryReservation', cluster)).toEqual([{ count: 1, sum: 25, max: 25 }]);
    // No instance has a GPU.
    expect(await read('GPUReservation', cluster)).toEqual([]);
    const insights = 'ECS/ContainerInsights';
    expect(await read('TaskCount', cluster, insights)).toEqual([]);
    await server(3, undefined, view([{ name: 'containerInsights', value: 'enabled' }])).teller.tell(at, never);
    expect(await read('TaskCount', cluster, insights)).toMatchObject([{ sum: 1 }]);
    expect(await read('ContainerInstanceCount', cluster, insights)).toMatchObject([{ sum: 1 }]);
    expect(await read('DesiredTaskCount', web, insights)).toMatchObject([{ sum: 2 }]);
    expect(await read('RunningTaskCount', web, insights)).toMatchObject([{ sum: 1 }]);
    expect(await read('PendingTaskCount', web, insights)).toMatchObject([{ sum: 0 }]);
    expect(await read('DeploymentCount', web, insights)).toMatchObject([{ sum: 1 }]);
  });

  test('what instances left that are gone from the records is removed by the server that leads', async () => {
    const one = server();
    await one.collector.open(instance);
    await one.collector.open({ ...instance, id: 'gone' });
    const keys = async () => (await records.list(clusterPartition(account, 'shop'))).records.map(({ key }) => key);
    await one.teller.tell(at, never);
    expect(await keys()).toEqual(['telemetry/gone', 'telemetry/host']);
    await server(1).teller.tell(at, never);
    expect(await keys()).toEqual(['telemetry/host']);
  });

  test.each([
    ['has no room is tried again', new MetricsThrottled('later', 10), 2],
    ['does not answer is not, as nothing is to count twice', new Error('away'), 1],
  ])('what a store that %s', async (_what, error, times) => {
    const calls: number[] = [];
    const { collector, teller } = server(undefined, (_account, samples) => {
      calls.push(samples.length);
      return calls.length === 1 ? Promise.reject(error) : Promise.resolve();
    });
    say(await collector.open(instance), 10, 1);
    await teller.tell(at, never);
    expect(calls).toHaveLength(times);
  });

  test('an account that may have no more series loses the new ones, and goes on with those that it has', async () => {
    const lines: unknown[] = [];
    const { collector, teller } = server(
      1,
      (to, samples) =>
        samples.some(({ name }) => name === 'CPUReservation')
          ? Promise.reject(new TooManySeries('enough'))
          : metrics.put(to, samples),
      view([{ name: 'containerInsights', value: 'enabled' }]),
      { ...log, warn: (fields: unknown) => lines.push(fields) },
    );
    say(await collector.open(instance), 10, 1);
    await teller.tell(at, never);
    expect(await read('CPUReservation', { ClusterName: 'shop' })).toEqual([]);
    expect(await read('MemoryReservation', { ClusterName: 'shop' })).toEqual([{ count: 1, sum: 25, max: 25 }]);
    expect(await read('CPUUtilization', web)).toEqual([{ count: 1, sum: 40, max: 40 }]);
    expect(await read('TaskCount', { ClusterName: 'shop' }, 'ECS/ContainerInsights')).toHaveLength(1);
    expect(lines).toEqual([{ account, samples: 1 }]);
  });

  test('each minute is told when it is over, under the time that it began; clocks that are set back stop nothing', async () => {
    const over = new AbortController();
    const steps = [at + 5_000, at + 59_990, at + 60_002, at - 600_000, at - 600_000, at - 540_000 + 1];
    let now = steps.shift()!;
    const told: number[] = [];
    const clock = {
      ...systemClock,
      now: () => now,
      sleep: () => {
        const next = steps.shift();
        if (next === undefined) over.abort();
        else now = next;
        return Promise.resolve();
      },
    };
    const collector = new UsageCollector({ records, clock, random: randomBytes });
    const teller = new UsageTeller({
      records,
      clock,
      log,
      collector,
      metrics: {
        put: (_account, samples) => {
          told.push(samples[0]!.timestamp);
          return Promise.resolve();
        },
      },
      pulls: () => [],
      clusters: () => [{ view: view(), epoch: 1 }],
    });
    await teller.run(over.signal);
    expect(told).toEqual([at, at - 600_000]);
  });
});
