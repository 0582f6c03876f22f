import { describe, expect, test } from 'vitest';

import { breaker, type Revision, World } from './testing/world.ts';

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
