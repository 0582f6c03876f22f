import { describe, expect, test } from 'vitest';

import type { JudgeRule, MeasuredRecord, ShiftStrategy, Tally } from '../state/index.ts';

import { isMeasured, verdictOf } from './index.ts';
import { balancer, good } from './testing/shifting.ts';
import { World } from './testing/world.ts';

const minute = 60_000;
const rule: JudgeRule = { failed: 1, alpha: 1, beta: 5, within: 30, otherwise: 'rollback' };
const canary: ShiftStrategy = { type: 'CANARY', canaryPercent: 10, canaryBakeTimeInMinutes: 5 };

/** Bounds of three classes of latency, as many as tests need. */
const bounds = [0.1, 1];

const tally = (requests: number, failed = 0, slow = 0): Tally => ({
  requests,
  failed,
  classes: [requests - slow, 0, slow],
});

/** What engines have counted while the weights that are live now are. */
function count(world: World, old: Tally, next: Tally, more: Partial<MeasuredRecord> = {}): void {
  world.measured = {
    service: 'web',
    epoch: 1,
    sequence: world.shifting().sequence,
    engines: {},
    // By the last parts of the ARNs of the groups: the first revision's, and the second one's.
    sums: { 1: old, 2: next },
    before: { 1: tally(1000, 0, 10) },
    bounds,
    at: world.now,
    ...more,
  };
  work(world);
}

/** Passes, agents and engines, until nothing changes at this time. */
function work(world: World): void {
  for (let round = 0; round < 12; round++) {
    world.pass();
    for (const task of world.live()) world.step(task.id);
    world.acknowledge();
  }
  world.pass();
}

/** A service whose second revision has its first share of traffic. */
function shared(judge: JudgeRule | undefined, strategy: ShiftStrategy = canary): World {
  const world = new World({
    desired: 2,
    first: good,
    loadBalancers: [balancer],
    configuration: { strategy, bakeTimeInMinutes: 5 },
  });
  world.calm();
  world.service = { ...world.service, ...(judge === undefined ? {} : { judge }) };
  world.deploy(good);
  work(world);
  expect(world.shifting()).toMatchObject({ stage: 'PRODUCTION_TRAFFIC_SHIFT', live: { production: 10 } });
  return world;
}

const plain = tally(9000, 9);
const verdicts = (world: World): unknown => world.shifting().judged?.map(({ step, verdict }) => [step, verdict]);

