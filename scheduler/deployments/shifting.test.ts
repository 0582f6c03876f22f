import { describe, expect, test } from 'vitest';

import type { DeploymentConfiguration, LifecycleHook, LifecycleStage, ServiceLoadBalancer } from '../state/index.ts';

import { verdictOf } from './index.ts';
import { breaker, type Revision, World } from './testing/world.ts';
import { weightsOf } from './weights.ts';

const minute = 60_000;
const good: Revision = { behaviour: 'good', checks: false };
const blue = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/1';
const green = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/2';
const production = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/lb/1/2/3';
const testing = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/lb/1/2/4';
const balancer: ServiceLoadBalancer = {
  targetGroupArn: blue,
  containerName: 'app',
  containerPort: 80,
  advanced: {
    alternateTargetGroupArn: green,
    productionListenerRule: production,
    testListenerRule: testing,
    roleArn: 'arn:aws:iam::000000000000:role/ecs',
  },
};

/** A service whose first revision is up and has all traffic. */
function started(configuration: Partial<DeploymentConfiguration>, desired = 2): World {
  const world = new World({ desired, first: good, loadBalancers: [balancer], configuration });
  world.calm();
  expect(world.service.steady).toBe(true);
  return world;
}

const blueGreen = { strategy: { type: 'BLUE_GREEN' }, bakeTimeInMinutes: 5 } as const;

/** Passes and reports of agents, without anything of traffic engines or hooks, until nothing changes at this time. */
function work(world: World, rounds = 12): void {
  for (let round = 0; round < rounds; round++) {
    world.pass();
    for (const task of world.live()) world.step(task.id);
  }
  world.pass();
}

/** Percent that each group is to have of a rule's traffic. */
const wants = (world: World, arn = production): Record<string, number> =>
  Object.fromEntries(
    (world.shift?.rules.find((rule) => rule.arn === arn)?.groups ?? []).map(({ targetGroupArn, weight }) => [
      targetGroupArn === blue ? 'blue' : 'green',
      weight,
    ]),
  );

const counts = (world: World): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(world.wanted(), ({ taskDefinition }) => taskDefinition.split(':').at(-1) ?? '')].map(
      ([revision, tasks]) => [revision, tasks.length],
    ),
  );

const hook = (stages: readonly LifecycleStage[], more: Partial<LifecycleHook> = {}): LifecycleHook => ({
  targetArn: 'https://hooks.example.com/check',
  target: { type: 'webhook', url: 'https://hooks.example.com/check' },
  stages,
  timeoutInMinutes: 10,
  onTimeout: 'ROLLBACK',
  ...more,
});

const openRun = (world: World): string => {
  const run = world.shifting().runs.find(({ status }) => status === 'IN_PROGRESS' || status === 'AWAITING_ACTION');
  if (run === undefined) throw new Error('no run is open');
  return run.id;
};

