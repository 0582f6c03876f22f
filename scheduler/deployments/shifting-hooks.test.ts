import { describe, expect, test } from 'vitest';

import type { LifecycleHook, LifecycleStage } from '../state/index.ts';

import { verdictOf } from './index.ts';
import { blueGreen, counts, good, testedBalancer, wants, work } from './testing/shifting.ts';
import { World } from './testing/world.ts';

const minute = 60_000;

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

describe('hooks', () => {
  /** Until the hook is asked. */
  const asked = (stages: readonly LifecycleStage[], more: Partial<LifecycleHook> = {}): World => {
    const world = new World({ desired: 2, first: good, loadBalancers: [testedBalancer], configuration: blueGreen });
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
