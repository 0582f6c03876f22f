import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

import type { LaunchSettings, ServiceRecord } from '../state/index.ts';
import { lowerBound, upperBound } from './index.ts';
import { act, deed, healthyTasks, interruptedAt, spare } from './testing/deeds.ts';
import { World } from './testing/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const runs = { nightly: 2_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 200;

/** Hosts in zones z0, z1, …; those of the zones after the first come later, as when a zone is repaired. */
function zoned(zones: number, options: ConstructorParameters<typeof World>[0] = {}): World {
  const world = new World({ hosts: zones, ...options });
  world.hosts.forEach((host, index) => (host.zone = `z${index}`));
  world.service = { ...world.service, availabilityZoneRebalancing: 'ENABLED' };
  return world;
}

const counts = (world: World): number[] =>
  world.hosts.map(({ id }) => world.wanted().filter(({ instanceId }) => instanceId === id).length);

/** A world whose tasks are all in its first zone. */
function crowded(desired: number, zones = 3, options: ConstructorParameters<typeof World>[0] = {}): World {
  const world = zoned(zones, { desired, ...options });
  for (const host of world.hosts.slice(1)) host.condition = 'lost';
  world.calm();
  expect(counts(world)[0]).toBe(desired);
  for (const host of world.hosts) host.condition = 'ready';
  return world;
}

/** Passes until nothing is evened out any more; what each says of how many tasks there are. */
function play(world: World, rounds = 400): { most: number; leastHealthy: number; moves: number } {
  let [most, leastHealthy, moves] = [0, Infinity, 0];
  for (let round = 0; round < rounds; round++) {
    const { stops } = world.pass();
    moves += stops.length;
    most = Math.max(most, world.live().length);
    leastHealthy = Math.min(leastHealthy, healthyTasks(world).length);
    for (const { id } of world.live()) world.step(id);
    world.now += 1_000;
  }
  return { most, leastHealthy, moves };
}

describe('zones are evened out', () => {
  test('one task at a time, start first, in the words of ECS, and then no more', () => {
    const world = crowded(6);
    const said = world.events.length;
    const { most, leastHealthy, moves } = play(world);
    expect(counts(world)).toEqual([2, 2, 2]);
    expect({ most, leastHealthy, moves }).toEqual({ most: 7, leastHealthy: 6, moves: 4 });
    const words = world.events.slice(said).filter((line) => !line.includes('has stopped 1 running tasks'));
    expect(words).toEqual([
      '(service web) is not AZ balanced with 6 tasks in z0, 0 tasks in z1, 0 tasks in z2. AZ Rebalancing in progress.',
      '(service web) is AZ balanced with 2 tasks in z0, 2 tasks in z1, 2 tasks in z2.',
    ]);
    expect(world.service.rebalancing).toBeUndefined();
    const ended = [...world.tasks.values()].filter(({ lastStatus }) => lastStatus === 'STOPPED');
    expect(new Set(ended.map(({ stoppedReason }) => stoppedReason))).toEqual(
      new Set([`Availability-zone rebalancing initiated by (deployment ${world.primary().id})`]),
    );
    world.zonesAsked = 0;
    expect(world.pass().starts).toEqual([]);
    // A server that takes over looks at every service: those whose zones are even cost it nothing that grows with the hosts.
    expect(world.zonesAsked).toBe(0);
  });

  test.each<[string, Partial<ServiceRecord>]>([
    ['not asked for', { availabilityZoneRebalancing: 'DISABLED' }],
    ['of a daemon', { schedulingStrategy: 'DAEMON', desiredCount: 3 }],
  ])('never where that is %s', (_what, patch) => {
    const world = crowded(6);
    world.service = { ...world.service, ...patch };
    play(world, 100);
    expect(world.events.some((line) => line.includes('AZ'))).toBe(false);
  });

  test('not while the maximum leaves no room, and not for a difference of one', () => {
    const tight = crowded(4, 2, { configuration: { maximumPercent: 110 } });
    play(tight, 60);
    expect(counts(tight)).toEqual([4, 0]);
    const near = zoned(3, { desired: 4 });
    near.hosts[0]!.room = 2;
    near.hosts[1]!.room = 1;
    near.calm();
    expect(play(near, 60).moves).toBe(0);
  });

  test('a protected task stays, and where all of the most crowded zone are, nothing moves', () => {
    const world = crowded(4, 2);
    for (const { id } of world.live()) world.report(id, { protectedUntil: world.now + 3_600_000 });
    expect(play(world, 60).moves).toBe(0);
    const [free] = world.live();
    world.report(free!.id, { protectedUntil: world.now });
    play(world, 60);
    expect(world.tasks.get(free!.id)?.desiredStatus).toBe('STOPPED');
    expect(counts(world)).toEqual([3, 1]);
  });

  test('a move ends with a deployment, or another desired count; the task too many goes', () => {
    const world = crowded(4, 2);
    world.pass();
    expect(world.live()).toHaveLength(5);
    world.service = { ...world.service, desiredCount: 3 };
    world.pass();
    expect(world.wanted()).toHaveLength(3);
    expect(world.events.at(-2)).toContain('AZ Rebalancing stopped');
    play(world, 100);
    expect(counts(world).toSorted((one, other) => one - other)).toEqual([1, 2]);
    const crowdedAgain = crowded(4, 2);
    crowdedAgain.pass();
    crowdedAgain.deploy({ behaviour: 'good', checks: true });
    crowdedAgain.calm();
    expect(crowdedAgain.service.rebalancing).toBeUndefined();
    expect(crowdedAgain.wanted()).toHaveLength(4);
  });

  test('what is started has the providers of its deployment, not those that the service was made with', () => {
    const world = crowded(4, 2);
    const launch: LaunchSettings = {
      launchType: 'FARGATE',
      capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', base: 0, weight: 1 }],
    };
    world.service = { ...world.service, deployments: world.service.deployments.map((one) => ({ ...one, launch })) };
    expect(world.pass().starts).toMatchObject([{ zone: 'z1', providers: ['FARGATE_SPOT'] }]);
  });

  test('a zone without room is asked again five minutes later, and said once', () => {
    const world = crowded(4, 2);
    world.hosts[1]!.room = 0;
    play(world, 290);
    const refused = world.events.filter((line) => line.includes('was unable to place a task'));
    expect(refused).toHaveLength(1);
    expect(world.primary().unplaceable).toBeUndefined();
    world.hosts[1]!.room = 100;
    play(world, 400);
    expect(counts(world)).toEqual([2, 2]);
  });

  test('a task that never becomes healthy costs nothing but a try, and no deployment', () => {
    const world = crowded(4, 2);
    world.revisions[0] = { behaviour: 'never healthy', checks: true };
    for (let round = 0; round < 50; round++) {
      world.pass();
      for (const { id, instanceId } of world.live()) if (instanceId === 'host-1') world.step(id);
      world.now += 1_000;
    }
    expect(world.primary().rolloutState).toBe('COMPLETED');
    expect(counts(world)[0]).toBe(4);
    expect(world.service.rebalancing?.restUntil).toBeGreaterThan(world.now);
  });
});

