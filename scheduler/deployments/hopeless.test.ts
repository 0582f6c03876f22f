import { expect, test } from 'vitest';

import { verdictOf } from './index.ts';
import { balancer } from './testing/shifting.ts';
import { type Revision, World } from './testing/world.ts';

const minute = 60_000;
const good: Revision = { behaviour: 'good', checks: true };

/** A service whose first revision has come to be something else while a second one is on its way. */
function turned(
  becomes: Revision['behaviour'],
  shifts = false,
): { readonly world: World; readonly old: string; readonly id: string } {
  const world = new World({
    desired: 2,
    configuration: shifts ? { strategy: { type: 'BLUE_GREEN' }, bakeTimeInMinutes: 60 } : {},
    ...(shifts ? { loadBalancers: [balancer] } : {}),
  });
  world.calm();
  const old = world.primary().id;
  world.now += 1000;
  const { id } = world.deploy(good);
  world.pass();
  world.revisions[0] = { behaviour: becomes, checks: true };
  return { world, old, id };
}

/** All tasks of a deployment end by themselves. */
function lose(world: World, deployment: string): void {
  for (const task of world.live())
    if (task.service?.deploymentId === deployment) world.stopped(task.id, 'EssentialContainerExited', 'it ended');
}

/** Passes and what agents and engines do of them, a second each. */
function play(world: World, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    world.pass();
    for (const task of world.live()) world.step(task.id);
    world.acknowledge();
    world.now += 1000;
  }
}

test('a rollback to a revision whose image is gone is FAILED after ten minutes, with the last failure as evidence', () => {
  const { world, old, id } = turned('fails to start');
  lose(world, old);
  world.stopDeployment('ROLLBACK');
  const since = world.now;
  play(world, 500);
  expect(world.primary()).toMatchObject({ id: old, rolloutState: 'IN_PROGRESS', cause: { failed: { id } } });
  expect(verdictOf(world.service)?.verdict).toBe('rolling back');
  play(world, 200);
  expect(world.now - since).toBeLessThan(15 * minute);
  expect(world.primary()).toMatchObject({ id: old, rolloutState: 'FAILED' });
  expect(verdictOf(world.service)).toEqual({
    verdict: 'failed',
    deploymentId: old,
    evidence: expect.stringMatching(
      /the rollback to it cannot be finished\. \d+ tasks in a row failed to start; the last: .*CannotPullContainerError: no.* \(rollback of .*stopped by somebody\)/,
    ) as string,
  });
  const told = (): number => world.events.filter((one) => one.includes('the rollback cannot be finished')).length;
  expect(told()).toBe(1);
  // Nobody may be there to deploy when the registry comes back: it is tried on, ever more slowly, and that is no second verdict.
  const failures = world.primary().startFailures ?? 0;
  play(world, 1000);
  expect(world.primary().startFailures).toBeGreaterThan(failures);
  expect(world.primary().startFailures).toBeLessThan(failures + 30);
  world.revisions[0] = good;
  play(world, 1000);
  expect(world.live().filter(({ lastStatus }) => lastStatus === 'RUNNING')).toHaveLength(world.service.desiredCount);
  expect([verdictOf(world.service)?.verdict, told()]).toEqual(['failed', 1]);
  world.deploy(good);
  world.calm();
  expect(verdictOf(world.service)?.verdict).toBe('succeeded');
});

