import { describe, expect, test } from 'vitest';

import { MemoryMetrics } from '../../signals/metrics/store/testing/index.ts';
import { type Series, statisticOf } from '../../signals/metrics/index.ts';
import { addCounts, type Counts, noCounts } from '../engines/index.ts';
import { account, openWeb } from '../testing/open-balancing.ts';

import { timesOf, trafficSamples, type TrafficSums } from './samples.ts';

const at = Date.parse('2026-06-15T12:00:00Z');

const counted = (requests: number, more: Partial<Counts> = {}): Counts => ({
  ...noCounts,
  requests,
  codes: [requests - 2, 0, 1, 1],
  bytesIn: 100 * requests,
  bytesOut: 900 * requests,
  latency: { seconds: requests * 0.02, classes: noCounts.latency.classes.map((_, i) => (i === 4 ? requests : 0)) },
  ...more,
});

/** A load balancer with a group of two targets, one of them healthy; and what of a metric is read back. */
async function openTold() {
  const world = await openWeb();
  const { balancers } = world;
  const [group] = (await balancers.read(account)).all('targetgroup');
  const [balancer] = (await balancers.read(account)).all('loadbalancer');
  if (group === undefined || balancer === undefined) throw new Error('nothing to tell of');
  await balancers.change(account, (draft) => {
    for (const target of draft.targetsOf(group.id)) draft.remove('target', target.id);
    for (const [id, state] of [
      ['a', 'healthy'],
      ['b', 'unhealthy'],
      ['c', 'initial'],
    ] as const)
      draft.put('target', {
        id: `000000000000000${id}`,
        groupId: group.id,
        targetId: '10.0.0.1',
        address: '10.0.0.1',
        port: 80 + id.charCodeAt(0),
        registeredAt: at,
        health: { state },
        tags: {},
      });
  });
  const LoadBalancer = `app/${balancer.name}/${balancer.id}`;
  const TargetGroup = `targetgroup/${group.name}/${group.id}`;
  const sums = (
    counts: Counts,
    more: Partial<{ codes: readonly [number, number, number, number]; connections: number }> = {},
  ): TrafficSums => ({
    groups: new Map([[group.id, counts]]),
    balancers: new Map([
      [
        balancer.id,
        { engineCodes: more.codes ?? [0, 0, 0, 0], connections: more.connections ?? 0, requests: 0, active: 3 },
      ],
    ]),
  });
  const told = async (before: TrafficSums, after: TrafficSums) => {
    const metrics = new MemoryMetrics(() => at + 60_000);
    const samples = trafficSamples(await balancers.read(account), before, after, at);
    await metrics.put(account, samples);
    const read = async (
      name: string,
      of: Readonly<Record<string, string>> = { LoadBalancer },
      statistic = 'Sum',
      namespace = 'AWS/ApplicationELB',
    ): Promise<number | undefined> => {
      const dimensions = Object.entries(of).map(([key, value]) => ({ name: key, value }));
      const series: Series = { namespace, name, dimensions };
      const [buckets = []] = await metrics.read(account, [series], { from: at, to: at + 60_000, period: 60 });
      return buckets[0] === undefined ? undefined : statisticOf(statistic)?.(buckets[0]);
    };
    return { read, samples };
  };
  return { ...world, sums, told, LoadBalancer, TargetGroup, group, balancer };
}

