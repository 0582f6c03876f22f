import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

import type { TaskRecord } from '../state/index.ts';
import { computedCount, lowerBound, upperBound } from './index.ts';
import { act, deed, healthyTasks, interruptedAt, revision, spare } from './testing/deeds.ts';
import { addSet, changeSet, externalWorld, setOf } from './testing/task-sets.ts';
import type { World } from './testing/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const runs = { nightly: 2_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 250;

const good = { behaviour: 'good', checks: true } as const;
const ofSet = (tasks: readonly TaskRecord[], id: string): TaskRecord[] =>
  tasks.filter(({ service }) => service?.deploymentId === id);

describe('how many tasks a set has', () => {
  test.each([
    [10, 12, 2],
    [10, 10, 1],
    [10, 0, 0],
    [10, 100, 10],
    [3, 50, 2],
    [0, 100, 0],
    [1, 0.1, 1],
    // 14.3 % of 1,000 is 143.00000000000003 in doubles.
    [1000, 14.3, 143],
  ])('of %d tasks %d percent are %d', (desired, scale, expected) => {
    expect(computedCount(desired, { scale, launchType: 'EC2', tags: {}, steady: false, steadyAt: 0 })).toBe(expected);
  });
});

describe('task sets', () => {
  test('run beside each other, each its share, until their controller says otherwise', () => {
    const world = externalWorld({ desired: 4 });
    world.calm();
    expect(world.live()).toEqual([]);
    expect(world.service.steady).toBe(false);

    const blue = addSet(world, good, 100);
    world.calm();
    const green = addSet(world, good, 25);
    world.calm();
    expect([ofSet(world.wanted(), blue).length, ofSet(world.wanted(), green).length]).toEqual([4, 1]);
    expect(setOf(world, blue)?.taskSet).toMatchObject({ steady: true });
    expect(world.service.steady).toBe(true);
    expect(world.events).toContain(`(service web, taskSet ${green}) has reached a steady state.`);

    changeSet(world, green, { scale: 100, steady: false });
    changeSet(world, blue, { scale: 0, steady: false });
    world.calm();
    expect([ofSet(world.wanted(), blue).length, ofSet(world.wanted(), green).length]).toEqual([0, 4]);
    expect(world.events.some((line) => line.startsWith(`(service web, taskSet ${blue}) has stopped 4 running`))).toBe(
      true,
    );

    changeSet(world, blue, { ends: true });
    world.calm();
    expect(world.service.deployments.map(({ id }) => id)).toEqual([green]);
  });

  test('all follow the desired count', () => {
    const world = externalWorld({ desired: 4 });
    const sets = [addSet(world, good, 50), addSet(world, good, 100)];
    world.calm();
    world.service = { ...world.service, desiredCount: 7 };
    world.calm();
    expect(sets.map((id) => ofSet(world.wanted(), id).length)).toEqual([4, 7]);
  });

  test('one whose image is broken stays STABILIZING; it never fails, and takes nothing from the others', () => {
    const world = externalWorld({ desired: 2 });
    const fine = addSet(world, good, 100);
    world.calm();
    const broken = addSet(world, { behaviour: 'fails to start', checks: true }, 100);
    world.calm(40);
    expect(setOf(world, broken)).toMatchObject({ rolloutState: 'IN_PROGRESS', taskSet: { steady: false } });
    expect(setOf(world, fine)?.taskSet?.steady).toBe(true);
    expect(world.service.steady).toBe(false);
    expect(
      world.events.filter((line) => line.endsWith('is unable to consistently start tasks successfully.')),
    ).toHaveLength(1);
    changeSet(world, broken, { ends: true });
    world.calm(40);
    expect(world.service.deployments.map(({ id }) => id)).toEqual([fine]);
    expect(world.service.steady).toBe(true);
  });

  test('a protected task outlives scale-in, which is said in the words of ECS, but not its set', () => {
    const world = externalWorld({ desired: 2 });
    const id = addSet(world, good, 100);
    world.calm();
    for (const { id: task } of world.live()) world.report(task, { protectedUntil: world.now + 10_000_000 });
    changeSet(world, id, { scale: 0, steady: false });
    world.pass();
    expect(world.wanted()).toHaveLength(2);
    expect(world.events.at(-1)).toBe(
      `(service web) was unable to reach steady state because task set (taskSet ${id}) was unable to scale in. Reason: The number of protected tasks are more than the desired count of tasks.`,
    );
    changeSet(world, id, { ends: true });
    world.pass();
    expect(world.wanted()).toEqual([]);
  });

  test('go with their service', () => {
    const world = externalWorld({ desired: 3 });
    addSet(world, good, 100);
    addSet(world, good, 100);
    world.calm();
    world.service = { ...world.service, status: 'DRAINING', desiredCount: 0 };
    world.calm();
    expect(world.service.status).toBe('INACTIVE');
    expect(world.live()).toEqual([]);
  });

  test('on a host that drains, each is replaced within its own bounds, start first', () => {
    const world = externalWorld({ desired: 2, hosts: 2 });
    const id = addSet(world, good, 100);
    world.calm();
    world.hosts[0]!.condition = 'draining';
    world.pass();
    expect(ofSet(world.wanted(), id)).toHaveLength(4);
    expect(setOf(world, id)?.taskSet?.steady).toBe(false);
    world.calm();
    expect(ofSet(world.wanted(), id).map(({ instanceId }) => instanceId)).toEqual(['host-1', 'host-1']);
  });
});

