import { describe, expect, test } from 'vitest';

import { isHeld, isWanted, type TaskRecord } from '../state/index.ts';

import { breaker, type Revision, World } from './testing/world.ts';

const unchecked: Revision = { behaviour: 'good', checks: false };
const group = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef';
const other = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/grpc/fedcba9876543210';
const balanced = [{ targetGroupArn: group, containerName: 'app', containerPort: 80 }];

/** A service behind load balancers whose tasks are all well. */
function openWeb(options: ConstructorParameters<typeof World>[0] = {}): World {
  const world = new World({ desired: 2, first: unchecked, loadBalancers: balanced, ...options });
  world.pass();
  for (const { id } of world.live()) world.running(id);
  world.pass();
  for (const { id } of world.live()) world.target(id, 'healthy');
  world.pass();
  return world;
}

const first = (world: World): TaskRecord => world.wanted()[0] as TaskRecord;

describe('a service behind load balancers', () => {
  test('registers each task once it runs, and counts it when every group calls it healthy', () => {
    const both = [...balanced, { targetGroupArn: other, containerName: 'app', containerPort: 81 }];
    const world = new World({ desired: 2, first: unchecked, loadBalancers: both });
    world.pass();
    expect(world.live().map(({ targets }) => targets)).toEqual([[], []]);
    for (const { id } of world.live()) world.running(id);
    world.pass();
    expect(first(world).targets).toMatchObject([
      { targetGroupArn: group, address: '10.0.0.1', port: 80 },
      { targetGroupArn: other, port: 81 },
    ]);
    expect(world.events.filter((text) => text.includes('registered'))).toEqual([
      `(service web) registered 2 targets in (target-group ${group})`,
      `(service web) registered 2 targets in (target-group ${other})`,
    ]);
    world.now += 3_600_000;
    world.pass();
    expect(world.primary().rolloutState).toBe('IN_PROGRESS');
    for (const { id, targets = [] } of world.live()) {
      const [one, two] = targets;
      world.report(id, { targets: [{ ...one!, health: { state: 'healthy' } }, two!] });
    }
    world.pass();
    expect(world.primary().rolloutState).toBe('IN_PROGRESS');
    for (const { id } of world.live()) world.target(id, 'healthy');
    world.pass();
    expect(world.primary().rolloutState).toBe('COMPLETED');
    expect(world.events.filter((text) => text.includes('registered'))).toHaveLength(2);
  });

  test('says once of a task that it does not know where it answers, and registers it when it does', () => {
    const world = new World({ desired: 1, first: unchecked, loadBalancers: balanced });
    world.pass();
    const [task] = world.live();
    world.addressless.add(task!.id);
    world.running(task!.id);
    world.pass();
    world.pass();
    const said = `(service web) failed to register targets in (target-group ${group}) with (error ${task!.id}: nobody knows where it is)`;
    expect(world.events.filter((text) => text.includes('register'))).toEqual([said]);
    world.addressless.clear();
    world.pass();
    expect(first(world).targets).toHaveLength(1);
  });

  test('takes a task out of rotation in the commit that tells it to stop, and says so before it says that it stops', () => {
    const world = openWeb();
    const [old] = world.wanted();
    world.service = { ...world.service, desiredCount: 1 };
    const { stops } = world.pass();
    expect(stops).toHaveLength(1);
    const [id = ''] = stops;
    const stopping = world.tasks.get(id)!;
    expect(stopping).toMatchObject({ desiredStatus: 'STOPPED', lastStatus: 'DEACTIVATING' });
    expect([isHeld(stopping, world.now), isWanted(stopping, world.now)]).toEqual([true, true]);
    expect(world.events.slice(-3)).toEqual([
      `(service web) deregistered 1 targets in (target-group ${group})`,
      `(service web, taskSet ${old!.service!.deploymentId}) has begun draining connections on 1 tasks.`,
      `(service web) has stopped 1 running tasks: (task ${id}).`,
    ]);
    world.target(id);
    expect([isHeld(world.tasks.get(id)!, world.now), isWanted(world.tasks.get(id)!, world.now)]).toEqual([
      false,
      false,
    ]);
  });

  test('replaces a task that its group calls unhealthy, start first, with the reason', () => {
    const world = openWeb();
    const { id } = first(world);
    world.target(id, 'unhealthy', 'Health checks failed with these codes: [503]');
    expect(world.pass()).toMatchObject({ starts: [{ count: 1 }], stops: [] });
    const fresh = world.wanted().find(({ targets }) => targets?.length === 0)!;
    world.running(fresh.id);
    world.pass();
    expect(world.wanted()).toHaveLength(3);
    world.target(fresh.id, 'healthy');
    expect(world.pass().stops).toEqual([id]);
    expect(world.tasks.get(id)?.stoppedReason).toBe(`Task failed ELB health checks in (target-group ${group})`);
    expect(world.events).toContain(
      `(service web) (task ${id}) (port 80) is unhealthy in (target-group ${group}) due to (reason Health checks failed with these codes: [503])`,
    );
  });

  test('holds failed checks against nobody within the grace period', () => {
    const world = openWeb();
    world.service = { ...world.service, healthCheckGracePeriodSeconds: 60 };
    world.target(first(world).id, 'unhealthy');
    expect(world.pass()).toMatchObject({ starts: [], stops: [] });
    world.now += 60_000;
    expect(world.pass().starts).toMatchObject([{ count: 1 }]);
  });

  test('is never taken down by load: with no room beside them, the next task goes only when its predecessor is replaced', () => {
    const world = openWeb({ desired: 4, configuration: { maximumPercent: 100, minimumHealthyPercent: 0 } });
    for (const { id } of world.wanted()) world.target(id, 'unhealthy');
    const { stops } = world.pass();
    expect(stops).toHaveLength(1);
    world.target(stops[0]!);
    world.stopped(stops[0]!, 'ServiceSchedulerInitiated', 'stopped');
    expect(world.pass().stops).toEqual([]);
    const fresh = world.wanted().find(({ targets }) => targets?.length === 0)!;
    world.running(fresh.id);
    expect(world.pass().stops).toEqual([]);
    expect(world.pass().stops).toEqual([]);
    // The others get better: nothing more goes.
    for (const { id } of world.wanted()) world.target(id, 'healthy');
    expect(world.pass().stops).toEqual([]);
    expect(world.wanted()).toHaveLength(4);
  });

  test('fails a revision whose targets never get healthy, and goes back', () => {
    const world = openWeb({ configuration: { circuitBreaker: breaker(true) } });
    const old = world.primary();
    const bad = world.deploy(unchecked);
    for (let round = 0; round < 20 && world.primary().id === bad.id; round++) {
      world.pass();
      for (const { id, lastStatus, service, desiredStatus } of world.live()) {
        if (service?.deploymentId !== bad.id) continue;
        if (desiredStatus === 'STOPPED') {
          world.target(id);
          world.stopped(id, 'ServiceSchedulerInitiated', 'stopped');
        } else if (lastStatus !== 'RUNNING') world.running(id);
        else world.target(id, 'unhealthy');
      }
      world.now += 1_000;
    }
    expect(world.primary().id).toBe(old.id);
    expect(world.events).toContain(
      `(service web) (deployment ${bad.id}) deployment failed: tasks failed ELB health checks.`,
    );
    expect(world.wanted().filter(({ service }) => service?.deploymentId === old.id)).toHaveLength(2);
  });

  test('a rollback brings the target groups of its deployment back', () => {
    const world = openWeb({ configuration: { circuitBreaker: breaker(true) } });
    const bad = world.deploy({ behaviour: 'fails to start', checks: false });
    const moved = [{ ...balanced[0]!, targetGroupArn: other }];
    world.service = {
      ...world.service,
      loadBalancers: moved,
      deployments: world.service.deployments.map((one) => (one.id === bad.id ? { ...one, loadBalancers: moved } : one)),
    };
    for (let round = 0; round < 40 && world.primary().id === bad.id; round++) {
      world.pass();
      for (const task of world.live()) if (task.service?.deploymentId === bad.id) world.step(task.id);
      world.now += 10_000;
    }
    expect(world.primary().id).not.toBe(bad.id);
    expect(world.service.loadBalancers).toEqual(balanced);
  });
});

test('the order to stop waits no longer than any deregistration delay, on a host that is taken back some seconds', () => {
  const world = openWeb();
  const [task] = world.wanted();
  const stopping: TaskRecord = { ...task!, desiredStatus: 'STOPPED', stoppingAt: 1_000, stopCode: 'SpotInterruption' };
  expect([20_999, 21_000].map((now) => isHeld(stopping, now))).toEqual([true, false]);
  const byUser: TaskRecord = { ...stopping, stopCode: 'UserInitiated' };
  expect([3_900_999, 3_901_000].map((now) => isHeld(byUser, now))).toEqual([true, false]);
  expect(isHeld({ ...stopping, lastStatus: 'STOPPED' }, 1_000)).toBe(false);
  expect(isHeld({ ...stopping, targets: [] }, 1_000)).toBe(false);
});
