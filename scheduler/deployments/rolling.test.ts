import { describe, expect, test } from 'vitest';

import { breaker, type Revision, World } from './testing/world.ts';

const good: Revision = { behaviour: 'good', checks: true };

describe('a rolling update', () => {
  test('asks for the order of the strategies only where something goes, and for no more than that', () => {
    const world = new World({ hosts: 1, room: 10_000, desired: 500, configuration: { maximumPercent: 110 } });
    world.calm();
    world.pass();
    expect(world.ordered).toBe(0);
    const old = world.wanted().map(({ id }) => id);
    world.deploy(good);
    world.pass();
    expect(world.ordered).toBe(0);
    world.calm();
    expect(old.every((id) => world.tasks.get(id)?.lastStatus === 'STOPPED')).toBe(true);
    expect(world.ordered).toBeLessThanOrEqual(500);
    world.service = { ...world.service, desiredCount: 450 };
    const before = world.ordered;
    expect(world.pass().stops).toHaveLength(50);
    expect(world.ordered - before).toBe(50);
  });

  test('100/200: starts all new tasks first, stops an old one only when a new one is healthy', () => {
    const world = new World({ desired: 4 });
    world.calm();
    const next = world.deploy(good);
    const plan = world.pass();
    expect(plan.starts).toEqual([{ deploymentId: next.id, count: 4 }]);
    expect(plan.stops).toEqual([]);
    const fresh = world.live().filter((task) => task.service?.deploymentId === next.id);
    world.running(fresh[0]!.id);
    expect(world.pass().stops).toEqual([]);
    world.check(fresh[0]!.id, 'HEALTHY');
    expect(world.pass().stops).toHaveLength(1);
  });

  test('50/200: the maximum leaves room, so no old task is stopped before a new one is healthy', () => {
    const world = new World({ desired: 4, configuration: { minimumHealthyPercent: 50 } });
    world.calm();
    world.deploy(good);
    expect(world.pass()).toMatchObject({ starts: [{ count: 4 }], stops: [] });
  });

  test('50/100: stops two of four first and starts new ones only when they are gone', () => {
    const world = new World({ desired: 4, configuration: { minimumHealthyPercent: 50, maximumPercent: 100 } });
    world.calm();
    world.deploy(good);
    const plan = world.pass();
    expect(plan.starts).toEqual([]);
    expect(plan.stops).toHaveLength(2);
    expect(world.pass().starts).toEqual([]);
    for (const id of plan.stops) world.step(id);
    expect(world.pass().starts).toMatchObject([{ count: 2 }]);
    world.calm();
    expect(world.primary().rolloutState).toBe('COMPLETED');
  });

  test.each([
    { desired: 2, minimumHealthyPercent: 75, maximumPercent: 100 },
    { desired: 3, minimumHealthyPercent: 100, maximumPercent: 125 },
    { desired: 1, minimumHealthyPercent: 100, maximumPercent: 100 },
  ])(
    '$desired tasks at $minimumHealthyPercent/$maximumPercent exclude each other: nothing moves and one event says why',
    (bounds) => {
      const world = new World({ desired: bounds.desired, configuration: bounds });
      world.calm();
      world.deploy(good);
      world.calm();
      expect(world.wanted().every((task) => task.taskDefinition.endsWith(':0'))).toBe(true);
      expect(world.events.filter((event) => event.includes('was unable to stop or start tasks'))).toHaveLength(1);
      world.now += 6 * 3_600_000;
      world.pass();
      expect(world.events.filter((event) => event.includes('was unable to stop or start tasks'))).toHaveLength(2);
    },
  );

  test('an old task that dies is replaced by one of its own revision', () => {
    const world = new World({ desired: 2 });
    world.calm();
    const old = world.primary();
    world.deploy(good);
    world.pass();
    const [victim] = world.live().filter((task) => task.service?.deploymentId === old.id);
    world.running(world.live().find((task) => task.service?.deploymentId !== old.id)!.id);
    world.stopped(victim!.id, 'EssentialContainerExited', 'Essential container in task exited');
    expect(world.pass().starts).toEqual([{ deploymentId: old.id, count: 1 }]);
  });

  test('a task that fails its checks after it was healthy is replaced first and then stopped', () => {
    const world = new World({ desired: 1 });
    world.calm();
    const [sick] = world.wanted();
    world.check(sick!.id, 'UNHEALTHY');
    const plan = world.pass();
    expect(plan.starts).toMatchObject([{ count: 1 }]);
    expect(plan.stops).toEqual([]);
    const spare = world.wanted().find((task) => task.id !== sick!.id)!;
    world.running(spare.id);
    world.check(spare.id, 'HEALTHY');
    expect(world.pass().stops).toEqual([sick!.id]);
  });

  test('a container that others wait for and that turns UNHEALTHY fails the task, though it never gets to RUNNING', () => {
    const world = new World({ desired: 1, configuration: { circuitBreaker: breaker(false) } });
    world.service = { ...world.service, healthCheckGracePeriodSeconds: 10 };
    world.pass();
    const [waiting] = world.live();
    world.check(waiting!.id, 'UNHEALTHY');
    expect(world.pass()).toMatchObject({ stops: [], wakeAt: world.now + 10_000 });
    world.now += 10_000;
    expect(world.pass().stops).toEqual([waiting!.id]);
    expect(world.primary()).toMatchObject({
      failedTasks: 1,
      lastFailure: `task ${waiting!.id}: Task failed container health checks`,
    });
    for (let round = 0; round < 10 && world.primary().rolloutState === 'IN_PROGRESS'; round++) {
      for (const task of world.wanted()) world.check(task.id, 'UNHEALTHY');
      for (const task of world.live()) if (task.desiredStatus === 'STOPPED') world.step(task.id);
      world.now += 60_000;
      world.pass();
    }
    expect(world.primary().rolloutState).toBe('FAILED');
  });

  test('a container that is not essential counts only while others wait for it', () => {
    const world = new World({ desired: 1 });
    world.pass();
    const [task] = world.live();
    const [main] = task!.containers;
    const proxy = { ...main!, name: 'proxy', essential: false, checksHealth: true, healthStatus: 'UNHEALTHY' as const };
    world.report(task!.id, { containers: [proxy, main!] });
    expect(world.pass().stops).toEqual([]);
    world.report(task!.id, { containers: [{ ...proxy, awaited: true }, main!] });
    expect(world.pass().stops).toEqual([task!.id]);
    // Once its task runs, nobody waits any more.
    const next = new World({ desired: 1 });
    next.pass();
    const [running] = next.live();
    next.running(running!.id);
    next.report(running!.id, { containers: [{ ...proxy, awaited: true }, main!] });
    expect(next.pass().stops).toEqual([]);
  });

  test('when the maximum forbids a spare, unhealthy tasks are stopped one at a time', () => {
    const world = new World({ desired: 3, configuration: { maximumPercent: 100, minimumHealthyPercent: 0 } });
    world.calm();
    for (const task of world.wanted()) world.check(task.id, 'UNHEALTHY');
    expect(world.pass().stops).toHaveLength(1);
    expect(world.pass().stops).toHaveLength(0);
  });

  test('failed checks within the grace period are not held against a task', () => {
    const world = new World({ desired: 1 });
    world.service = { ...world.service, healthCheckGracePeriodSeconds: 30 };
    world.pass();
    const [task] = world.live();
    world.running(task!.id);
    world.check(task!.id, 'UNHEALTHY');
    world.now += 29_999;
    expect(world.pass()).toMatchObject({ stops: [], wakeAt: world.now + 1 });
    world.now += 1;
    expect(world.pass().stops).toEqual([task!.id]);
  });

  test('a push during a rollout supersedes it: tasks of the one between go, the old ones stay until the newest are healthy', () => {
    const world = new World({ desired: 2 });
    world.calm();
    const first = world.primary();
    const second = world.deploy({ behaviour: 'never healthy', checks: false });
    world.pass();
    const third = world.deploy(good);
    const plan = world.pass();
    expect(plan.stops.map((id) => world.tasks.get(id)?.service?.deploymentId)).toEqual([second.id, second.id]);
    expect(world.wanted().filter((task) => task.service?.deploymentId === first.id)).toHaveLength(2);
    world.calm();
    expect(world.service.deployments.map(({ id }) => id)).toEqual([third.id]);
    expect(world.wanted().map((task) => task.service?.deploymentId)).toEqual([third.id, third.id]);
  });

  test('with room for one task only, the old one goes first when the minimum allows it', () => {
    const world = new World({ hosts: 1, room: 1, desired: 1, configuration: { minimumHealthyPercent: 0 } });
    world.calm();
    world.deploy(good);
    world.calm();
    expect(world.wanted()).toHaveLength(1);
    expect(world.primary()).toMatchObject({ rolloutState: 'COMPLETED', failedTasks: 0 });
  });
});
