import { describe, expect, test } from 'vitest';

import type { LifecycleHook, Shifting, ShiftStrategy } from '../state/index.ts';

import { verdictOf } from './index.ts';
import { balancer, good } from './testing/shifting.ts';
import { type Revision, World } from './testing/world.ts';

const minute = 60_000;
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

test('each revision starts by its own capacity providers: the new one by those of its AppSpec', () => {
  const world = begun({});
  world.service = {
    ...world.service,
    deployments: world.service.deployments.map((one) =>
      one.status === 'PRIMARY'
        ? {
            ...one,
            launch: {
              launchType: 'FARGATE',
              capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', base: 0, weight: 1 }],
            },
          }
        : one,
    ),
  };
  const { id } = world.primary();
  const starts: (string | undefined)[] = [];
  for (let round = 0; round < 5; round++) {
    const plan = world.pass();
    for (const { deploymentId, providers } of plan.starts)
      starts.push(`${deploymentId === id ? 'new' : 'old'} ${providers?.join(' ') ?? 'by launch type'}`);
    const old = world.wanted().find(({ service }) => service?.deploymentId !== id);
    for (const task of world.live()) world.step(task.id);
    if (round === 1 && old !== undefined) world.stopped(old.id, 'EssentialContainerExited', 'gone');
  }
  expect(starts).toContain('new FARGATE_SPOT FARGATE_SPOT');
  expect(starts).toContain('old by launch type');
});

describe('alarms of the deployment group', () => {
  const alarms = { alarmNames: ['errors', 'slow'], rollback: true, ignoreMissing: false };
  /** In its canary, with both alarms there and OK unless they are not to be. */
  function watched(own: Partial<typeof alarms> = {}, there: readonly string[] = alarms.alarmNames): World {
    const world = begun({ goesBack: false, alarms: { ...alarms, ...own } });
    for (const name of there) world.alarm(name, 'OK');
    return world;
  }
  const play = (world: World, rounds = 20): void => {
    for (let round = 0; round < rounds; round++) {
      world.pass();
      for (const task of world.live()) world.step(task.id);
      if (world.shift !== undefined) world.acknowledge();
    }
  };

  test.each([
    [true, { 0: 2 }],
    [false, { 0: 2, 1: 2 }],
  ] as const)('one that goes into ALARM stops it, and traffic goes back: %s', (rollback, counts) => {
    const world = watched({ rollback });
    workTo(world, 'PRODUCTION_TRAFFIC_SHIFT');
    world.now += 1000;
    world.alarm('slow', 'ALARM');
    world.alarm('slow', 'OK');
    play(world);
    expect(tasksOf(world)).toEqual(counts);
    const failed = rollback ? world.primary().cause.failed : world.primary();
    expect(failed).toMatchObject({ rolloutState: 'FAILED', alarms: { triggered: ['slow'] } });
    expect(world.events.some((one) => one.includes('alarm slow went into ALARM'))).toBe(true);
  });

  test('one that is in ALARM at the start stops it as well', () => {
    const world = watched();
    world.alarm('errors', 'ALARM');
    play(world);
    expect(world.primary().cause.failed).toMatchObject({ alarms: { triggered: ['errors'] } });
    expect(verdictOf(world.service)?.verdict).toBe('rolled back');
  });

  test('one that is not there stops it, unless that is to be ignored', () => {
    const world = watched({}, ['errors']);
    play(world);
    expect(world.primary().cause.failed).toMatchObject({
      alarms: { missing: ['slow'] },
      rolloutStateReason: expect.stringContaining('alarm slow cannot be asked'),
    });
    expect(verdictOf(world.service)?.verdict).toBe('inconclusive');
    const other = watched({ ignoreMissing: true }, ['errors']);
    workTo(other, 'PRODUCTION_TRAFFIC_SHIFT');
    rest(other);
    workTo(other, 'BAKE_TIME');
    expect(other.primary().rolloutState).toBe('IN_PROGRESS');
  });

  test('of the service none is watched, and the deployment is not done while nobody knows how its own stand', () => {
    const world = begun({});
    world.service = {
      ...world.service,
      deploymentConfiguration: {
        ...world.service.deploymentConfiguration,
        alarms: { alarmNames: ['errors'], enable: true, rollback: true },
      },
    };
    world.alarm('errors', 'ALARM');
    workTo(world, 'PRODUCTION_TRAFFIC_SHIFT');
    expect(world.primary()).not.toHaveProperty('alarms');

    const blind = watched();
    blind.alarms = undefined;
    workTo(blind, 'PRODUCTION_TRAFFIC_SHIFT');
    rest(blind);
    workTo(blind, 'BAKE_TIME');
    blind.now += 60 * minute;
    play(blind);
    expect(blind.shifting().stage).toBe('BAKE_TIME');
  });
});

const tasksOf = (world: World): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(world.wanted(), ({ taskDefinition }) => taskDefinition.split(':').at(-1) ?? '')].map(
      ([revision, tasks]) => [revision, tasks.length],
    ),
  );
