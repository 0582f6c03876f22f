import { describe, expect, test } from 'vitest';

import { verdictOf } from './index.ts';
import {
  blue,
  blueGreen,
  counts,
  good,
  green,
  started,
  testedBalancer,
  testing,
  wants,
  work,
} from './testing/shifting.ts';
import { World } from './testing/world.ts';
import { weightsOf } from './weights.ts';

const minute = 60_000;

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
    const shifting = new World({ desired: 2, first: good, loadBalancers: [testedBalancer], configuration: blueGreen });
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