describe('what load balancers tell of a minute', () => {
  test('an Application Load Balancer, as ELB names it', async () => {
    const { sums, told, LoadBalancer, TargetGroup } = await openTold();
    const both = { TargetGroup, LoadBalancer };
    const before = counted(1_000);
    const { read } = await told(
      sums(before, { codes: [5, 1, 2, 3], connections: 10 }),
      sums(addCounts(before, counted(40, { connectionErrors: 2 })), { codes: [5, 1, 6, 4], connections: 17 }),
    );
    expect(await read('RequestCount')).toBe(40);
    expect(await read('RequestCount', both)).toBe(40);
    // Of the one target that is healthy.
    expect(await read('RequestCountPerTarget', { TargetGroup })).toBe(40);
    expect(await read('RequestCountPerTarget', both)).toBe(40);
    expect(await read('HTTPCode_Target_2XX_Count')).toBe(38);
    expect(await read('HTTPCode_Target_3XX_Count')).toBeUndefined();
    expect(await read('HTTPCode_Target_5XX_Count', both)).toBe(1);
    expect(await read('HTTPCode_ELB_4XX_Count')).toBe(4);
    expect(await read('HTTPCode_ELB_5XX_Count')).toBe(1);
    expect(await read('HTTPCode_ELB_3XX_Count')).toBeUndefined();
    expect(await read('TargetConnectionErrorCount')).toBe(2);
    expect(await read('NewConnectionCount')).toBe(7);
    expect(await read('ProcessedBytes')).toBe(40_000);
    expect(await read('TargetResponseTime', both, 'Average')).toBeCloseTo(0.02);
    expect(await read('TargetResponseTime', both, 'SampleCount')).toBe(40);
    expect(await read('HealthyHostCount', both, 'Average')).toBe(1);
    expect(await read('UnHealthyHostCount', both, 'Average')).toBe(1);
  });

  test('nothing happened: no requests are told as 0, and what is told where there is some, not at all', async () => {
    const { sums, told } = await openTold();
    const { read, samples } = await told(sums(counted(1_000)), sums(counted(1_000)));
    expect(await read('RequestCount')).toBe(0);
    expect(new Set(samples.map(({ name }) => name))).toEqual(
      new Set(['RequestCount', 'RequestCountPerTarget', 'HealthyHostCount', 'UnHealthyHostCount']),
    );
  });

  test('a group that came counts from nothing, and one whose sum has sunk does not count again', async () => {
    const { sums, told } = await openTold();
    const none = { groups: new Map(), balancers: new Map() };
    expect(await (await told(none, sums(counted(7)))).read('RequestCount')).toBe(7);
    expect(await (await told(sums(counted(900)), sums(counted(500)))).read('RequestCount')).toBe(0);
    expect(await (await told(sums(counted(900)), none)).read('RequestCount')).toBe(0);
  });

  test('a load balancer without targets tells nothing of them', async () => {
    const { sums, told, balancers, group } = await openTold();
    await balancers.change(account, (draft) => {
      for (const { id } of draft.targetsOf(group.id)) draft.remove('target', id);
    });
    const { samples } = await told(sums(counted(5)), sums(counted(5), { codes: [0, 0, 0, 8] }));
    expect(samples.map(({ name, measured }) => [name, measured])).toEqual([['HTTPCode_ELB_5XX_Count', 8]]);
  });

  test('a Network Load Balancer counts flows and bytes', async () => {
    const { sums, told, balancers, balancer, group } = await openTold();
    await balancers.change(account, (draft) => draft.put('loadbalancer', { ...balancer, type: 'network' }));
    const { read, samples } = await told(sums(counted(0)), sums(counted(4), { connections: 4 }));
    const LoadBalancer = `net/${balancer.name}/${balancer.id}`;
    const network = (name: string, of = {}, statistic = 'Sum') =>
      read(name, { LoadBalancer, ...of }, statistic, 'AWS/NetworkELB');
    expect(await network('NewFlowCount')).toBe(4);
    expect(await network('ActiveFlowCount', {}, 'Average')).toBe(3);
    expect(await network('ProcessedBytes')).toBe(4_000);
    expect(await network('HealthyHostCount', { TargetGroup: `targetgroup/${group.name}/${group.id}` })).toBe(1);
    expect(samples.every(({ namespace }) => namespace === 'AWS/NetworkELB')).toBe(true);
  });

  test('a Classic Load Balancer, by its name', async () => {
    const { classic, network, balancers } = await openWeb();
    const listener = { Protocol: 'HTTP', LoadBalancerPort: 81, InstanceProtocol: 'HTTP', InstancePort: 8080 };
    await classic.call('CreateLoadBalancer', {
      LoadBalancerName: 'old',
      Listeners: [listener],
      Subnets: network.subnets,
    });
    const balancing = await balancers.read(account);
    const [old] = balancing.all('classic');
    const [groupId = ''] = balancing.carried.groupsOf(old?.id ?? '');
    const none = { groups: new Map(), balancers: new Map() };
    const after: TrafficSums = {
      groups: new Map([[groupId, counted(9)]]),
      balancers: new Map([[old?.id ?? '', { engineCodes: [0, 0, 3, 0], connections: 9, requests: 9, active: 0 }]]),
    };
    const own = trafficSamples(balancing, none, after, at).filter(({ namespace }) => namespace === 'AWS/ELB');
    expect(own.every(({ dimensions }) => dimensions.length === 1 && dimensions[0]?.value === 'old')).toBe(true);
    expect(Object.fromEntries(own.map(({ name, measured }) => [name, measured]))).toEqual({
      RequestCount: 9,
      HTTPCode_Backend_2XX: 7,
      HTTPCode_Backend_4XX: 1,
      HTTPCode_Backend_5XX: 1,
      HTTPCode_ELB_4XX: 3,
      EstimatedProcessedBytes: 9_000,
      Latency: { values: [expect.closeTo(0.02)], counts: [9] },
    });
  });

  test('times: their mean is exact, and each stands in the class that it fell into', () => {
    const classes = noCounts.latency.classes.map((_, i) => (i === 1 ? 90 : i === 9 ? 10 : 0));
    const told = timesOf(classes, 90 * 0.002 + 10 * 0.9) as { values: number[]; counts: number[] };
    expect(told.counts).toEqual([90, 10]);
    const [fast = 0, slow = 0] = told.values;
    expect(fast).toBeGreaterThanOrEqual(0.001);
    expect(fast).toBeLessThanOrEqual(0.0025);
    expect(slow).toBeGreaterThanOrEqual(0.5);
    expect(slow).toBeLessThanOrEqual(1);
    expect(90 * fast + 10 * slow).toBeCloseTo(90 * 0.002 + 10 * 0.9);
    expect(timesOf(noCounts.latency.classes, 0)).toBeUndefined();
  });
});
