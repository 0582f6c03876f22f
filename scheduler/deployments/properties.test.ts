import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';

import { breakerThreshold, isHealthy, lowerBound, upperBound } from './index.ts';
import { breaker, type Revision, World } from './testing/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const runs = { nightly: 3_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 250;

const revision: fc.Arbitrary<Revision> = fc.record({
  behaviour: fc.constantFrom('good', 'good', 'good', 'fails to start', 'crashes', 'never healthy', 'cannot be placed'),
  checks: fc.boolean(),
});

type Deed =
  | { readonly do: 'pass' }
  | { readonly do: 'step' | 'kill' | 'sicken' | 'stop by hand'; readonly task: number }
  | { readonly do: 'deploy'; readonly revision: Revision }
  | { readonly do: 'scale'; readonly desired: number }
  | { readonly do: 'host'; readonly host: number; readonly condition: 'ready' | 'draining' | 'lost' }
  | { readonly do: 'reclaim'; readonly host: number; readonly within: number }
  | { readonly do: 'room'; readonly host: number; readonly room: number }
  | { readonly do: 'wait'; readonly ms: number };

const task = fc.nat(1000);
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ do: 'pass' } as const) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('step' as const), task }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('kill' as const, 'sicken' as const, 'stop by hand' as const), task }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deploy' as const), revision }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('scale' as const), desired: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('host' as const),
      host: fc.nat(2),
      condition: fc.constantFrom('ready' as const, 'draining' as const, 'lost' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('reclaim' as const),
      host: fc.nat(2),
      within: fc.constantFrom(0, 30_000, 90_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('room' as const), host: fc.nat(2), room: fc.nat(6) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 1_000, 40_000, 600_000) }),
  },
);

const setting = fc.record({
  desired: fc.integer({ min: 0, max: 6 }),
  room: fc.integer({ min: 1, max: 12 }),
  minimumHealthyPercent: fc.constantFrom(0, 33, 50, 75, 100),
  maximumPercent: fc.constantFrom(100, 125, 150, 200),
  rollback: fc.boolean(),
  first: revision,
});

const healthyTasks = (world: World): number =>
  world
    .wanted()
    .filter(
      (one) =>
        isHealthy(one, world.now, world.options) &&
        world.hosts.find(({ id }) => id === one.instanceId)?.condition !== 'lost',
    ).length;

const occupying = (world: World): number =>
  world.live().filter((one) => world.hosts.find(({ id }) => id === one.instanceId)?.condition !== 'lost').length;

function act(world: World, action: Deed): void {
  const pick = (index: number) => world.live()[index % Math.max(1, world.live().length)];
  switch (action.do) {
    case 'pass':
      checkedPass(world);
      return;
    case 'step':
      world.step(pick(action.task)?.id ?? '');
      return;
    case 'kill': {
      const victim = pick(action.task);
      if (victim?.lastStatus === 'RUNNING') world.stopped(victim.id, 'EssentialContainerExited', 'killed');
      return;
    }
    case 'sicken': {
      const victim = pick(action.task);
      if (victim?.lastStatus === 'RUNNING') world.check(victim.id, 'UNHEALTHY');
      return;
    }
    case 'stop by hand': {
      const victim = pick(action.task);
      if (victim !== undefined)
        world.report(victim.id, { desiredStatus: 'STOPPED', stopCode: 'UserInitiated', stoppedReason: 'by hand' });
      return;
    }
    case 'deploy':
      world.deploy(action.revision);
      return;
    case 'scale':
      world.service = { ...world.service, desiredCount: action.desired };
      return;
    case 'host':
      spare(world.hosts[action.host]!);
      world.hosts[action.host]!.condition = action.condition;
      return;
    case 'reclaim':
      Object.assign(world.hosts[action.host]!, { condition: 'draining', interruptedAt: world.now + action.within });
      return;
    case 'room':
      world.hosts[action.host]!.room = action.room;
      return;
    case 'wait':
      world.now += action.ms;
      return;
  }
}

/** The host is not taken back any more. */
const spare = (host: World['hosts'][number]): void => {
  delete host.interruptedAt;
};

/** When the host of a task interrupts it; never, where it stays. */
const interruptedAt = (world: World, { instanceId }: { readonly instanceId?: string }): number =>
  world.hosts.find(({ id }) => id === instanceId)?.interruptedAt ?? Infinity;