describe('the stages', () => {
  test('the first deployment has all traffic from the start, and completes without anything to shift', () => {
    const world = started(blueGreen);
    expect(wants(world)).toEqual({ blue: 100, green: 0 });
    expect(world.primary().rolloutState).toBe('COMPLETED');
  });

  test('blue/green: each step waits for what engines have acknowledged, the old revision is whole until bake time is over', () => {
    const world = started(blueGreen);
    const sequence = world.shift?.sequence;
    world.deploy(good);
    world.pass();
    expect(world.shift?.sequence).toBe(sequence);
    work(world);
    expect(counts(world)).toEqual({ 0: 2, 1: 2 });
    expect(world.shifting().stage).toBe('TEST_TRAFFIC_SHIFT');
    expect([wants(world, testing), wants(world)]).toEqual([
      { blue: 0, green: 100 },
      { blue: 100, green: 0 },
    ]);
    work(world);
    expect(world.shifting().stage).toBe('TEST_TRAFFIC_SHIFT');
    world.acknowledge();
    work(world);
    expect(world.shifting().stage).toBe('PRODUCTION_TRAFFIC_SHIFT');
    expect(wants(world)).toEqual({ blue: 0, green: 100 });
    expect(world.shifting().live).toMatchObject({ production: 0, test: 100 });
    world.acknowledge();
    work(world);
    expect(world.shifting()).toMatchObject({ stage: 'BAKE_TIME', live: { production: 100 } });
    world.now += 5 * minute - 1;
    work(world);
    expect(counts(world)).toEqual({ 0: 2, 1: 2 });
    world.now += 1;
    work(world);
    expect(counts(world)).toEqual({ 1: 2 });
    expect(verdictOf(world.service)?.verdict).toBe('succeeded');
    expect(world.service.steady).toBe(true);
  });

  test('a rule that never named the second group does so, with weight 0, before the first task starts', () => {
    const world = started({});
    const { deploymentConfiguration } = world.service;
    expect(world.shift).toBeUndefined();
    const shifting = new World({ desired: 2, first: good, loadBalancers: [balancer], configuration: blueGreen });
    shifting.service = { ...world.service, deploymentConfiguration: { ...deploymentConfiguration, ...blueGreen } };
    for (const task of world.tasks.values()) shifting.tasks.set(task.id, task);
    shifting.now = world.now;
    shifting.deploy(good);
    work(shifting);
    expect(shifting.shifting().stage).toBe('RECONCILE_SERVICE');
    expect(wants(shifting)).toEqual({ blue: 100, green: 0 });
    expect(counts(shifting)).toEqual({ 0: 2 });
    shifting.acknowledge();
    work(shifting);
    expect(counts(shifting)).toEqual({ 0: 2, 1: 2 });
  });

  test('linear: equal steps with a rest after each but the last', () => {
    const strategy = { type: 'LINEAR', stepPercent: 40, stepBakeTimeInMinutes: 3 } as const;
    const world = started({ strategy, bakeTimeInMinutes: 0 });
    world.deploy(good);
    const seen: number[] = [];
    for (let round = 0; round < 100 && world.primary().rolloutState !== 'COMPLETED'; round++) {
      work(world, 4);
      const { production: percent } = world.shifting().wanted;
      if (seen.at(-1) !== percent) seen.push(percent);
      world.acknowledge();
      world.now += 30_000;
    }
    expect(seen).toEqual([0, 40, 80, 100]);
    expect(world.primary().rolloutState).toBe('COMPLETED');
  });

  test('linear: the rest begins when the step is live', () => {
    const strategy = { type: 'LINEAR', stepPercent: 50, stepBakeTimeInMinutes: 3 } as const;
    const world = started({ strategy, bakeTimeInMinutes: 0 });
    world.deploy(good);
    work(world);
    world.acknowledge();
    work(world);
    expect(wants(world)).toEqual({ blue: 50, green: 50 });
    world.now += 10 * minute;
    work(world);
    world.acknowledge();
    work(world);
    expect(wants(world)).toEqual({ blue: 50, green: 50 });
    world.now += 3 * minute;
    work(world);
    expect(wants(world)).toEqual({ blue: 0, green: 100 });
  });

  test('canary: a little first, and the rest after a while', () => {
    const strategy = { type: 'CANARY', canaryPercent: 0.5, canaryBakeTimeInMinutes: 3 } as const;
    const world = started({ strategy, bakeTimeInMinutes: 0 });
    world.deploy(good);
    work(world);
    world.acknowledge();
    work(world);
    expect(wants(world)).toEqual({ blue: 995, green: 5 });
    world.calm();
    expect(wants(world)).toEqual({ blue: 0, green: 100 });
    expect(world.primary().rolloutState).toBe('COMPLETED');
  });

  test('the next deployment takes the other group', () => {
    const world = started(blueGreen);
    for (const own of [green, blue, green]) {
      world.deploy(good);
      world.calm();
      expect(world.primary()).toMatchObject({ rolloutState: 'COMPLETED', loadBalancers: [{ targetGroupArn: own }] });
      expect(wants(world)).toEqual(own === green ? { blue: 0, green: 100 } : { blue: 100, green: 0 });
    }
  });

  test('without load balancers the same stages are gone through', () => {
    const world = new World({ desired: 2, first: good, configuration: blueGreen });
    world.calm();
    world.deploy(good);
    work(world);
    world.now += minute;
    work(world);
    expect(world.shifting().stage).toBe('BAKE_TIME');
    expect(counts(world)).toEqual({ 0: 2, 1: 2 });
    world.calm();
    expect(counts(world)).toEqual({ 1: 2 });
    expect(world.shift).toBeUndefined();
  });

  test('scaled in mid-deployment, both revisions follow', () => {
    const world = started(blueGreen);
    world.deploy(good);
    work(world);
    world.service = { ...world.service, desiredCount: 4 };
    work(world);
    expect(counts(world)).toEqual({ 0: 4, 1: 4 });
    world.acknowledge();
    world.service = { ...world.service, desiredCount: 1 };
    work(world);
    expect(counts(world)).toEqual({ 0: 1, 1: 1 });
  });

  test('a task of the old revision that dies is replaced by its own, and traffic waits for the new one to be whole', () => {
    const world = started(blueGreen);
    world.deploy(good);
    work(world);
    const [old] = world.wanted().filter(({ taskDefinition }) => taskDefinition.endsWith(':0'));
    const [own] = world.wanted().filter(({ taskDefinition }) => taskDefinition.endsWith(':1'));
    for (const task of [old, own]) world.stopped(task?.id ?? '', 'EssentialContainerExited', 'killed');
    world.acknowledge();
    world.pass();
    expect(wants(world)).toEqual({ blue: 100, green: 0 });
    work(world);
    expect(counts(world)).toEqual({ 0: 2, 1: 2 });
    expect(wants(world)).toEqual({ blue: 0, green: 100 });
  });

  test('deleted in mid-shift, the service ends, and what rules were told goes with it', () => {
    const world = started(blueGreen);
    world.deploy(good);
    work(world);
    world.service = { ...world.service, status: 'DRAINING', desiredCount: 0 };
    world.calm();
    expect(world.service.status).toBe('INACTIVE');
    expect(world.live()).toEqual([]);
    expect([world.shift, world.shiftLive]).toEqual([undefined, undefined]);
  });
});

