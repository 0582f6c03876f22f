import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';

import { breakerThreshold, isHealthy, lowerBound, upperBound } from './index.ts';
import { act, deed, healthyTasks, interruptedAt, revision, spare } from './testing/deeds.ts';
import { breaker, World } from './testing/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const runs = { nightly: 3_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 250;

const setting = fc.record({
  desired: fc.integer({ min: 0, max: 6 }),
  room: fc.integer({ min: 1, max: 12 }),
  minimumHealthyPercent: fc.constantFrom(0, 33, 50, 75, 100),
  maximumPercent: fc.constantFrom(100, 125, 150, 200),
  rollback: fc.boolean(),
  first: revision,
});

const occupying = (world: World): number =>
  world.live().filter((one) => world.hosts.find(({ id }) => id === one.instanceId)?.condition !== 'lost').length;

/** One pass, with everything that must hold about it. */
function checkedPass(world: World): void {
  const { desiredCount: desired, deploymentConfiguration: configuration } = world.service;
  const lower = lowerBound(desired, configuration);
  const upper = upperBound(desired, configuration);
  const due = world.wanted().filter((one) => interruptedAt(world, one) <= world.now);
  const healthyBefore =
    healthyTasks(world).length - due.filter((one) => isHealthy(one, world.now, world.options)).length;
  const tasksBefore = world.tasks.size;
  const primaryBefore = world.primary().id;
  const plan = world.pass();

  const broken: string[] = [];
  const must = (holds: boolean, rule: string): void => {
    if (!holds) broken.push(rule);
  };
  must(world.tasks.size === tasksBefore || occupying(world) <= upper, `${occupying(world)} tasks, at most ${upper}`);
  must(
    healthyTasks(world).length >= Math.min(lower, healthyBefore),
    `${healthyTasks(world).length} healthy of ${healthyBefore}, at least ${lower}`,
  );
  const told = plan.tasks.filter(({ id, stopCode }) => stopCode === 'SpotInterruption' && plan.stops.includes(id));
  must(
    due.every(({ id }) => world.tasks.get(id)?.desiredStatus === 'STOPPED'),
    'a task outlives its host',
  );
  must(
    told.every((one) => interruptedAt(world, one) < Infinity),
    'interrupted on a host that stays',
  );
  const breakerSettings = configuration.circuitBreaker;
  const threshold = breakerSettings === undefined ? Infinity : breakerThreshold(desired, breakerSettings);
  const primary = world.primary();
  for (const { what, deploymentId, count = 0 } of plan.decisions) {
    const counts = plan.decisions.flatMap((one) =>
      one.what === 'failure' && one.deploymentId === deploymentId ? (one.count ?? 0) : [],
    );
    must(what !== 'deployment-failed' || Math.max(...counts) >= threshold, 'the breaker tripped too early');
    must(
      what !== 'failure' ||
        count < threshold ||
        deploymentId !== primary.id ||
        primaryBefore !== primary.id ||
        primary.rolloutState !== 'IN_PROGRESS',
      'the breaker tripped too late',
    );
  }
  for (const { taskDefinition, rolloutState } of world.service.deployments)
    must(
      world.behaviour(taskDefinition).behaviour !== 'cannot be placed' || rolloutState !== 'FAILED',
      'failed for lack of room',
    );
  must(world.service.deployments.filter(({ status }) => status === 'PRIMARY').length === 1, 'one PRIMARY');
  must(world.service.deployments[0]?.id === primary.id, 'the PRIMARY comes first');
  expect(broken).toEqual([]);
}

test('whatever happens, a pass keeps to the bounds, trips at the threshold and never for lack of room; a calm world converges', () => {
  fc.assert(
    fc.property(setting, fc.array(deed, { maxLength: 150, size: 'max' }), (given, deeds) => {
      const { minimumHealthyPercent, maximumPercent } = given;
      const world = new World({
        desired: given.desired,
        room: given.room,
        first: given.first,
        configuration: { minimumHealthyPercent, maximumPercent, circuitBreaker: breaker(given.rollback) },
      });
      for (const action of deeds) act(world, action, checkedPass);

      for (const host of world.hosts) {
        spare(host);
        host.condition = 'ready';
        host.room = 100;
      }
      world.deploy({ behaviour: 'good', checks: true });
      const { desiredCount: desired, deploymentConfiguration: configuration } = world.service;
      for (let round = 0; round < 400 && !world.service.steady; round++) {
        checkedPass(world);
        for (const one of world.live()) world.step(one.id);
        world.now += 1_000;
      }
      const stuck = desired > 0 && lowerBound(desired, configuration) >= upperBound(desired, configuration);
      if (stuck && !world.service.steady) return;
      expect(world.service.steady).toBe(true);
      expect(world.wanted().map((one) => one.service?.deploymentId)).toEqual(Array(desired).fill(world.primary().id));
      const quiet = world.pass();
      expect(quiet.starts).toEqual([]);
      expect(quiet.stops).toEqual([]);
      expect(quiet.service).toBe(world.service);
    }),
    { numRuns: runs },
  );
});

test('planning twice on the same state gives the same plan', () => {
  fc.assert(
    fc.property(setting, fc.array(deed, { maxLength: 60, size: 'max' }), (given, deeds) => {
      const build = (): World => {
        const world = new World({
          desired: given.desired,
          room: given.room,
          first: given.first,
          configuration: { circuitBreaker: breaker(true) },
        });
        for (const action of deeds) act(world, action, checkedPass);
        return world;
      };
      expect(build().pass()).toEqual(build().pass());
    }),
    { numRuns: Math.ceil(runs / 5) },
  );
});