/** One pass, with everything that must hold about it. */
function checkedPass(world: World): void {
  const { desiredCount: desired, deploymentConfiguration: configuration } = world.service;
  const lower = lowerBound(desired, configuration);
  const upper = upperBound(desired, configuration);
  const due = world.wanted().filter((one) => interruptedAt(world, one) <= world.now);
  const healthyBefore = healthyTasks(world) - due.filter((one) => isHealthy(one, world.now, world.options)).length;
  const tasksBefore = world.tasks.size;
  const primaryBefore = world.primary().id;
  const plan = world.pass();

  const broken: string[] = [];
  const must = (holds: boolean, rule: string): void => {
    if (!holds) broken.push(rule);
  };
  must(world.tasks.size === tasksBefore || occupying(world) <= upper, `${occupying(world)} tasks, at most ${upper}`);
  must(
    healthyTasks(world) >= Math.min(lower, healthyBefore),
    `${healthyTasks(world)} healthy of ${healthyBefore}, at least ${lower}`,
  );
  const told = plan.tasks.filter(({ id, stopCode }) => stopCode === 'SpotInterruption' && plan.stops.includes(id));
  must(
    due.every(({ id }) => world.tasks.get(id)?.desiredStatus === 'STOPPED'),
    'a task outlives its host',
  );
  must(
    told.every((one) => interruptedAt(world, one) < Infinity),
    'interrupted on a host that stays',
  );
  const breakerSettings = configuration.circuitBreaker;
  const threshold = breakerSettings === undefined ? Infinity : breakerThreshold(desired, breakerSettings);
  const primary = world.primary();
  for (const { what, deploymentId, count = 0 } of plan.decisions) {
    const counts = plan.decisions.flatMap((one) =>
      one.what === 'failure' && one.deploymentId === deploymentId ? (one.count ?? 0) : [],
    );
    must(what !== 'deployment-failed' || Math.max(...counts) >= threshold, 'the breaker tripped too early');
    must(
      what !== 'failure' ||
        count < threshold ||
        deploymentId !== primary.id ||
        primaryBefore !== primary.id ||
        primary.rolloutState !== 'IN_PROGRESS',
      'the breaker tripped too late',
    );
  }
  for (const { taskDefinition, rolloutState } of world.service.deployments)
    must(
      world.behaviour(taskDefinition).behaviour !== 'cannot be placed' || rolloutState !== 'FAILED',
      'failed for lack of room',
    );
  must(world.service.deployments.filter(({ status }) => status === 'PRIMARY').length === 1, 'one PRIMARY');
  must(world.service.deployments[0]?.id === primary.id, 'the PRIMARY comes first');
  expect(broken).toEqual([]);
}

test('whatever happens, a pass keeps to the bounds, trips at the threshold and never for lack of room; a calm world converges', () => {
  fc.assert(
    fc.property(setting, fc.array(deed, { maxLength: 150, size: 'max' }), (given, deeds) => {
      const { minimumHealthyPercent, maximumPercent } = given;
      const world = new World({
        desired: given.desired,
        room: given.room,
        first: given.first,
        configuration: { minimumHealthyPercent, maximumPercent, circuitBreaker: breaker(given.rollback) },
      });
      for (const action of deeds) act(world, action);

      for (const host of world.hosts) {
        spare(host);
        host.condition = 'ready';
        host.room = 100;
      }
      world.deploy({ behaviour: 'good', checks: true });
      const { desiredCount: desired, deploymentConfiguration: configuration } = world.service;
      for (let round = 0; round < 400 && !world.service.steady; round++) {
        checkedPass(world);
        for (const one of world.live()) world.step(one.id);
        world.now += 1_000;
      }
      const stuck = desired > 0 && lowerBound(desired, configuration) >= upperBound(desired, configuration);
      if (stuck && !world.service.steady) return;
      expect(world.service.steady).toBe(true);
      expect(world.wanted().map((one) => one.service?.deploymentId)).toEqual(Array(desired).fill(world.primary().id));
      const quiet = world.pass();
      expect(quiet.starts).toEqual([]);
      expect(quiet.stops).toEqual([]);
      expect(quiet.service).toBe(world.service);
    }),
    { numRuns: runs },
  );
});

test('planning twice on the same state gives the same plan', () => {
  fc.assert(
    fc.property(setting, fc.array(deed, { maxLength: 60, size: 'max' }), (given, deeds) => {
      const build = (): World => {
        const world = new World({
          desired: given.desired,
          room: given.room,
          first: given.first,
          configuration: { circuitBreaker: breaker(true) },
        });
        for (const action of deeds) act(world, action);
        return world;
      };
      expect(build().pass()).toEqual(build().pass());
    }),
    { numRuns: Math.ceil(runs / 5) },
  );
});