describe('going back', () => {
  /** In bake time, with all traffic on the new revision. */
  function baking(more: Partial<DeploymentConfiguration> = {}): World {
    const world = started({ ...blueGreen, circuitBreaker: breaker(true), ...more });
    world.deploy(good);
    for (let round = 0; round < 4; round++) {
      work(world);
      world.acknowledge();
    }
    expect(world.shifting().stage).toBe('BAKE_TIME');
    return world;
  }

  test('traffic first, acknowledged, and tasks then', () => {
    const world = baking();
    const { id } = world.primary();
    world.stopDeployment('ROLLBACK');
    work(world);
    expect(world.shifting()).toMatchObject({ rollback: { verdict: 'inconclusive' } });
    expect(verdictOf(world.service)?.verdict).toBe('rolling back');
    expect(wants(world)).toEqual({ blue: 100, green: 0 });
    expect(wants(world, testing)).toEqual({ blue: 100, green: 0 });
    expect(counts(world)).toEqual({ 0: 2, 1: 2 });
    world.acknowledge();
    work(world);
    expect(counts(world)).toEqual({ 0: 2 });
    expect(world.primary()).toMatchObject({
      rolloutState: 'COMPLETED',
      cause: { kind: 'rollback', failed: { id, rolloutState: 'FAILED', shifting: { stage: 'BAKE_TIME' } } },
    });
    expect(verdictOf(world.service)?.verdict).toBe('inconclusive');
  });

  test('the circuit breaker trips in bake time', () => {
    const world = baking();
    world.revisions[1] = { behaviour: 'never healthy', checks: false };
    work(world);
    expect(world.shifting().rollback).toMatchObject({ verdict: 'failed' });
    expect(wants(world)).toEqual({ blue: 100, green: 0 });
    const { failedTasks } = world.primary();
    expect(failedTasks).toBeGreaterThanOrEqual(3);
    // One that becomes healthy afterwards takes nothing of the evidence away.
    world.revisions[1] = good;
    work(world);
    expect(world.primary()).toMatchObject({ failedTasks });
    world.calm();
    expect(verdictOf(world.service)?.verdict).toBe('rolled back');
    expect(world.primary().cause.failed).toMatchObject({ failedTasks });
    expect(counts(world)).toEqual({ 0: 2 });
    expect(world.service.steady).toBe(true);
  });

  test('a revision that never starts is given up before it has any traffic', () => {
    const world = started({ ...blueGreen, circuitBreaker: breaker(true) });
    world.deploy({ behaviour: 'fails to start', checks: false });
    const told = world.shift?.sequence;
    world.calm();
    expect(world.shift?.sequence).toBe(told);
    expect(verdictOf(world.service)?.verdict).toBe('rolled back');
    expect(counts(world)).toEqual({ 0: 2 });
  });

  test('without rollback the breaker leaves everything where it is', () => {
    const world = started({ ...blueGreen, circuitBreaker: breaker(false) });
    world.deploy({ behaviour: 'fails to start', checks: false });
    world.calm();
    expect(world.primary().rolloutState).toBe('FAILED');
    expect(verdictOf(world.service)?.verdict).toBe('failed');
    expect(counts(world)).toEqual({ 0: 2 });
    world.deploy(good);
    world.calm();
    expect(verdictOf(world.service)?.verdict).toBe('succeeded');
  });

  test('no room for a day is no bad image', () => {
    const world = started({ ...blueGreen, circuitBreaker: breaker(true) });
    world.deploy({ behaviour: 'cannot be placed', checks: false });
    work(world);
    expect(verdictOf(world.service)?.verdict).toBe('unplaceable');
    world.now += 24 * 60 * minute;
    world.calm();
    expect(verdictOf(world.service)).toMatchObject({ verdict: 'unplaceable' });
    expect(world.primary()).toMatchObject({ rolloutState: 'COMPLETED', cause: { kind: 'rollback' } });
  });

  test('an old revision that is too weak gets traffic back when it has recovered', () => {
    const world = baking();
    const old = world.wanted().filter(({ taskDefinition }) => taskDefinition.endsWith(':0'));
    for (const { id } of old) world.stopped(id, 'EssentialContainerExited', 'killed');
    world.stopDeployment('ROLLBACK');
    world.pass();
    expect(wants(world)).toEqual({ blue: 0, green: 100 });
    work(world);
    expect(wants(world)).toEqual({ blue: 100, green: 0 });
  });

  test('engines that cannot take weights over: given up after ten minutes, and told', () => {
    const world = started(blueGreen);
    world.deploy(good);
    work(world);
    world.acknowledge('the rule is gone');
    work(world);
    expect(world.events.at(-1)).toContain('is unable to shift traffic: the rule is gone');
    expect(world.shifting().rollback).toBeUndefined();
    world.now += 10 * minute;
    work(world);
    expect(world.shifting().rollback).toMatchObject({ verdict: 'inconclusive' });
    world.acknowledge('the rule is gone');
    work(world);
    expect(counts(world)).toEqual({ 0: 2, 1: 2 });
  });

  test('an abort does not wait for rules that are gone', () => {
    const world = baking();
    world.stopDeployment('ABORT');
    world.pass();
    world.acknowledge('the rule is gone');
    work(world);
    expect(counts(world)).toEqual({ 0: 2 });
    expect(world.primary()).toMatchObject({ cause: { failed: { shifting: { stop: { type: 'ABORT' } } } } });
  });

  test('the first deployment has nothing to go back to', () => {
    const world = new World({ desired: 2, first: good, loadBalancers: [balancer], configuration: blueGreen });
    work(world);
    world.stopDeployment('ROLLBACK');
    work(world);
    expect(world.primary().rolloutState).toBe('FAILED');
    expect(verdictOf(world.service)?.verdict).toBe('inconclusive');
    expect(counts(world)).toEqual({ 0: 2 });
  });
});

