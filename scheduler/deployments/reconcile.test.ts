import { describe, expect, test } from 'vitest';

import { breaker, type Revision, World } from './testing/world.ts';

const good: Revision = { behaviour: 'good', checks: true };
const unchecked: Revision = { behaviour: 'good', checks: false };
const broken: Revision = { behaviour: 'fails to start', checks: true };

describe('a new service', () => {
  test('starts its tasks, completes and says so once', () => {
    const world = new World({ desired: 3 });
    world.calm();
    expect(world.wanted()).toHaveLength(3);
    expect(world.primary()).toMatchObject({
      rolloutState: 'COMPLETED',
      rolloutStateReason: expect.stringMatching(/^ECS deployment ecs-svc\/\S+ completed\.$/),
    });
    expect(world.events.filter((event) => event.includes('steady state'))).toEqual([
      '(service web) has reached a steady state.',
    ]);
  });

  test('without health checks counts a task 40 s after RUNNING, not before', () => {
    const world = new World({ desired: 1, first: unchecked });
    world.pass();
    const [task] = world.live();
    world.running(task!.id);
    world.now += 39_999;
    world.pass();
    expect(world.primary().rolloutState).toBe('IN_PROGRESS');
    expect(world.lastPlan?.wakeAt).toBe(world.now + 1);
    world.now += 1;
    world.pass();
    expect(world.primary().rolloutState).toBe('COMPLETED');
    expect(world.tasks.get(task!.id)?.healthySince).toBe(world.now);
  });

  test("the 40 s are the installation's to choose", () => {
    const world = new World({ desired: 1, first: unchecked, reconciler: { healthyAfterRunning: 500 } });
    world.pass();
    world.running(world.live()[0]!.id);
    world.now += 500;
    world.pass();
    expect(world.primary().rolloutState).toBe('COMPLETED');
  });

  test('with nothing desired completes at once', () => {
    const world = new World({ desired: 0 });
    world.pass();
    expect(world.primary().rolloutState).toBe('COMPLETED');
    expect(world.service.steady).toBe(true);
  });
});

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

describe('scaling', () => {
  test('up starts the difference, down stops it in the order of the placement strategies', () => {
    const world = new World({ desired: 2 });
    world.calm();
    world.service = { ...world.service, desiredCount: 4 };
    expect(world.pass().starts).toMatchObject([{ count: 2 }]);
    world.calm();
    const order = world.wanted().map((task) => task.id);
    world.service = { ...world.service, desiredCount: 1 };
    expect(world.pass().stops).toEqual(order.slice(0, 3));
  });

  test('down spares protected tasks and says so', () => {
    const world = new World({ desired: 3 });
    world.calm();
    for (const task of world.wanted().slice(0, 2)) world.report(task.id, { protectedUntil: world.now + 60_000 });
    world.service = { ...world.service, desiredCount: 1 };
    world.pass();
    expect(world.wanted()).toHaveLength(2);
    expect(world.events.some((event) => event.includes('protected tasks'))).toBe(true);
    world.now += 60_001;
    world.pass();
    expect(world.wanted()).toHaveLength(1);
  });
});

describe('hosts', () => {
  test('draining: pending tasks stop at once, running ones only when their successors are healthy', () => {
    const world = new World({ hosts: 2, room: 2, desired: 2 });
    world.calm();
    const before = world.wanted().map((task) => task.id);
    world.hosts[0]!.condition = 'draining';
    const plan = world.pass();
    expect(plan.stops).toEqual([]);
    expect(plan.starts).toMatchObject([{ count: 2 }]);
    world.calm();
    expect(world.wanted().map((task) => task.instanceId)).toEqual(['host-1', 'host-1']);
    expect(world.wanted().some((task) => before.includes(task.id))).toBe(false);
  });

  test('draining with 100/100 is blocked and says so', () => {
    const world = new World({ hosts: 2, desired: 1, configuration: { maximumPercent: 100 } });
    world.calm();
    world.hosts[0]!.condition = 'draining';
    world.calm();
    expect(world.wanted().map((task) => task.instanceId)).toEqual(['host-0']);
    expect(world.events.some((event) => event.includes('was unable to stop or start tasks'))).toBe(true);
  });

  test('lost: a replacement starts elsewhere; the lost task is given up when the replacement is healthy', () => {
    const world = new World({ hosts: 2, room: 1, desired: 1, configuration: { maximumPercent: 100 } });
    world.calm();
    const [lost] = world.wanted();
    world.hosts[0]!.condition = 'lost';
    expect(world.pass()).toMatchObject({ starts: [{ count: 1 }], stops: [] });
    world.calm();
    expect(world.tasks.get(lost!.id)).toMatchObject({ desiredStatus: 'STOPPED', stopCode: 'InfrastructureHealth' });
    expect(world.service.steady).toBe(true);
    expect(world.primary().failedTasks).toBe(0);
  });

  test('lost and back before the replacement is up: the original stays and the replacement goes', () => {
    const world = new World({ hosts: 2, room: 1, desired: 1 });
    world.calm();
    const [original] = world.wanted();
    world.hosts[0]!.condition = 'lost';
    world.pass();
    expect(world.wanted()).toHaveLength(2);
    world.hosts[0]!.condition = 'ready';
    world.calm();
    expect(world.wanted().map((task) => task.id)).toEqual([original!.id]);
  });
});

