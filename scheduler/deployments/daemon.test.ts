import { describe, expect, test } from 'vitest';

import { breaker, type Revision, World } from './testing/world.ts';

const good: Revision = { behaviour: 'good', checks: true };

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

  test.each([
    [8, 'FAILED'],
    [9, 'IN_PROGRESS'],
  ])('failures are counted against the %i hosts of this very moment: %s', (hosts, rolloutState) => {
    const world = new World({
      hosts: 8,
      first: { behaviour: 'fails to start', checks: true },
      schedulingStrategy: 'DAEMON',
      configuration: { maximumPercent: 100, minimumHealthyPercent: 0, circuitBreaker: breaker(false) },
    });
    world.pass();
    for (const { id } of world.live().slice(0, 4)) while (world.tasks.get(id)?.lastStatus !== 'STOPPED') world.step(id);
    while (world.hosts.length < hosts) world.hosts.push({ id: 'late', room: 100, condition: 'ready' });
    world.pass();
    expect(world.service.desiredCount).toBe(hosts);
    expect(world.primary()).toMatchObject({ failedTasks: 4, rolloutState });
  });
});
