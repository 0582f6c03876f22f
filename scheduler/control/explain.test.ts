import { expect, test } from 'vitest';

import { World } from '../deployments/testing/world.ts';
import { explainService } from './explain.ts';

test('which containers of a starting task do not run yet is said, and how those stand that they can wait for', () => {
  const world = new World({ desired: 1 });
  world.pass();
  const [task] = world.live();
  const [app] = task!.containers;
  const waits = (): readonly string[] =>
    explainService(world.service, [...world.tasks.values()], [], world.now, world.options).waitsFor;
  const sentence = expect.stringContaining('not started yet');
  expect(waits()).not.toContainEqual(sentence);
  const db = { ...app!, name: 'db', lastStatus: 'RUNNING', healthStatus: 'UNHEALTHY' } as const;
  const init = { ...app!, name: 'init', lastStatus: 'STOPPED', essential: false } as const;
  world.report(task!.id, { containers: [init, db, app!] });
  expect(waits()).toContain(`Task ${task!.id}: app not started yet; init is STOPPED, db is RUNNING and UNHEALTHY.`);
  world.running(task!.id);
  expect(waits()).not.toContainEqual(sentence);
});

test('of a task behind load balancers it is said how its groups find it, where they look, and what its end waits for', () => {
  const targetGroupArn = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef';
  const loadBalancers = [{ targetGroupArn, containerName: 'app', containerPort: 80 }];
  const world = new World({ desired: 1, first: { behaviour: 'good', checks: false }, loadBalancers });
  const waits = (): readonly string[] =>
    explainService(world.service, [...world.tasks.values()], [], world.now, world.options).waitsFor;
  world.pass();
  const [{ id } = { id: '' }] = world.live();
  world.running(id);
  expect(waits()).toContain(`Task ${id}: not registered with its target groups yet.`);
  world.pass();
  expect(waits()).toContain(
    `Task ${id}: initial in (target-group ${targetGroupArn}) at 10.0.0.1:80: no health check has answered yet; a listener or rule must forward to the group.`,
  );
  world.target(id, 'unhealthy', 'Health checks failed: 10.0.0.1:80: ECONNREFUSED');
  expect(waits()).toContain(
    `Task ${id}: unhealthy in (target-group ${targetGroupArn}) at 10.0.0.1:80: Health checks failed: 10.0.0.1:80: ECONNREFUSED.`,
  );
  world.target(id, 'healthy');
  world.pass();
  expect(waits()).toEqual([]);
  world.service = { ...world.service, desiredCount: 0 };
  world.pass();
  world.now += 7_000;
  world.service = { ...world.service, steady: false };
  expect(waits()).toContain(
    `Task ${id}: gets no new requests, and is told to stop when those at 10.0.0.1:80 are done or the deregistration delay is over (7 s so far).`,
  );
});