describe('superseded', () => {
  test.each([
    ['before anything of it is live', 0],
    ['with test traffic', 1],
    ['with production traffic', 2],
    ['in bake time', 3],
  ])('%s: traffic goes back first, then its tasks, and the next one starts in the same group', (_, acknowledged) => {
    const world = started(blueGreen);
    const first = world.deploy(good);
    for (let round = 0; round < acknowledged; round++) {
      work(world);
      world.acknowledge();
    }
    work(world);
    world.deploy(good);
    world.pass();
    expect(world.service.deployments.find(({ id }) => id === first.id)?.shifting?.rollback?.reason).toContain(
      'superseded',
    );
    expect(wants(world)).toEqual({ blue: 100, green: 0 });
    work(world);
    expect(counts(world)).toEqual({ 0: 2, 1: 2 });
    world.acknowledge();
    work(world);
    expect(counts(world)).toEqual({ 0: 2, 2: 2 });
    expect(world.primary().loadBalancers).toMatchObject([{ targetGroupArn: green }]);
    world.calm();
    expect(counts(world)).toEqual({ 2: 2 });
    expect(wants(world)).toEqual({ blue: 0, green: 100 });
    expect(verdictOf(world.service)?.verdict).toBe('succeeded');
  });

  test('one that cleans up already is the old revision of the next', () => {
    const world = started(blueGreen);
    world.deploy(good);
    for (let round = 0; round < 4; round++) {
      work(world);
      world.acknowledge();
    }
    world.now += 5 * minute;
    world.pass();
    expect(world.shifting().stage).toBe('CLEAN_UP');
    world.deploy(good);
    work(world);
    expect(counts(world)).toEqual({ 1: 2, 2: 2 });
    expect(world.primary().loadBalancers).toMatchObject([{ targetGroupArn: blue }]);
    world.calm();
    expect(counts(world)).toEqual({ 2: 2 });
  });
});

