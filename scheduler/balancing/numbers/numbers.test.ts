import { systemClock } from '@slipway/storage/clock';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { type Codes, type Counts, noCounts, type Observation } from '../engines/index.ts';
import { account, openWeb } from '../testing/open-balancing.ts';

import { balancingMetrics } from './metrics.ts';
import { TrafficNumbers } from './numbers.ts';
import { NumbersRecorder } from './recorder.ts';

const until = { timeout: 30_000, interval: 5 };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const counted = (requests: number): Counts => ({
  ...noCounts,
  requests,
  codes: [requests, 0, 0, 0],
  latency: { seconds: requests / 100, classes: noCounts.latency.classes.map((_, i) => (i === 3 ? requests : 0)) },
});

/** A load balancer with a group, and engines that say of it what a test says. */
async function openNumbers() {
  const world = await openWeb();
  const { records, balancers } = world;
  const balancing = await balancers.read(account);
  const [group] = balancing.all('targetgroup');
  const [balancer] = balancing.all('loadbalancer');
  const [listener] = balancing.all('listener');
  if (group === undefined || balancer === undefined || listener === undefined) throw new Error('nothing to count for');
  let now = 1_000_000;
  const clock = { ...systemClock, now: () => now };
  const numbers = new TrafficNumbers({ account, records, clock, log: { info() {}, warn() {}, error() {} } });
  const over = new AbortController();
  const running = numbers.run(over.signal);
  ends.push(async () => {
    over.abort();
    await running;
  });
  const seen = (
    targets: Readonly<Record<string, number>>,
    { codes = [0, 0, 0, 0], requests = 0 }: { codes?: Codes; requests?: number } = {},
  ): Observation => ({
    generation: 1,
    oldestServing: 1,
    targets: Object.entries(targets).map(([registrationId, count]) => ({
      targetGroupId: group.id,
      registrationId,
      inFlight: 1,
      counts: counted(count),
    })),
    listeners: [{ id: listener.id, result: { bound: true }, activeConnections: 2, newConnections: requests, requests }],
    loadBalancers: [{ id: balancer.id, engineCodes: codes }],
  });
  return {
    ...world,
    numbers,
    group,
    balancer,
    listener,
    seen,
    pass: (ms: number) => (now += ms),
    engine: (id: string) => {
      const recorder = new NumbersRecorder(records, account, id, 0);
      return {
        recorder,
        say: async (...given: Parameters<typeof seen>) =>
          recorder.record(seen(...given), await balancers.read(account), now),
        at: async (at: number, ...given: Parameters<typeof seen>) =>
          recorder.record(seen(...given), await balancers.read(account), at),
      };
    },
    requests: (expected: number) =>
      vi.waitFor(() => expect(numbers.group(group.id)?.counts.requests).toBe(expected), until),
  };
}

