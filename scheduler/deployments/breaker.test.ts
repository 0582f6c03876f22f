import { describe, expect, test } from 'vitest';

import { breaker, type Revision, World } from './testing/world.ts';

const good: Revision = { behaviour: 'good', checks: true };
const broken: Revision = { behaviour: 'fails to start', checks: true };

describe('the circuit breaker', () => {
  test('trips exactly at the threshold and goes back to the completed deployment, whose tasks were never touched', () => {
    const world = new World({ desired: 2, configuration: { circuitBreaker: breaker(true) } });
    world.calm();
    const old = world.primary();
    const survivors = world.wanted().map((task) => task.id);
    const bad = world.deploy(broken);
    const failures: number[] = [];
    for (let round = 0; round < 40 && world.primary().id === bad.id; round++) {
      world.pass();
      for (const task of world.live()) world.step(task.id);
      failures.push(world.primary().failedTasks);
      world.now += 1000;
    }
    expect(Math.max(...failures)).toBeLessThan(3);
    world.calm();
    expect(world.primary()).toMatchObject({ id: old.id, rolloutState: 'COMPLETED', cause: { kind: 'rollback' } });
    expect(world.primary().cause.failed).toMatchObject({ id: bad.id, createdAt: bad.createdAt });
    expect(world.wanted().map((task) => task.id)).toEqual(survivors);
    expect(world.service.taskDefinition).toBe(old.taskDefinition);
    expect(
      [...world.tasks.values()].filter((task) => task.service?.deploymentId === bad.id).length,
    ).toBeLessThanOrEqual(4);
    expect(world.events).toContain(`(service web) (deployment ${bad.id}) deployment failed: tasks failed to start.`);
    expect(world.events).toContain(`(service web) rolling back to deployment ${old.id}.`);
    expect(world.service.rejected).toMatchObject([{ container: 'app', deploymentId: bad.id }]);
  });

  test('counts a task that runs and exits at once', () => {
    const world = new World({ desired: 1, configuration: { circuitBreaker: breaker(true) } });
    world.calm();
    const old = world.primary();
    world.deploy({ behaviour: 'crashes', checks: false });
    world.calm();
    expect(world.primary()).toMatchObject({ id: old.id, rolloutState: 'COMPLETED' });
  });

  test('counts tasks ended because their checks never pass', () => {
    const world = new World({ desired: 1, configuration: { circuitBreaker: breaker(true) } });
    world.calm();
    const old = world.primary();
    const bad = world.deploy({ behaviour: 'never healthy', checks: true });
    world.calm();
    expect(world.primary().id).toBe(old.id);
    expect(world.events).toContain(
      `(service web) (deployment ${bad.id}) deployment failed: tasks failed container health checks.`,
    );
  });

  test('without a completed deployment stalls: FAILED, no further task, and an event that says what to do', () => {
    const world = new World({ desired: 1, first: broken, configuration: { circuitBreaker: breaker(true) } });
    world.calm();
    expect(world.primary().rolloutState).toBe('FAILED');
    expect(world.tasks.size).toBe(3);
    world.now += 24 * 3_600_000;
    expect(world.pass().starts).toEqual([]);
    expect(world.events.some((event) => event.includes('cannot be rolled back'))).toBe(true);
  });

  test('without rollback leaves what runs alone and starts nothing', () => {
    const world = new World({ desired: 2, configuration: { circuitBreaker: breaker(false) } });
    world.calm();
    const survivors = world.wanted().map((task) => task.id);
    world.deploy(broken);
    world.calm();
    expect(world.primary()).toMatchObject({ rolloutState: 'FAILED', failedTasks: 3 });
    expect(world.wanted().map((task) => task.id)).toEqual(survivors);
    world.deploy(good);
    world.calm();
    expect(world.primary().rolloutState).toBe('COMPLETED');
  });

  test('a healthy task resets the count, unless the service says otherwise', () => {
    const count = (resetOnHealthyTask: boolean): number => {
      const world = new World({
        desired: 2,
        configuration: { circuitBreaker: { ...breaker(true), resetOnHealthyTask } },
      });
      world.pass();
      const [one, two] = world.live();
      world.stopped(one!.id, 'TaskFailedToStart', 'CannotPullContainerError');
      world.now++;
      world.pass();
      world.running(two!.id);
      world.check(two!.id, 'HEALTHY');
      world.pass();
      return world.primary().failedTasks;
    };
    expect(count(true)).toBe(0);
    expect(count(false)).toBe(1);
  });

  test('a task ended by a person or by its host is no failure', () => {
    const world = new World({ desired: 1, configuration: { circuitBreaker: breaker(true) } });
    for (const code of ['UserInitiated', 'InfrastructureHealth', 'SpotInterruption'] as const) {
      world.pass();
      world.stopped(world.live()[0]!.id, code, 'not its fault');
      world.pass();
    }
    world.stopped(world.live()[0]!.id, 'TaskFailedToStart', 'RESOURCE:MEMORY');
    world.pass();
    expect(world.primary().failedTasks).toBe(0);
  });
});