describe('hooks', () => {
  /** Until the hook is asked. */
  const asked = (stages: readonly LifecycleStage[], more: Partial<LifecycleHook> = {}): World => {
    const world = new World({ desired: 2, first: good, loadBalancers: [balancer], configuration: blueGreen });
    world.calm();
    world.deploy(good);
    const [deployment, ...rest] = world.service.deployments;
    world.service = {
      ...world.service,
      deployments: [{ ...deployment!, shifting: { ...deployment!.shifting!, hooks: [hook(stages, more)] } }, ...rest],
    };
    for (let round = 0; round < 5 && world.shifting().runs.length === 0; round++) {
      work(world);
      world.acknowledge();
    }
    return world;
  };

  test.each([
    'PRE_SCALE_UP',
    'POST_SCALE_UP',
    'TEST_TRAFFIC_SHIFT',
    'POST_TEST_TRAFFIC_SHIFT',
    'PRE_PRODUCTION_TRAFFIC_SHIFT',
    'PRODUCTION_TRAFFIC_SHIFT',
    'POST_PRODUCTION_TRAFFIC_SHIFT',
  ] as const)('%s is left when the hook has succeeded', (stage) => {
    const world = asked([stage]);
    expect(world.shifting()).toMatchObject({
      stage,
      runs: [{ hook: 0, stage, status: 'IN_PROGRESS', isRollback: false }],
    });
    world.now += 5 * minute;
    work(world);
    expect(world.shifting().stage).toBe(stage);
    world.answer(openRun(world), 'IN_PROGRESS');
    work(world);
    expect(world.shifting().stage).toBe(stage);
    world.answer(openRun(world), 'SUCCEEDED');
    world.calm();
    expect(world.shifting().runs).toMatchObject([{ status: 'SUCCEEDED' }]);
    expect(verdictOf(world.service)?.verdict).toBe('succeeded');
  });

  test('one that fails takes the deployment back, with its reason', () => {
    const world = asked(['POST_TEST_TRAFFIC_SHIFT']);
    world.answer(openRun(world), 'FAILED', 'the shop cannot sell');
    world.calm();
    expect(verdictOf(world.service)).toMatchObject({ verdict: 'rolled back' });
    expect(verdictOf(world.service)?.evidence).toContain('POST_TEST_TRAFFIC_SHIFT failed: the shop cannot sell');
    expect(counts(world)).toEqual({ 0: 2 });
  });

  test('the query of its address, which may be a secret, is nowhere in what is said of a failure', () => {
    const url = 'https://hooks.example.com/check?token=hidden';
    const world = asked(['POST_SCALE_UP'], { targetArn: url, target: { type: 'webhook', url } });
    world.answer(openRun(world), 'FAILED');
    work(world);
    const says = [...world.events, ...(world.lastPlan?.decisions ?? []).map(({ why }) => why)];
    expect(says.join()).toContain('https://hooks.example.com/check) in stage POST_SCALE_UP failed');
    const { rolloutStateReason, shifting } = world.primary();
    expect([...says, rolloutStateReason, shifting?.rollback?.reason].join()).not.toContain('hidden');
  });

  test('one that takes too long: back, or on', () => {
    for (const onTimeout of ['ROLLBACK', 'CONTINUE'] as const) {
      const world = asked(['POST_SCALE_UP'], { onTimeout });
      world.now += 10 * minute;
      world.calm();
      expect(verdictOf(world.service)?.verdict).toBe(onTimeout === 'ROLLBACK' ? 'inconclusive' : 'succeeded');
    }
  });

  test('a pause waits for a person, longer than a stage may take', () => {
    const world = asked(['PRE_PRODUCTION_TRAFFIC_SHIFT'], {
      target: { type: 'pause' },
      timeoutInMinutes: 14 * 24 * 60,
    });
    expect(world.shifting().runs).toMatchObject([{ status: 'AWAITING_ACTION' }]);
    world.now += 48 * 60 * minute;
    work(world);
    expect(world.shifting()).toMatchObject({ stage: 'PRE_PRODUCTION_TRAFFIC_SHIFT', wanted: { production: 0 } });
    world.answer(openRun(world), 'SUCCEEDED');
    world.calm();
    expect(verdictOf(world.service)?.verdict).toBe('succeeded');
  });

  test('hooks of traffic shifts hear of a rollback when traffic is back, and hold nothing up but the end of tasks', () => {
    const world = asked(['PRODUCTION_TRAFFIC_SHIFT']);
    world.answer(openRun(world), 'FAILED', 'errors');
    work(world);
    expect(world.shifting().runs).toHaveLength(1);
    world.acknowledge();
    work(world);
    expect(world.shifting().runs).toMatchObject([{ isRollback: false }, { isRollback: true, status: 'IN_PROGRESS' }]);
    expect(wants(world)).toEqual({ blue: 100, green: 0 });
    expect(counts(world)).toEqual({ 0: 2, 1: 2 });
    world.answer(openRun(world), 'FAILED', 'whatever');
    work(world);
    expect(counts(world)).toEqual({ 0: 2 });
  });

  test('answers go with their deployment', () => {
    const world = asked(['POST_SCALE_UP']);
    world.answer(openRun(world), 'SUCCEEDED');
    world.calm();
    expect(world.hookResults.size).toBe(1);
    world.deploy(good);
    world.calm();
    world.deploy(good);
    world.calm();
    expect(world.hookResults.size).toBe(0);
  });

  test('RECONCILE_SERVICE asks only when more than one revision was there', () => {
    const next = asked(['RECONCILE_SERVICE', 'POST_SCALE_UP']);
    expect(next.shifting().runs.map(({ stage }) => stage)).toEqual(['POST_SCALE_UP']);
  });
});

test('weights say a percentage exactly, and are below 1000', () => {
  expect([0, 100, 5, 0.1, 99.9, 33.3].map(weightsOf)).toEqual([
    [0, 100],
    [100, 0],
    [5, 95],
    [1, 999],
    [999, 1],
    [333, 667],
  ]);
});