describe('numbers of load balancers', () => {
  test('are what engines counted since they were looked at, all engines together', async () => {
    const { engine, requests, numbers, group, balancer, listener } = await openNumbers();
    const [one, two] = [engine('one'), engine('two')];
    // What an engine counted before anybody looked is not known to be new.
    await one.say({ a: 100 }, { codes: [0, 0, 0, 7], requests: 50 });
    await two.say({});
    await one.say({ a: 103 }, { codes: [0, 0, 0, 8], requests: 54 });
    await two.say({ a: 2, b: 5 }, { codes: [0, 1, 0, 0], requests: 9 });
    await requests(10);
    expect(numbers.group(group.id)).toMatchObject({ name: group.name, loadBalancer: balancer.name, inFlight: 3 });
    const targets = numbers.group(group.id)?.targets;
    expect([targets?.get('a')?.counts.requests, targets?.get('b')?.counts.requests]).toEqual([5, 5]);
    expect(numbers.balancers()).toMatchObject([{ name: balancer.name, engineCodes: [0, 1, 0, 1] }]);
    expect(numbers.balancers()[0]?.listeners.get(listener.id)).toEqual({
      port: listener.port,
      activeConnections: 4,
      connections: 13,
      requests: 13,
    });
  });

  test('go on over restarts of engines and of whoever drives them, and keep what targets had that are gone', async () => {
    const { engine, requests, numbers, group } = await openNumbers();
    const first = engine('one');
    await first.say({});
    await first.say({ a: 10, b: 1 });
    // The engine's process began anew.
    await first.say({ a: 4, b: 0 });
    await requests(15);
    // A target goes.
    await first.say({ b: 1 });
    await requests(16);
    expect([...(numbers.group(group.id)?.targets.keys() ?? [])]).toEqual(['b']);
    // Another driver: what it finds counted is what the first one knows.
    const second = engine('one');
    await second.say({ b: 1 });
    await second.say({ b: 6 });
    await requests(21);
    second.recorder.reopened();
    await second.say({ b: 600 });
    await second.say({ b: 601 });
    await requests(22);
  });

  test('of the last minute are told apart from those of ever', async () => {
    const { engine, requests, numbers, group, pass } = await openNumbers();
    const one = engine('one');
    await one.say({ a: 0 });
    await requests(0);
    await one.say({ a: 100 });
    await requests(100);
    expect(numbers.group(group.id)?.recent.counts.requests).toBe(100);
    pass(30_000);
    await one.say({ a: 160 });
    await requests(160);
    pass(40_000);
    expect(numbers.group(group.id)?.recent).toMatchObject({ seconds: 60, counts: { requests: 60 } });
    pass(60_000);
    expect(numbers.group(group.id)?.recent).toMatchObject({ counts: { requests: 0 } });
  });

  test('are rates a minute of the last looks, all engines together, and nothing once they are silent', async () => {
    const { engine, requests, numbers, group, pass } = await openNumbers();
    expect(numbers.rates(group.id, 3)).toBeUndefined();
    const [one, two] = [engine('one'), engine('two')];
    const looks = [
      [0, 0],
      [10, 0],
      [30, 5],
      [90, 10],
      [190, 20],
    ] as const;
    for (const [i, [a, b]] of looks.entries()) {
      // Looks are five seconds apart by what they say themselves; the clock stands.
      const at = 980_000 + i * 5_000;
      await one.at(at, { a });
      await two.at(at, { a: b, b: 0 });
    }
    await requests(210);
    // 100, 60 and 20 requests of one engine, and 10, 5 and 5 of the other, in five seconds each.
    expect(numbers.rates(group.id, 3)).toEqual({
      perMinute: [1_320, 780, 300],
      requests: 200,
      minutes: 0.25,
      targets: 2,
    });
    await one.at(1_030_000, { a: 200 });
    await requests(220);
    expect(numbers.rates(group.id, 1)).toMatchObject({ perMinute: [20 + 120], requests: 20 });
    // Looks at which nothing was new are not written, but known to have been.
    await one.at(1_035_000, { a: 200 });
    await one.at(1_040_000, { a: 230 });
    await requests(250);
    expect(numbers.rates(group.id, 1)?.perMinute).toEqual([360 + 120]);
    pass(60_000);
    expect(numbers.rates(group.id, 3)?.perMinute).toEqual([0, 0, 0]);
  });

  test('go with the group that they are of', async () => {
    const { engine, requests, numbers, call, balancerArn, groupArn } = await openNumbers();
    const one = engine('one');
    await one.say({});
    await one.say({ a: 1 });
    await requests(1);
    await call('DeleteLoadBalancer', { LoadBalancerArn: balancerArn });
    await call('DeleteTargetGroup', { TargetGroupArn: groupArn });
    await one.say({ a: 2 });
    await vi.waitFor(() => expect([...numbers.groups(), ...numbers.balancers()]).toEqual([]), until);
  });

  test('as metrics have no more lines than a hundred groups, and what is beyond is added up', async () => {
    const groups = Array.from({ length: 105 }, (_, i) => ({
      id: String(i),
      name: `g${String(i).padStart(3, '0')}`,
      loadBalancer: 'web',
      inFlight: 1,
      counts: counted(2),
      recent: { seconds: 0, counts: noCounts },
      targets: new Map(),
    }));
    const balancers = groups.map(({ id, name }) => ({
      id,
      name,
      engineCodes: [0, 0, 0, 3] as const,
      listeners: new Map(),
    }));
    const rest = new Map<string, unknown>();
    for (const metric of balancingMetrics({ groups: () => groups, balancers: () => balancers })) {
      const lines = await metric.read();
      const of = (name: string) => lines.filter(({ labels }) => Object.values(labels).includes(name));
      const names = new Set(lines.map(({ labels }) => labels['target_group'] ?? labels['load_balancer']));
      expect([names.size, of('g104')]).toEqual([101, []]);
      rest.set(
        metric.name,
        of('others').map((line) => ('value' in line ? line.value : [line.sum, line.classes])),
      );
    }
    expect(rest.get('slipway_balancing_requests_total')).toEqual([10]);
    expect(rest.get('slipway_balancing_engine_answers_total')).toEqual([0, 0, 0, 15]);
    expect(rest.get('slipway_balancing_target_seconds')).toEqual([[0.1, counted(10).latency.classes]]);
  });
});
