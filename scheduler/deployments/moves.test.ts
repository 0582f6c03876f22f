import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

import { lowerBound, rebalanceTag, upperBound } from './index.ts';
import { act, deed, healthyTasks, interruptedAt, spare } from './testing/deeds.ts';
import { World } from './testing/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const runs = { nightly: 2_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 100;

const counts = (world: World): number[] =>
  world.hosts.map(({ id }) => world.wanted().filter(({ instanceId }) => instanceId === id).length);

/** A steady service, all of whose tasks are on the first host; the others have come since. */
function crowded(desired: number, options: ConstructorParameters<typeof World>[0] = {}): World {
  const world = new World({ desired, ...options });
  world.service = { ...world.service, tags: { [rebalanceTag]: 'true' } };
  for (const host of world.hosts.slice(1)) host.condition = 'lost';
  world.calm();
  for (const host of world.hosts) host.condition = 'ready';
  return world;
}

/** So many seconds. @returns the most tasks that there were, and the fewest healthy ones */
function play(world: World, seconds: number): { most: number; leastHealthy: number; stops: number } {
  let [most, leastHealthy, stops] = [0, Infinity, 0];
  for (let second = 0; second < seconds; second++) {
    stops += world.pass().stops.length;
    most = Math.max(most, world.live().length);
    leastHealthy = Math.min(leastHealthy, healthyTasks(world).length);
    for (const { id } of world.live()) world.step(id);
    world.now += 1_000;
  }
  return { most, leastHealthy, stops };
}

describe('tasks are moved where strategies gain by it', () => {
  test('one at a time, start first, a minute apart, each with an event, and then no more', () => {
    const world = crowded(6);
    const said = world.events.length;
    expect(play(world, 600)).toEqual({ most: 7, leastHealthy: 6, stops: 4 });
    expect(counts(world)).toEqual([2, 2, 2]);
    const moves = world.events.slice(said).filter((line) => line.includes('moves'));
    expect(moves).toHaveLength(4);
    expect(moves[0]).toMatch(
      /^\(service web\) moves \(task task-\d+\) from \(container-instance host-0\) to \(container-instance host-\d\): 6 tasks and 0\.$/,
    );
    const ended = [...world.tasks.values()].filter(({ lastStatus }) => lastStatus === 'STOPPED');
    expect(new Set(ended.map(({ stoppedReason }) => stoppedReason))).toEqual(
      new Set([`Rebalancing initiated by (deployment ${world.primary().id})`]),
    );
    const starts = [...world.tasks.values()].map(({ createdAt }) => createdAt).slice(6);
    const apart = starts.slice(1).map((time, at) => time - starts[at]!);
    expect(Math.min(...apart)).toBeGreaterThanOrEqual(60_000);
    expect(world.service.moving).toBeUndefined();
    expect(world.events.slice(said).filter((line) => line.includes('steady state'))).toEqual([]);
  });

  test('only where the tag says so, and not where the maximum leaves no room', () => {
    const untagged = crowded(4);
    untagged.service = { ...untagged.service, tags: {} };
    expect(play(untagged, 100).stops).toBe(0);
    const full = crowded(4, { configuration: { minimumHealthyPercent: 50, maximumPercent: 100 } });
    expect(play(full, 100).stops).toBe(0);
    expect(full.events.filter((line) => line.includes('moves'))).toEqual([]);
  });

  test('what is protected stays, and so does a task whose successor is not healthy within ten minutes', () => {
    const world = crowded(3);
    for (const { id } of world.wanted()) world.report(id, { protectedUntil: world.now + 3_600_000 });
    expect(play(world, 100).stops).toBe(0);
    const slow = crowded(3);
    slow.revisions[0] = { behaviour: 'cannot be placed', checks: true };
    play(slow, 5);
    expect(slow.service.moving?.restUntil).toBeGreaterThan(slow.now);
    expect(slow.primary().unplaceable).toBeUndefined();
    slow.revisions[0] = { behaviour: 'good', checks: true };
    const there = counts(slow)[0];
    for (let second = 0; slow.service.moving?.move === undefined && second < 600; second++) play(slow, 1);
    // The one that started is never heard of.
    for (let second = 0; second < 1_500; second++) {
      slow.pass();
      slow.now += 1_000;
    }
    expect(
      slow.tasks
        .values()
        .filter(({ stoppedReason }) => stoppedReason?.startsWith('Rebalancing'))
        .toArray(),
    ).toEqual([]);
    expect(counts(slow)[0]).toBe(there);
  });

  test('a deployment, another count and the end of the tag end a move; the surplus is scaled in', () => {
    for (const change of [
      (world: World) => world.deploy({ behaviour: 'good', checks: true }),
      (world: World) => (world.service = { ...world.service, desiredCount: 5 }),
      (world: World) => (world.service = { ...world.service, tags: {} }),
    ]) {
      const world = crowded(4);
      world.pass();
      expect(world.service.moving?.move).toBeDefined();
      change(world);
      world.pass();
      expect(world.service.moving?.move).toBeUndefined();
      world.service = { ...world.service, tags: {} };
      world.calm();
      expect(world.wanted()).toHaveLength(world.service.desiredCount);
      expect(world.primary().rolloutState).toBe('COMPLETED');
    }
  });
});

test('whatever happens, bounds are kept and one task moves at a time; a calm world is even and rests', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 6 }),
      fc.constantFrom([100, 200], [50, 150], [100, 120]),
      fc.array(
        deed.filter((one) => one.do !== 'room'),
        { maxLength: 60, size: 'max' },
      ),
      (desired, [minimumHealthyPercent = 100, maximumPercent = 200], deeds) => {
        const world = crowded(desired, { configuration: { minimumHealthyPercent, maximumPercent } });
        const checked = (): void => {
          const before = world.live().length;
          const { desiredCount, deploymentConfiguration: configuration } = world.service;
          const { rolloutState } = world.primary();
          const healthy = healthyTasks(world).filter((one) => interruptedAt(world, one) > world.now).length;
          const { stops } = world.pass();
          const there = world
            .live()
            .filter((one) => world.hosts.find(({ id }) => id === one.instanceId)?.condition !== 'lost').length;
          expect(world.live().length <= before || there <= upperBound(desiredCount, configuration)).toBe(true);
          const lower = lowerBound(desiredCount, configuration);
          expect(healthyTasks(world).length).toBeGreaterThanOrEqual(Math.min(lower, healthy));
          const moved = stops.filter((id) => world.tasks.get(id)?.stoppedReason?.startsWith('Rebalancing') === true);
          const isMoved = moved.length === 1 && healthy > desiredCount && rolloutState === 'COMPLETED';
          expect(moved.length === 0 || isMoved).toBe(true);
        };
        for (const action of deeds) act(world, action, checked);
        for (const host of world.hosts) {
          spare(host);
          host.condition = 'ready';
        }
        world.deploy({ behaviour: 'good', checks: true });
        for (let round = 0; round < 400; round++) {
          checked();
          for (const { id } of world.live()) world.step(id);
          world.now += 5_000;
        }
        expect(world.wanted()).toHaveLength(world.service.desiredCount);
        const room = upperBound(world.service.desiredCount, world.service.deploymentConfiguration);
        const apart = Math.max(...counts(world)) - Math.min(...counts(world));
        expect(apart <= 1 || room <= world.service.desiredCount).toBe(true);
        const quiet = world.pass();
        expect([quiet.starts, quiet.stops, quiet.service.moving]).toEqual([[], [], undefined]);
      },
    ),
    { numRuns: runs },
  );
});