describe('the end of a service', () => {
  test('DRAINING stops every task, protected or not, and becomes INACTIVE when the last is gone', () => {
    const world = new World({ desired: 2 });
    world.calm();
    world.report(world.wanted()[0]!.id, { protectedUntil: world.now + 1e9 });
    world.service = { ...world.service, status: 'DRAINING', desiredCount: 0 };
    expect(world.pass().stops).toHaveLength(2);
    expect(world.service.status).toBe('DRAINING');
    world.calm();
    expect(world.service.status).toBe('INACTIVE');
  });

  test('does not wait for a host that is lost', () => {
    const world = new World({ desired: 1 });
    world.calm();
    world.hosts[0]!.condition = 'lost';
    world.service = { ...world.service, status: 'DRAINING', desiredCount: 0 };
    world.calm();
    expect(world.service.status).toBe('INACTIVE');
    expect(world.live()).toMatchObject([{ desiredStatus: 'STOPPED' }]);
  });

  test('also after a failed deployment', () => {
    const world = new World({ desired: 1, configuration: { circuitBreaker: breaker(false) } });
    world.calm();
    world.deploy(broken);
    world.calm();
    world.service = { ...world.service, status: 'DRAINING', desiredCount: 0 };
    world.calm();
    expect(world.service.status).toBe('INACTIVE');
    expect(world.live()).toEqual([]);
  });
});

describe('a daemon service', () => {
  test('runs one task on every ready host, follows hosts, and replaces stop first', () => {
    const world = new World({
      hosts: 3,
      schedulingStrategy: 'DAEMON',
      configuration: { maximumPercent: 100, minimumHealthyPercent: 50 },
    });
    world.calm();
    expect(world.wanted()).toHaveLength(3);
    expect(new Set(world.wanted().map((task) => task.instanceId))).toEqual(new Set(['host-0', 'host-1', 'host-2']));
    expect(world.service.desiredCount).toBe(3);
    world.deploy(good);
    expect(world.pass().stops).toHaveLength(1);
    world.calm();
    expect(world.wanted().every((task) => task.taskDefinition.endsWith(':1'))).toBe(true);
    world.hosts[1]!.condition = 'draining';
    world.calm();
    expect(world.wanted()).toHaveLength(2);
    expect(new Set(world.wanted().map((task) => task.instanceId))).toEqual(new Set(['host-0', 'host-2']));
    expect(world.service.steady).toBe(true);
  });

  test('one whose minimum forbids to stop its only task says so', () => {
    const world = new World({
      hosts: 1,
      schedulingStrategy: 'DAEMON',
      configuration: { maximumPercent: 100, minimumHealthyPercent: 50 },
    });
    world.calm();
    world.deploy(good);
    const { events } = world.pass();
    expect(events.join()).toMatch(
      /unable to stop or start tasks during a deployment because of the service deployment/,
    );
    world.service = {
      ...world.service,
      deploymentConfiguration: { ...world.service.deploymentConfiguration, minimumHealthyPercent: 0 },
    };
    world.calm();
    expect(world.service.steady).toBe(true);
    expect(world.service.said ?? {}).not.toHaveProperty('deadlock');
  });

  test('two tasks of a daemon never share a host', () => {
    const world = new World({
      hosts: 2,
      schedulingStrategy: 'DAEMON',
      configuration: { maximumPercent: 100, minimumHealthyPercent: 0 },
    });
    world.calm();
    world.deploy(good);
    for (let round = 0; round < 10; round++) {
      world.pass();
      const hosts = world.live().map((task) => task.instanceId);
      expect(new Set(hosts).size).toBe(hosts.length);
      for (const task of world.live()) world.step(task.id);
      world.now += 1000;
    }
  });
});
