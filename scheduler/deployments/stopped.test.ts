import { expect, test } from 'vitest';

import { verdictOf } from './index.ts';
import { breaker, type Revision, World } from './testing/world.ts';

const good: Revision = { behaviour: 'good', checks: true };

test.each(['ROLLBACK', 'ABORT'] as const)(
  'a rolling deployment that somebody stops (%s) goes back to what had completed, and says nothing about its revision',
  (type) => {
    const world = new World({ desired: 4, configuration: { circuitBreaker: breaker(false) } });
    world.calm();
    const before = world.primary().id;
    world.now += 1000;
    const { id } = world.deploy(good);
    world.pass();
    expect(world.wanted().some(({ service }) => service?.deploymentId === id)).toBe(true);
    world.stopDeployment(type);
    world.calm();
    expect(world.primary()).toMatchObject({
      id: before,
      rolloutState: 'COMPLETED',
      cause: { kind: 'rollback', failed: { id, judgement: 'inconclusive', stop: { type, by: 'somebody' } } },
    });
    expect(world.primary()).not.toHaveProperty('stop');
    expect(world.wanted().every(({ service }) => service?.deploymentId === before)).toBe(true);
    expect(world.events).toContain(`(service web) (deployment ${id}) deployment failed: stopped by somebody.`);
    expect(verdictOf(world.service)).toMatchObject({
      verdict: 'inconclusive',
      evidence: expect.stringContaining('stopped by somebody') as string,
    });
    // The way back is no deployment that could be stopped: what is said of it changes nothing.
    world.now += 1000;
    const next = world.deploy(good);
    world.calm();
    expect(world.primary()).toMatchObject({ id: next.id, rolloutState: 'COMPLETED' });
  },
);

test('one that has nothing to go back to stays as it is, and starts no further tasks', () => {
  const world = new World({ desired: 2, first: { behaviour: 'cannot be placed', checks: false } });
  world.pass();
  const { id } = world.primary();
  world.stopDeployment('ROLLBACK');
  world.calm();
  expect(world.primary()).toMatchObject({ id, rolloutState: 'FAILED', judgement: 'inconclusive' });
  expect(verdictOf(world.service)).toMatchObject({ verdict: 'inconclusive', deploymentId: id });
  const count = world.wanted().length;
  world.calm();
  expect(world.wanted()).toHaveLength(count);
  world.now += 1000;
  world.deploy(good);
  world.calm();
  expect(verdictOf(world.service)?.verdict).toBe('succeeded');
});

test('a stop that comes when it is over, or for a service that is deleted, changes nothing', () => {
  const world = new World({ desired: 2 });
  world.calm();
  world.stopDeployment('ROLLBACK');
  world.calm();
  expect(world.primary().rolloutState).toBe('COMPLETED');
  world.now += 1000;
  const { id } = world.deploy(good);
  world.stopDeployment('ROLLBACK');
  world.service = { ...world.service, status: 'DRAINING', desiredCount: 0 };
  world.calm();
  expect(world.service.status).toBe('INACTIVE');
  expect(world.service.deployments.find((one) => one.id === id)?.rolloutState).not.toBe('FAILED');
});