const own = fc.oneof(
  { weight: 2, arbitrary: fc.record({ make: revision, scale: fc.integer({ min: 0, max: 100 }) }) },
  { weight: 2, arbitrary: fc.record({ scaleOf: fc.nat(4), scale: fc.integer({ min: 0, max: 100 }) }) },
  { weight: 1, arbitrary: fc.record({ end: fc.nat(4) }) },
);
const any = fc.oneof(
  { weight: 1, arbitrary: own },
  { weight: 6, arbitrary: deed.filter((one) => one.do !== 'deploy') },
);

/** One pass, with what must hold about it for each set on its own. */
function checkedPass(world: World): void {
  const { deploymentConfiguration: configuration, desiredCount } = world.service;
  const isThere = (one: TaskRecord) => world.hosts.find(({ id }) => id === one.instanceId)?.condition !== 'lost';
  const before = new Map(
    world.service.deployments.map(({ id, taskSet }) => [
      id,
      {
        wanted: computedCount(desiredCount, taskSet!),
        live: ofSet(world.live(), id).length,
        healthy: ofSet(healthyTasks(world), id).filter((one) => interruptedAt(world, one) > world.now).length,
      },
    ]),
  );
  const plan = world.pass();
  const broken: string[] = [];
  for (const [id, was] of before) {
    const live = ofSet(world.live(), id);
    const healthy = ofSet(healthyTasks(world), id).length;
    if (live.length > was.live && live.filter(isThere).length > upperBound(was.wanted, configuration))
      broken.push(`${id} has ${live.length} tasks of ${was.wanted}`);
    if (healthy < Math.min(lowerBound(was.wanted, configuration), was.healthy))
      broken.push(`${id} has ${healthy} healthy of ${was.healthy}, ${was.wanted} wanted`);
    const gone = setOf(world, id) === undefined;
    if (gone && live.some(isThere)) broken.push(`${id} has gone before its tasks`);
  }
  for (const { what } of plan.decisions)
    if (what === 'deployment-failed' || what === 'rollback' || what === 'deployment-completed') broken.push(what);
  expect(broken).toEqual([]);
}

test('whatever happens, each set keeps to its own bounds; a calm world has what was asked for and rests', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5 }),
      fc.constantFrom([100, 200], [50, 150], [0, 100], [50, 200]),
      fc.array(any, { maxLength: 120, size: 'max' }),
      (desired, [minimumHealthyPercent, maximumPercent], deeds) => {
        const world = externalWorld({ desired, configuration: { minimumHealthyPercent, maximumPercent } as object });
        const pick = (index: number): string =>
          world.service.deployments[index % Math.max(1, world.service.deployments.length)]?.id ?? '';
        for (const action of deeds) {
          if ('make' in action) {
            if (world.service.deployments.length < 5) addSet(world, action.make, action.scale);
          } else if ('scaleOf' in action) changeSet(world, pick(action.scaleOf), { scale: action.scale });
          else if ('end' in action) changeSet(world, pick(action.end), { ends: true });
          else act(world, action, checkedPass);
        }
        for (const host of world.hosts) {
          spare(host);
          host.condition = 'ready';
          host.room = 100;
        }
        for (const one of world.service.deployments)
          if (world.behaviour(one.taskDefinition).behaviour !== 'good') changeSet(world, one.id, { ends: true });
        world.service = {
          ...world.service,
          deploymentConfiguration: { minimumHealthyPercent: 50, maximumPercent: 200 },
        };
        addSet(world, good, 100);
        for (let round = 0; round < 400 && !world.service.steady; round++) {
          checkedPass(world);
          for (const { id } of world.live()) world.step(id);
          world.now += 60_000;
        }
        expect(world.service.steady).toBe(true);
        for (const { id, taskSet } of world.service.deployments)
          expect(ofSet(world.wanted(), id)).toHaveLength(computedCount(world.service.desiredCount, taskSet!));
        for (const { id } of world.live()) world.step(id);
        const quiet = world.pass();
        expect([quiet.starts, quiet.stops]).toEqual([[], []]);
      },
    ),
    { numRuns: runs },
  );
});