describe('a step that is judged', () => {
  test('goes on when its time is over and its revision is not worse, and not before', () => {
    const world = shared(rule);
    count(world, plain, tally(1000));
    world.now += 5 * minute;
    work(world);
    expect([verdicts(world), world.shifting().step]).toEqual([[[0, 'open']], 0]);
    count(world, tally(20_000, 20), tally(2200, 2));
    expect([verdicts(world), world.shifting().stage]).toEqual([[[0, 'not worse']], 'BAKE_TIME']);
    world.calm();
    expect(verdictOf(world.service)?.verdict).toBe('succeeded');
    const early = shared(rule);
    count(early, tally(20_000, 20), tally(2200, 2));
    expect([verdicts(early), early.shifting().live.production]).toEqual([[[0, 'not worse']], 10]);
  });

  test('goes back at once when its revision is worse, with the numbers', () => {
    const world = shared(rule);
    count(world, plain, tally(200, 20));
    const evidence =
      'judged worse with 10 % of production traffic: 20 of 200 (10 %) requests of the new revision failed, 9 of 9000 (0.1 %) of the old one';
    expect(world.events.join()).toContain(`is ${evidence}.`);
    world.calm();
    expect(verdictOf(world.service)).toMatchObject({
      verdict: 'rolled back',
      evidence: expect.stringContaining(evidence) as string,
    });
    expect(world.primary().cause.failed?.shifting?.judged).toMatchObject([{ step: 0, percent: 10, verdict: 'worse' }]);
    expect(world.measured?.sequence).toBeLessThan(world.shift?.sequence ?? 0);
  });

  test('a verdict is given once, and stays whatever is counted after it', () => {
    const world = shared(rule);
    count(world, tally(20_000, 20), tally(2200, 2));
    const judged = world.shifting().judged;
    count(world, plain, tally(400, 200));
    expect(world.shifting().judged).toBe(judged);
    expect(world.events.filter((event) => event.includes('is judged'))).toHaveLength(1);
  });

  test.each([
    ['rollback', 'inconclusive'],
    ['continue', 'succeeded'],
  ] as const)('without a verdict in time, and %s: it is %s', (otherwise, verdict) => {
    const world = shared({ ...rule, otherwise });
    count(world, tally(90), tally(10));
    world.now += 30 * minute - 1;
    work(world);
    expect(world.shifting().live.production).toBe(10);
    world.now += 1;
    work(world);
    expect(world.events.join()).toMatch(
      /judged inconclusive .* 0 of 10 .* of about \d+ requests of the new one that it takes/,
    );
    world.calm();
    expect(verdictOf(world.service)?.verdict).toBe(verdict);
  });

  test('of a service that was scaled to nothing meanwhile it goes on: there is nobody left to ask', () => {
    const world = shared({ ...rule, otherwise: 'wait' });
    count(world, tally(90), tally(10));
    world.service = { ...world.service, desiredCount: 0 };
    world.now += 5 * minute - 1;
    work(world);
    expect([verdicts(world), world.shifting().live.production]).toEqual([[[0, 'open']], 10]);
    world.now += 1;
    work(world);
    expect(world.shifting()).toMatchObject({ stage: 'BAKE_TIME', live: { production: 100 } });
    world.calm();
    expect([verdictOf(world.service)?.verdict, world.live()]).toEqual(['succeeded', []]);
  });

  test('without any request in time it goes on, and says what to do for a verdict: nobody was hurt', () => {
    const world = shared(rule);
    count(world, tally(0), tally(0));
    world.now += 30 * minute;
    work(world);
    expect(world.events.join()).toMatch(
      /judged inconclusive with 10 % .* nobody asked either revision .*, so it goes on;/,
    );
    world.calm();
    expect(verdictOf(world.service)?.verdict).toBe('succeeded');
    // Of requests that cannot be compared, as nobody knows what is slow, there are some all the same.
    const slowAlone: JudgeRule = { slow: 5, alpha: 1, beta: 5, within: 30, otherwise: 'rollback' };
    const asked = shared(slowAlone);
    count(asked, tally(90), tally(10, 10), { before: {} });
    asked.now += 30 * minute;
    work(asked);
    asked.calm();
    expect(verdictOf(asked.service)?.verdict).toBe('inconclusive');
    // Where engines have told nothing at all, nobody knows whether there was traffic.
    const untold = shared(rule);
    untold.now += 30 * minute;
    work(untold);
    untold.calm();
    expect(verdictOf(untold.service)?.verdict).toBe('inconclusive');
  });

  test('wait goes on until there is a verdict, or the stage has taken a day', () => {
    const world = shared({ ...rule, otherwise: 'wait' });
    count(world, tally(90), tally(10));
    world.now += 20 * 60 * minute;
    work(world);
    expect([verdicts(world), world.shifting().live.production]).toEqual([[[0, 'open']], 10]);
    count(world, tally(20_000, 20), tally(2200, 2));
    expect(world.shifting().stage).toBe('BAKE_TIME');
    const late = shared({ ...rule, otherwise: 'wait' });
    late.now += 24 * 60 * minute + 5 * minute;
    work(late);
    expect(verdictOf(late.service)).toMatchObject({ verdict: 'inconclusive' });
  });

  test('what was counted at other weights, or before engines had them, counts for nothing', () => {
    const world = shared(rule);
    const { sequence } = world.shifting();
    count(world, plain, tally(200, 200), { sequence: sequence - 1 });
    expect(verdicts(world)).toEqual([[0, 'open']]);
    // Somebody changed the weights: nobody knows which requests were counted at which.
    world.shiftLive = undefined;
    world.measured = { ...world.measured!, sequence };
    world.pass();
    expect(verdicts(world)).toEqual([[0, 'open']]);
    work(world);
    expect(verdictOf(world.service)?.verdict).toBe('rolled back');
  });

  test('slow requests are those that the old revision seldom had before', () => {
    const both = { ...rule, slow: 5 };
    const world = shared(both);
    count(world, tally(9000, 9, 90), tally(1000, 1, 200));
    expect(verdictOf(world.service)?.evidence).toContain(
      '200 of 1000 (20 %) requests of the new revision took longer than 0.1 s, 90 of 9000 (1 %) of the old one',
    );
    const fine = shared(both);
    count(fine, tally(20_000, 20, 200), tally(2200, 2, 22));
    expect(verdicts(fine)).toEqual([[0, 'not worse']]);
    const unknown = shared(both);
    count(unknown, tally(20_000, 20, 200), tally(2200, 2, 22), { before: {} });
    expect(verdicts(unknown)).toEqual([[0, 'open']]);
  });

  test('each step of LINEAR is judged by itself, at its own weight, and with its part of the error', () => {
    const world = shared(rule, { type: 'LINEAR', stepPercent: 10, stepBakeTimeInMinutes: 1 });
    // Evidence of 1 in 200 is enough for one step; with nine steps it takes 1 in 900.
    count(world, tally(900), tally(100, 5));
    expect(verdicts(world)).toEqual([[0, 'open']]);
    count(world, tally(20_000, 20), tally(2200, 2));
    world.now += minute;
    work(world);
    expect(verdicts(world)).toEqual([
      [0, 'not worse'],
      [1, 'open'],
    ]);
    expect(world.shifting().live.production).toBe(20);
    count(world, tally(800), tally(200, 40));
    expect(verdictOf(world.service)?.evidence).toContain('judged worse with 20 %');
  });

  test('is shown while it is open, and so is what keeps it from being judged', () => {
    const world = shared(rule);
    expect(world.shifting().judged).toMatchObject([{ verdict: 'open', compared: [] }]);
    count(world, plain, tally(0));
    expect(world.shifting().judged?.[0]?.compared).toMatchObject([{ what: 'failed', verdict: 'open' }]);
    count(world, plain, tally(200, 200), { problem: 'the target group web is of TCP' });
    expect(world.shifting().judged).toMatchObject([{ verdict: 'open', problem: 'the target group web is of TCP' }]);
    world.now += 30 * minute;
    work(world);
    expect(verdictOf(world.service)?.evidence).toContain('the target group web is of TCP');
  });
});

test('nothing is judged where nobody asks for it, at 100 %, or in other strategies', () => {
  const world = shared(undefined);
  expect(isMeasured(world.service)).toBe(false);
  count(world, plain, tally(200, 200));
  world.now += 5 * minute;
  work(world);
  expect(world.shifting()).toMatchObject({ stage: 'BAKE_TIME' });
  expect(world.shifting().judged).toBeUndefined();
  const judged = shared(rule);
  expect(isMeasured(judged.service)).toBe(true);
  // Without the tag a step goes on: it is how a person ends the wait.
  const { judge: _, ...service } = judged.service;
  judged.service = service;
  judged.now += 5 * minute;
  work(judged);
  expect(judged.shifting().stage).toBe('BAKE_TIME');
});