test('whatever happens, bounds are kept; a calm world is even, or as even as there is room, and then rests', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 2, max: 3 }),
      fc.constantFrom([100, 200], [50, 150], [100, 120]),
      fc.array(
        deed.filter((one) => one.do !== 'room'),
        { maxLength: 100, size: 'max' },
      ),
      (desired, zones, [minimumHealthyPercent = 100, maximumPercent = 200], deeds) => {
        const world = zoned(3, { desired, configuration: { minimumHealthyPercent, maximumPercent } });
        world.hosts.forEach((host, index) => (host.zone = `z${index % zones}`));
        const checked = (): void => {
          const before = world.live().length;
          const lower = lowerBound(world.service.desiredCount, world.service.deploymentConfiguration);
          const upper = upperBound(world.service.desiredCount, world.service.deploymentConfiguration);
          const healthy = healthyTasks(world).filter((one) => interruptedAt(world, one) > world.now).length;
          world.pass();
          const there = world
            .live()
            .filter((one) => world.hosts.find(({ id }) => id === one.instanceId)?.condition !== 'lost').length;
          expect(world.live().length <= before || there <= upper).toBe(true);
          expect(healthyTasks(world).length).toBeGreaterThanOrEqual(Math.min(lower, healthy));
        };
        for (const action of deeds) act(world, action, checked);
        for (const host of world.hosts) {
          spare(host);
          host.condition = 'ready';
        }
        world.deploy({ behaviour: 'good', checks: true });
        for (let round = 0; round < 300; round++) {
          checked();
          for (const { id } of world.live()) world.step(id);
          world.now += 2_000;
        }
        const byZone = Array.from({ length: zones }, (_, zone) =>
          world.hosts.reduce((sum, host, index) => sum + (host.zone === `z${zone}` ? counts(world)[index]! : 0), 0),
        );
        expect(world.wanted()).toHaveLength(world.service.desiredCount);
        const room = upperBound(world.service.desiredCount, world.service.deploymentConfiguration);
        const apart = Math.max(...byZone) - Math.min(...byZone);
        expect(apart <= 1 || room <= world.service.desiredCount).toBe(true);
        const quiet = world.pass();
        expect([quiet.starts, quiet.stops, quiet.service.rebalancing]).toEqual([[], [], undefined]);
      },
    ),
    { numRuns: runs },
  );
});