describe('no capacity', () => {
  test("is told with ECS's words and the reason, never counts as a failure, and ends when there is room", () => {
    const world = new World({ hosts: 1, room: 2, desired: 3, configuration: { circuitBreaker: breaker(true) } });
    world.calm();
    expect(world.primary()).toMatchObject({
      rolloutState: 'IN_PROGRESS',
      failedTasks: 0,
      unplaceable: { code: 'RESOURCE:MEMORY' },
    });
    const told = world.events.filter((event) => event.includes('was unable to place a task'));
    expect(told).toEqual([
      '(service web) was unable to place a task because no container instance met all of its requirements. ' +
        'The closest matching (container-instance host-0) has insufficient memory available.',
    ]);
    world.hosts[0]!.room = 10;
    world.calm();
    expect(world.primary().rolloutState).toBe('COMPLETED');
    expect(world.primary().unplaceable).toBeUndefined();
  });

  test('a revision that fits nowhere takes no old task down, even with a minimum of 0', () => {
    const world = new World({ desired: 2, configuration: { minimumHealthyPercent: 0, circuitBreaker: breaker(true) } });
    world.calm();
    world.deploy({ behaviour: 'cannot be placed', checks: true });
    world.calm();
    world.now += 3_600_000;
    world.pass();
    expect(world.wanted()).toHaveLength(2);
    expect(world.primary()).toMatchObject({ rolloutState: 'IN_PROGRESS', failedTasks: 0 });
  });
});

describe('back-off', () => {
  test('tasks that never reach RUNNING are retried ever more slowly, at most every 27 minutes', () => {
    const world = new World({ desired: 1, first: broken });
    const starts: number[] = [];
    for (let round = 0; round < 14; round++) {
      if (world.pass().starts.length > 0) starts.push(world.now);
      for (const task of world.live()) world.step(task.id);
      world.now = world.pass().wakeAt ?? world.now;
      if (world.live().length > 0) starts.push(world.now);
    }
    const gaps = [...new Set(starts)].map((at, index, all) => at - (all[index - 1] ?? at)).slice(1);
    expect(gaps.slice(0, 4)).toEqual([10_000, 20_000, 40_000, 80_000]);
    expect(Math.max(...gaps)).toBe(27 * 60_000);
    expect(world.events.filter((event) => event.includes('unable to consistently start'))).toHaveLength(1);
  });

  test('a deployment of another revision does not wait', () => {
    const world = new World({ desired: 1, first: broken });
    for (let round = 0; round < 10; round++) {
      world.pass();
      for (const task of world.live()) world.step(task.id);
    }
    expect(world.pass().starts).toEqual([]);
    world.deploy(good);
    expect(world.pass().starts).toMatchObject([{ count: 1 }]);
  });

  test('tasks that reached RUNNING and were healthy are replaced at once', () => {
    const world = new World({ desired: 1 });
    world.calm();
    world.stopped(world.wanted()[0]!.id, 'EssentialContainerExited', 'Essential container in task exited');
    expect(world.pass().starts).toMatchObject([{ count: 1 }]);
  });
});
