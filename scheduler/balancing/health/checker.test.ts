import { memoryRecords } from '@slipway/storage/records/memory';
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';

import { SteppedClock } from '../../control/testing/stepped-clock.ts';
import { Balancers, type TargetGroupRecord } from '../records/index.ts';

import { HealthChecker } from './checker.ts';
import type { Checked } from './probe.ts';
import type { CheckResult } from './state.ts';

const account = '000000000000';

const group: TargetGroupRecord = {
  id: 'group',
  name: 'web',
  protocol: 'HTTP',
  protocolVersion: 'HTTP1',
  port: 80,
  vpcId: 'vpc-1',
  targetType: 'ip',
  createdAt: 0,
  attributes: {},
  tags: {},
  healthCheck: {
    protocol: 'HTTP',
    port: 'traffic-port',
    path: '/up',
    matcher: '200',
    interval: 10,
    timeout: 5,
    healthyThreshold: 2,
    unhealthyThreshold: 2,
  },
};

/** A checker over records in memory, a clock that stands still, and targets that answer as they are told to. */
async function openChecker() {
  const clock = new SteppedClock();
  const records = memoryRecords(clock);
  const balancers = new Balancers({ records, clock, random: randomBytes });
  const answers = new Map<string, CheckResult | 'never'>();
  const checks: { readonly at: number; readonly checked: Checked }[] = [];
  const warnings: unknown[] = [];
  const probe = (checked: Checked): Promise<CheckResult> => {
    checks.push({ at: clock.monotonic(), checked });
    const answer = answers.get(checked.address) ?? { kind: 'passed' };
    return answer === 'never' ? new Promise(() => {}) : Promise.resolve(answer);
  };
  const log = {
    info: () => {},
    warn: (fields: unknown) => warnings.push(fields),
    error: (fields: unknown) => warnings.push(fields),
  };
  const checker = new HealthChecker({ balancers, clock, log, probe, atOnce: 3, mostInCommit: 2 });
  const change = async (work: Parameters<typeof balancers.change<void>>[1]): Promise<void> => {
    const { balancing } = await balancers.change(account, work);
    checker.update(balancing.carried);
  };
  const register = (address: string, id = address): Promise<void> =>
    change((draft) =>
      draft.put('target', {
        id,
        groupId: group.id,
        targetId: address,
        address,
        port: 8080,
        registeredAt: 0,
        health: { state: 'initial' },
        tags: {},
      }),
    );
  const use = (): Promise<void> =>
    change((draft) => {
      draft.put('targetgroup', group);
      draft.put('loadbalancer', {
        id: 'balancer',
        name: 'web',
        type: 'application',
        scheme: 'internal',
        vpcId: 'vpc-1',
        subnets: [],
        securityGroups: [],
        address: '127.42.0.1',
        dnsName: 'web.elb.localhost',
        createdAt: 0,
        attributes: {},
        tags: {},
      });
      draft.put('listener', {
        id: 'listener',
        loadBalancerId: 'balancer',
        protocol: 'HTTP',
        port: 80,
        certificates: [],
        defaultAction: { type: 'forward', targetGroups: [{ id: group.id, weight: 1 }] },
        defaultRuleId: 'rule',
        createdAt: 0,
        attributes: {},
        tags: {},
      });
    });
  const ended = new AbortController();
  return {
    clock,
    records,
    balancers,
    answers,
    checks,
    warnings,
    register,
    use,
    change,
    start: () => checker.run(account, undefined, ended.signal),
    stop: () => ended.abort(),
    /** Lets everything happen that does not wait for time. */
    settle: async () => {
      for (let turn = 0; turn < 50; turn++) await setImmediate();
    },
    states: async () =>
      Object.fromEntries(
        (await balancers.read(account)).all('target').map(({ id, health }) => [id, health.state] as const),
      ),
  };
}

test('targets of a group that a listener names are checked at once, and then in its interval', async () => {
  const world = await openChecker();
  const running = world.start();
  await world.change((draft) => draft.put('targetgroup', group));
  await world.register('10.0.0.1');
  await world.settle();
  expect(world.checks).toEqual([]);
  await world.use();
  await world.settle();
  expect(world.checks).toMatchObject([
    { at: 0, checked: { address: '10.0.0.1', port: 8080, version: 'HTTP1', check: { path: '/up' } } },
  ]);
  expect(await world.states()).toEqual({ '10.0.0.1': 'healthy' });
  for (let step = 0; step < 3; step++) {
    world.clock.step(Number.POSITIVE_INFINITY);
    await world.settle();
  }
  expect(world.checks.map(({ at }) => at)).toEqual([0, 10_000, 20_000, 30_000]);
  world.stop();
  await running;
});

