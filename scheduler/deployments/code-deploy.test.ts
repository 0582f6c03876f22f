import { expect, test } from 'vitest';

import type { LifecycleHook, ServiceLoadBalancer, Shifting, ShiftStrategy } from '../state/index.ts';

import { verdictOf } from './index.ts';
import { type Revision, World } from './testing/world.ts';

const minute = 60_000;
const good: Revision = { behaviour: 'good', checks: false };
const balancer: ServiceLoadBalancer = {
  targetGroupArn: 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/1',
  containerName: 'app',
  containerPort: 80,
  advanced: {
    alternateTargetGroupArn: 'arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/2',
    productionListenerRule: 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/lb/1/2',
    roleArn: 'arn:aws:iam::000000000000:role/codedeploy',
  },
};
const canary: ShiftStrategy = { type: 'CANARY', canaryPercent: 10, canaryBakeTimeInMinutes: 5 };

/** A service in the middle of a deployment that CodeDeploy has begun. */
function begun(
  codeDeploy: Partial<NonNullable<Shifting['codeDeploy']>>,
  { hooks = [], revision = good }: { hooks?: readonly LifecycleHook[]; revision?: Revision } = {},
): World {
  const configuration = { strategy: canary, bakeTimeInMinutes: 60 };
  const world = new World({ desired: 2, first: good, loadBalancers: [balancer], configuration });
  world.calm();
  world.deploy(revision);
  patch(world, { hooks, codeDeploy: { id: 'd-ABCDEFGHI', goesBack: true, installMinutes: 60, ...codeDeploy } });
  return world;
}

function patch(world: World, shifting: Partial<Shifting>): void {
  world.service = {
    ...world.service,
    deployments: world.service.deployments.map((one) =>
      one.status === 'PRIMARY' && one.shifting !== undefined
        ? { ...one, shifting: { ...one.shifting, ...shifting } }
        : one,
    ),
  };
}

/** Passes, reports of agents and acknowledgements of engines at this time, until the stage is reached. */
function workTo(world: World, stage: Shifting['stage']): void {
  for (let round = 0; round < 60 && world.shifting().stage !== stage; round++) {
    world.pass();
    for (const task of world.live()) world.step(task.id);
    world.acknowledge();
  }
  expect(world.shifting().stage).toBe(stage);
}

/** Until the rest after the first step is over. */
function rest(world: World): void {
  world.pass();
  world.acknowledge();
  world.pass();
  expect(world.shifting().live.production).toBe(10);
  world.now += 5 * minute;
}

test('a hook is asked once in a stage, however many steps that has', () => {
  const hook: LifecycleHook = {
    target: { type: 'webhook', url: 'https://hooks.test/' },
    stages: ['PRE_PRODUCTION_TRAFFIC_SHIFT'],
    once: true,
    timeoutInMinutes: 60,
    onTimeout: 'ROLLBACK',
  };
  const world = begun({}, { hooks: [hook] });
  workTo(world, 'PRE_PRODUCTION_TRAFFIC_SHIFT');
  world.pass();
  world.answer(world.shifting().runs[0]?.id ?? '', 'SUCCEEDED');
  workTo(world, 'PRODUCTION_TRAFFIC_SHIFT');
  rest(world);
  workTo(world, 'BAKE_TIME');
  expect(world.shifting()).toMatchObject({ step: 1, live: { production: 100 } });
  expect(world.shifting().runs).toHaveLength(1);
});

test('a person ends the bake time', () => {
  const world = begun({});
  workTo(world, 'PRODUCTION_TRAFFIC_SHIFT');
  rest(world);
  workTo(world, 'BAKE_TIME');
  world.pass();
  expect(world.shifting().stage).toBe('BAKE_TIME');
  patch(world, { codeDeploy: { id: 'd-ABCDEFGHI', goesBack: true, installMinutes: 60, bakeOver: true } });
  workTo(world, 'CLEAN_UP');
  world.calm();
  expect(verdictOf(world.service)?.verdict).toBe('succeeded');
});

test.each([
  [true, 'rolled back', { 0: 2 }],
  [false, 'inconclusive', { 0: 2, 1: 2 }],
] as const)('stopped amid its canary: goes back %s', (goesBack, verdict, counts) => {
  const world = begun({ goesBack: false });
  workTo(world, 'PRODUCTION_TRAFFIC_SHIFT');
  world.pass();
  world.acknowledge();
  world.pass();
  patch(world, { stop: { type: goesBack ? 'ROLLBACK' : 'STAY', at: world.now, by: 'somebody' } });
  for (let round = 0; round < 20; round++) {
    world.pass();
    for (const task of world.live()) world.step(task.id);
    if (world.shift !== undefined) world.acknowledge();
  }
  expect(tasksOf(world)).toEqual(counts);
  if (goesBack) return;
  expect(verdictOf(world.service)?.verdict).toBe(verdict);
  // Weights stay until the next one begins, which takes traffic back first and ends with one revision.
  expect(world.shift?.rules[0]?.groups.map(({ weight }) => weight)).toEqual([10, 90]);
  world.deploy(good);
  patch(world, { codeDeploy: { id: 'd-JKLMNOPQR', goesBack: true, installMinutes: 60 } });
  world.calm();
  expect(verdictOf(world.service)?.verdict).toBe('succeeded');
  expect(tasksOf(world)).toEqual({ 2: 2 });
});

test('new tasks that are not healthy within their hour end the deployment', () => {
  const world = begun({ goesBack: false }, { revision: { behaviour: 'cannot be placed', checks: false } });
  workTo(world, 'SCALE_UP');
  world.now += 59 * minute;
  world.pass();
  expect(world.primary().rolloutState).toBe('IN_PROGRESS');
  world.now += minute;
  world.pass();
  expect(world.primary()).toMatchObject({ rolloutState: 'FAILED' });
  expect(world.shifting().rollback?.reason).toMatch(/not all healthy within 60 minutes: .*RESOURCE/);
  expect(tasksOf(world)).toEqual({ 0: 2 });
});

const tasksOf = (world: World): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(world.wanted(), ({ taskDefinition }) => taskDefinition.split(':').at(-1) ?? '')].map(
      ([revision, tasks]) => [revision, tasks.length],
    ),
  );
