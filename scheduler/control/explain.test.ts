import { expect, test } from 'vitest';

import { World } from '../deployments/testing/world.ts';
import type { Shifting } from '../state/index.ts';
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

test('of a deployment that waits for a hook it is said which, at what stage, and what ends the waiting', () => {
  const world = new World({ desired: 1 });
  world.pass();
  const [deployment] = world.service.deployments;
  if (deployment === undefined) throw new Error('no deployment');
  const startedAt = Date.UTC(2026, 0, 1);
  const hook = { stages: ['POST_SCALE_UP'], timeoutInMinutes: 90, onTimeout: 'ROLLBACK' } as const;
  const run = { stage: 'POST_SCALE_UP', step: 0, isRollback: false, startedAt, status: 'IN_PROGRESS' } as const;
  const shifting: Shifting = {
    strategy: { type: 'BLUE_GREEN' },
    bakeTimeInMinutes: 0,
    hooks: [
      { ...hook, target: { type: 'webhook', url: 'https://ci.example.com/approve?token=hidden' } },
      { ...hook, target: { type: 'task', taskDefinition: 'migrate:3' }, onTimeout: 'CONTINUE' },
      { ...hook, target: { type: 'pause' } },
    ],
    stage: 'POST_SCALE_UP',
    stageSince: startedAt,
    step: 0,
    wanted: { production: 0, test: 0 },
    sequence: 0,
    live: { production: 0, test: 0, since: startedAt },
    runs: [
      { ...run, id: 'a', hook: 0 },
      { ...run, id: 'b', hook: 1 },
      { ...run, id: 'c', hook: 2, status: 'AWAITING_ACTION' },
      { ...run, id: 'd', hook: 0, status: 'SUCCEEDED' },
    ],
  };
  const service = { ...world.service, deployments: [{ ...deployment, shifting }] };
  const { waitsFor } = explainService(service, [], [], world.now, world.options);
  expect(waitsFor.filter((sentence) => sentence.includes('POST_SCALE_UP'))).toEqual(
    [
      ['webhook https://ci.example.com/approve', 'a', 'goes back'],
      ['command task migrate:3', 'b', 'goes on'],
      ['a person (ContinueServiceDeployment)', 'c', 'goes back'],
    ].map(
      ([who, id, then]) =>
        `Deployment ${deployment.id} waits at POST_SCALE_UP for ${who} since 2026-01-01T00:00:00.000Z (hook ${id}); without an answer it ${then} at 2026-01-01T01:30:00.000Z.`,
    ),
  );
});

test('of a step that is judged it is said what was counted so far, and what comes of it without a verdict', () => {
  const world = new World({ desired: 1 });
  world.pass();
  const since = Date.UTC(2026, 0, 1);
  const failed = { requests: 10, bad: 1 };
  const compared = [
    { what: 'failed', own: failed, other: { requests: 90, bad: 0 }, verdict: 'open', needs: 900 },
  ] as const;
  const judged = [{ step: 0, percent: 10, verdict: 'open', compared, at: since }] as const;
  const shifting = { judged, step: 0, runs: [], live: { since } } as unknown as Shifting;
  const waits = (otherwise: 'rollback' | 'continue' | 'wait'): readonly string[] => {
    const judge = { failed: 1, alpha: 1, beta: 5, within: 30, otherwise };
    const deployments = world.service.deployments.map((one) => ({ ...one, shifting }));
    return explainService({ ...world.service, deployments, judge }, [], [], world.now, world.options).waitsFor;
  };
  const numbers =
    'is judged with 10 % of production traffic, and there is no verdict yet: 1 of 10 (10 %) requests of the new revision failed, 0 of 90 (0 %) of the old one, of about 900 requests of the new one that it takes; ';
  expect(waits('rollback').join()).toContain(
    `${numbers}the deployment goes back without one at 2026-01-01T00:30:00.000Z.`,
  );
  expect(waits('continue').join()).toContain(`${numbers}the deployment goes on without one`);
  expect(waits('wait').join()).toContain(`${numbers}it is waited for.`);
});