test('one that fails becomes unhealthy, says why, and comes back', async () => {
  const world = await openChecker();
  const running = world.start();
  await world.use();
  await world.register('10.0.0.1');
  await world.settle();
  const step = async (answer: CheckResult): Promise<unknown> => {
    world.answers.set('10.0.0.1', answer);
    world.clock.step(Number.POSITIVE_INFINITY);
    await world.settle();
    return world.states();
  };
  expect(await step({ kind: 'code', code: 503 })).toEqual({ '10.0.0.1': 'healthy' });
  expect(await step({ kind: 'code', code: 503 })).toEqual({ '10.0.0.1': 'unhealthy' });
  expect((await world.balancers.read(account)).get('target', '10.0.0.1')?.health).toEqual({
    state: 'unhealthy',
    reason: 'Target.ResponseCodeMismatch',
    description: 'Health checks failed with these codes: [503]',
    passed: true,
  });
  expect(await step({ kind: 'passed' })).toEqual({ '10.0.0.1': 'unhealthy' });
  expect(await step({ kind: 'passed' })).toEqual({ '10.0.0.1': 'healthy' });
  world.stop();
  await running;
});

test('what drains or went is not checked any more', async () => {
  const world = await openChecker();
  const running = world.start();
  await world.use();
  await world.register('10.0.0.1');
  await world.register('10.0.0.2');
  await world.settle();
  await world.change((draft) => {
    const target = draft.get('target', '10.0.0.1');
    if (target !== undefined) draft.put('target', { ...target, deregisteredAt: 1 });
    draft.remove('target', '10.0.0.2');
  });
  const before = world.checks.length;
  world.clock.step(60_000);
  await world.settle();
  expect(world.checks).toHaveLength(before);
  world.stop();
  await running;
});

test('a check that hangs keeps nobody from being checked, as long as there is room', async () => {
  const world = await openChecker();
  const running = world.start();
  await world.use();
  world.answers.set('10.0.0.1', 'never');
  for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5']) await world.register(address);
  await world.settle();
  expect(await world.states()).toEqual({
    '10.0.0.1': 'initial',
    '10.0.0.2': 'healthy',
    '10.0.0.3': 'healthy',
    '10.0.0.4': 'healthy',
    '10.0.0.5': 'healthy',
  });
  world.stop();
  await running;
});

test('what does not change is not written', async () => {
  const world = await openChecker();
  const running = world.start();
  await world.use();
  await world.register('10.0.0.1');
  await world.settle();
  const { generation } = await world.balancers.read(account);
  for (let step = 0; step < 5; step++) {
    world.clock.step(Number.POSITIVE_INFINITY);
    await world.settle();
  }
  expect((await world.balancers.read(account)).generation).toBe(generation);
  expect(world.warnings).toEqual([]);
  world.stop();
  await running;
});

test('what changed at once is written in commits that are not too large', async () => {
  const { records, register, use, start, stop, settle, states } = await openChecker();
  const targets = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const target of targets) await register(target);
  await use();
  const commits = vi.spyOn(records, 'commit');
  const running = start();
  await settle();
  stop();
  await running;
  const written = commits.mock.calls.map(
    ([, { put = [] }]) => put.filter(({ key }) => key.startsWith('noun/target/')).length,
  );
  expect(Math.max(...written)).toBe(2);
  expect(await states()).toEqual(Object.fromEntries(targets.map((target) => [target, 'healthy'])));
});

test('a change of one target lets nobody forget those of Classic Load Balancers', async () => {
  const world = await openChecker();
  const running = world.start();
  await world.use();
  await world.register('10.0.0.1');
  await world.change((draft) => {
    draft.put('classic', {
      id: 'old',
      name: 'old',
      scheme: 'internal',
      vpcId: 'vpc-1',
      subnets: [],
      securityGroups: [],
      address: '127.42.0.2',
      dnsName: 'old.elb.localhost',
      createdAt: 0,
      listeners: [{ protocol: 'HTTP', port: 80, instanceProtocol: 'HTTP', instancePort: 80 }],
      instances: ['i-1'],
      healthCheck: { target: 'HTTP:80/', interval: 10, timeout: 5, healthyThreshold: 2, unhealthyThreshold: 2 },
      idleTimeout: 60,
      draining: { enabled: false, timeout: 300 },
      tags: {},
    });
    draft.put('target', {
      id: 'instance',
      groupId: 'old-HTTP-80',
      targetId: 'i-1',
      address: '10.0.0.9',
      port: 80,
      registeredAt: 0,
      health: { state: 'initial' },
      tags: {},
    });
  });
  await world.settle();
  expect(await world.states()).toEqual({ '10.0.0.1': 'healthy', instance: 'healthy' });
  for (const address of ['10.0.0.1', '10.0.0.9']) world.answers.set(address, { kind: 'timeout' });
  for (let check = 0; check < 2; check++) {
    world.clock.step(Number.POSITIVE_INFINITY);
    await world.settle();
  }
  expect(await world.states()).toEqual({ '10.0.0.1': 'unhealthy', instance: 'unhealthy' });
  world.stop();
  await running;
});
