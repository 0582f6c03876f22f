import { describe, expect, test } from 'vitest';

import type { DeploymentConfiguration } from '../state/index.ts';

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
import { breaker, World } from './testing/world.ts';

const minute = 60_000;

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
    const world = new World({ desired: 2, first: good, loadBalancers: [testedBalancer], configuration: blueGreen });
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