test.each(['crashes', 'never healthy'] as const)(
  'a rollback to a revision that %s is FAILED after ten minutes though no circuit breaker is on, and tried on',
  (becomes) => {
    const { world, old } = turned(becomes);
    lose(world, old);
    world.stopDeployment('ROLLBACK');
    play(world, 500);
    expect(verdictOf(world.service)?.verdict).toBe('rolling back');
    play(world, 200);
    expect(world.primary()).toMatchObject({ id: old, rolloutState: 'FAILED', triesOn: true });
    expect(verdictOf(world.service)).toMatchObject({
      verdict: 'failed',
      evidence: expect.stringMatching(
        /cannot be finished\. \d+ tasks in a row started and never were healthy; the last: task .* \(rollback of /,
      ) as string,
    });
    world.revisions[0] = good;
    play(world, 100);
    expect(world.live().filter(({ lastStatus }) => lastStatus === 'RUNNING')).toHaveLength(2);
    expect(verdictOf(world.service)?.verdict).toBe('failed');
  },
);

test('tasks that had been healthy before their checks failed, and one that is healthy in between, say nothing of a rollback', () => {
  const { world, old } = turned('crashes');
  lose(world, old);
  world.stopDeployment('ROLLBACK');
  play(world, 500);
  expect(world.primary().neverHealthy?.tasks).toBeGreaterThan(3);
  world.revisions[0] = good;
  for (let second = 0; second < 100 && world.primary().neverHealthy !== undefined; second++) play(world, 1);
  expect(world.primary().neverHealthy).toBeUndefined();
  // No room to start first: they are ended for it.
  const busy = new World({ desired: 2, configuration: { minimumHealthyPercent: 0, maximumPercent: 100 } });
  busy.calm();
  for (const { id } of busy.wanted()) busy.check(id, 'UNHEALTHY');
  busy.pass();
  expect(busy.primary().failedTasks).toBeGreaterThan(0);
  expect(busy.primary().neverHealthy).toBeUndefined();
});

test('one whose revision is gone is FAILED at once', () => {
  const { world, old } = turned('is gone');
  lose(world, old);
  world.stopDeployment('ROLLBACK');
  play(world, 3);
  expect(world.primary()).toMatchObject({ id: old, rolloutState: 'FAILED' });
  expect(verdictOf(world.service)?.evidence).toContain('does not exist any more.');
  expect(world.pass().starts).toEqual([]);
});

test('a registry that comes back, and pulls that take long, are waited for', () => {
  const { world, old } = turned('fails to start');
  lose(world, old);
  world.stopDeployment('ROLLBACK');
  // The next try is more than ten minutes after the first: what came before it says nothing of the registry then.
  play(world, 400);
  expect(world.primary().startFailures).toBeGreaterThan(10);
  world.revisions[0] = good;
  play(world, 400);
  expect(world.primary()).toMatchObject({ id: old, rolloutState: 'COMPLETED' });

  const { world: slow, old: large } = turned('fails to start');
  lose(slow, large);
  slow.stopDeployment('ROLLBACK');
  play(slow, 100);
  expect(slow.primary().startFailures).toBeGreaterThan(3);
  slow.revisions[0] = good;
  // Nobody hears of the tasks while their images come.
  for (let second = 0; second < 1200; second++) {
    slow.pass();
    slow.now += 1000;
  }
  expect(slow.primary()).toMatchObject({ id: large, rolloutState: 'IN_PROGRESS' });
  slow.calm();
  expect(slow.primary()).toMatchObject({ id: large, rolloutState: 'COMPLETED' });
});

test('where no task is wanted any more it is finished, whatever failed before', () => {
  const { world, old } = turned('fails to start');
  lose(world, old);
  world.stopDeployment('ROLLBACK');
  play(world, 400);
  world.now += 10 * minute;
  world.pass();
  for (const task of world.live()) world.step(task.id);
  world.service = { ...world.service, desiredCount: 0 };
  play(world, 5);
  expect(world.primary()).toMatchObject({ id: old, rolloutState: 'COMPLETED' });
});

test('lack of room, and tasks that start in the end, are waited for', () => {
  const { world, old } = turned('cannot be placed');
  lose(world, old);
  world.stopDeployment('ROLLBACK');
  play(world, 1000);
  expect(verdictOf(world.service)?.verdict).toBe('unplaceable');
  world.revisions[0] = { behaviour: 'fails to start', checks: true };
  play(world, 100);
  world.revisions[0] = good;
  world.calm();
  expect(world.primary()).toMatchObject({ id: old, rolloutState: 'COMPLETED' });
});

test.each(['is gone', 'fails to start', 'crashes'] as const)(
  'traffic that has been shifted stays where it is when the old revision %s: it cannot go back',
  (becomes) => {
    const { world, old, id } = turned(becomes, true);
    for (let second = 0; second < 60 && world.shifting().stage !== 'BAKE_TIME'; second++) play(world, 1);
    expect(world.shifting().stage).toBe('BAKE_TIME');
    lose(world, old);
    world.stopDeployment('ROLLBACK');
    play(world, 700);
    expect(world.primary()).toMatchObject({ id, rolloutState: 'FAILED' });
    expect(world.shifting()).toMatchObject({ wanted: { production: 100 }, rollback: { verdict: 'inconclusive' } });
    expect(verdictOf(world.service)).toMatchObject({
      verdict: 'inconclusive',
      evidence: expect.stringContaining(`It cannot go back to deployment ${old}: `) as string,
    });
    expect(world.wanted().filter(({ service }) => service?.deploymentId === id)).toHaveLength(2);
    // Traffic is left with it: what ends of it has a successor, and one that keeps failing is tried at the pace of failures.
    lose(world, id);
    play(world, 10);
    const own = (): number =>
      world.wanted().filter(({ service, lastStatus }) => service?.deploymentId === id && lastStatus === 'RUNNING')
        .length;
    expect(own()).toBe(2);
    world.revisions[1] = { behaviour: 'crashes', checks: true };
    lose(world, id);
    play(world, 300);
    expect(world.service.deployments.find((one) => one.id === id)?.crashes).toBeGreaterThan(6);
    expect(world.service.deployments.find((one) => one.id === id)?.crashes).toBeLessThan(120);
    expect(verdictOf(world.service)?.verdict).toBe('inconclusive');
    world.revisions[1] = good;
    play(world, 100);
    expect(own()).toBe(2);
    // The next deployment takes over from what runs.
    const next = world.deploy(good);
    play(world, 700);
    expect(world.shifting().stage).toBe('BAKE_TIME');
    world.now += 60 * minute;
    world.calm();
    expect(world.primary()).toMatchObject({ id: next.id, rolloutState: 'COMPLETED' });
    expect(new Set(world.wanted().map(({ service }) => service?.deploymentId))).toEqual(new Set([next.id]));
  },
);

test('a shift that is given up before its weights were live does not wait for an old revision that is gone, and its own tasks run', () => {
  const { world, old, id: superseded } = turned('crashes', true);
  play(world, 30);
  const { id } = world.deploy(good);
  world.pass();
  expect(world.shifting()).toMatchObject({ stage: 'RECONCILE_SERVICE', wanted: { production: 0, test: 0 } });
  // Neither can be asked any more, so that no engine takes the weights over.
  lose(world, old);
  lose(world, superseded);
  const decided: string[] = [];
  for (let second = 0; second < 700; second++) {
    for (const { what, deploymentId } of world.pass().decisions) if (deploymentId === id) decided.push(what);
    for (const task of world.live()) world.step(task.id);
    world.acknowledge('no target can answer yet');
    world.now += 1000;
  }
  expect(world.primary()).toMatchObject({ id, rolloutState: 'FAILED', triesOn: true });
  expect(verdictOf(world.service)).toMatchObject({
    verdict: 'inconclusive',
    evidence: expect.stringMatching(
      / can answer yet\. It cannot go back to deployment .*: \d+ tasks in a row started and never were healthy/,
    ) as string,
  });
  const running = world
    .live()
    .filter(({ lastStatus, service }) => lastStatus === 'RUNNING' && service?.deploymentId === id);
  expect(running).toHaveLength(2);
  // It failed once, however long it then tries to go back.
  expect(decided.filter((what) => what === 'deployment-failed' || what === 'rollback-impossible')).toEqual([
    'deployment-failed',
    'rollback-impossible',
  ]);
});
