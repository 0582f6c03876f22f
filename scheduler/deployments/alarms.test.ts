import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

import type { DeploymentConfiguration } from '../state/index.ts';
import { verdictOf } from './index.ts';
import { act, type Deed, deed, revision } from './testing/deeds.ts';
import { breaker, type Revision, World } from './testing/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const good: Revision = { behaviour: 'good', checks: true };
const alarms = { alarmNames: ['errors', 'slow'], enable: true, rollback: true };

/** A service that is as it should be, and may fail by alarms. */
function settled(configuration: Partial<DeploymentConfiguration> = {}): World {
  const world = new World({ configuration: { alarms, ...configuration } });
  for (const name of alarms.alarmNames) world.alarm(name, 'OK');
  world.calm();
  world.now += 40 * 60_000;
  world.calm();
  expect(world.primary().rolloutState).toBe('COMPLETED');
  world.now += 1000;
  return world;
}

describe('a rolling deployment', () => {
  test('goes back when one of its alarms goes into ALARM, in the words of ECS', () => {
    const world = settled();
    const before = world.primary().id;
    const { id } = world.deploy(good);
    world.pass();
    world.now += 1000;
    world.alarm('errors', 'ALARM');
    world.pass();
    expect(world.primary().id).toBe(before);
    expect(world.events).toContain(`(service web) (deployment ${id}) deployment failed: alarm detected.`);
    expect(world.events).toContain(`(service web) rolling back to deployment ${before}.`);
    world.calm();
    expect(verdictOf(world.service)).toEqual({
      verdict: 'rolled back',
      deploymentId: before,
      evidence: expect.stringContaining('alarm errors went into ALARM'),
    });
    const { failed } = world.primary().cause;
    expect(failed?.rolloutStateReason).toBe(
      `ECS deployment ${id} failed: alarm detected. alarm errors went into ALARM.`,
    );
    expect(failed?.alarms).toEqual({ triggered: ['errors'] });
    expect(world.wanted().every((task) => task.service?.deploymentId === before)).toBe(true);
  });

  test('is failed where it stands without rollback, and by no alarm that it does not name', () => {
    const world = settled({ alarms: { ...alarms, rollback: false } });
    const { id } = world.deploy(good);
    world.pass();
    world.now += 1000;
    world.alarm('another', 'ALARM');
    world.pass();
    expect(world.primary().rolloutState).toBe('IN_PROGRESS');
    world.alarm('slow', 'ALARM');
    world.pass();
    expect(world.primary()).toMatchObject({ id, rolloutState: 'FAILED', alarms: { triggered: ['slow'] } });
    world.alarm('slow', 'OK');
    world.calm();
    expect(world.primary().rolloutState).toBe('FAILED');
  });

  test('fails by an alarm that was short', () => {
    const world = settled();
    const { id } = world.deploy(good);
    world.pass();
    world.now += 1000;
    world.alarm('errors', 'ALARM');
    world.alarm('errors', 'OK');
    world.pass();
    expect(world.primary().cause.failed?.id).toBe(id);
  });

  test('watches none of its alarms where one was in ALARM when it began, and says so', () => {
    const world = settled();
    world.alarm('errors', 'ALARM');
    world.now += 1000;
    const { id } = world.deploy(good);
    world.pass();
    expect(world.events).toContain(
      `(service web) (deployment ${id}) does not watch its alarms: errors was in ALARM when it began.`,
    );
    world.now += 1000;
    world.alarm('errors', 'OK');
    world.alarm('errors', 'ALARM');
    world.alarm('slow', 'ALARM');
    world.calm();
    expect(world.primary()).toMatchObject({ id, rolloutState: 'COMPLETED', alarms: { ignored: ['errors'] } });
  });

  test('bakes as long as its alarms look back, and fails in that time', () => {
    const world = settled();
    const before = world.primary().id;
    const { id } = world.deploy(good);
    const bake = (): void => {
      for (let round = 0; round < 50 && world.primary().bakingSince === undefined; round++) {
        world.pass();
        for (const task of world.live()) world.step(task.id);
        world.now += 1000;
      }
    };
    bake();
    const since = world.primary().bakingSince ?? 0;
    expect(world.pass().wakeAt).toBe(since + 120_000);
    expect(world.wanted().every((task) => task.service?.deploymentId === id)).toBe(true);
    expect(world.primary()).toMatchObject({
      rolloutState: 'IN_PROGRESS',
      rolloutStateReason: expect.stringMatching(
        /^ECS deployment \S+ in progress. .* its alarms are watched until 1970-/,
      ),
    });
    world.now = since + 119_999;
    world.alarm('errors', 'ALARM');
    world.calm();
    expect(world.primary()).toMatchObject({ id: before, rolloutState: 'COMPLETED' });
    expect(world.primary()).not.toHaveProperty('bakingSince');
    // What it goes back to is no deployment that alarms watch: they are still in ALARM.
    const third = world.deploy(good);
    world.calm();
    expect(world.primary()).toMatchObject({ id: third.id, rolloutState: 'COMPLETED', alarms: { ignored: ['errors'] } });
  });

  test('bakes as long as it was told', () => {
    const world = settled({ bakeTimeInMinutes: 30 });
    world.deploy(good);
    world.calm();
    expect(world.lastPlan?.wakeAt).toBe((world.primary().bakingSince ?? 0) + 30 * 60_000);
    world.now += 30 * 60_000;
    world.calm();
    expect(world.primary().rolloutState).toBe('COMPLETED');
  });

  test('is not done before it is known how its alarms stand', () => {
    const world = settled();
    const known = world.alarms;
    world.alarms = undefined;
    world.deploy(good);
    world.calm();
    expect(world.primary().rolloutState).toBe('IN_PROGRESS');
    world.alarms = known;
    world.calm();
    expect(world.primary().rolloutState).toBe('COMPLETED');
  });

  test('the breaker and alarms each go back only where they were told to', () => {
    const world = settled({ circuitBreaker: breaker(true), alarms: { ...alarms, rollback: false } });
    world.deploy({ behaviour: 'fails to start', checks: true });
    world.pass();
    world.now += 1000;
    world.alarm('errors', 'ALARM');
    world.calm();
    expect(world.primary()).toMatchObject({ rolloutState: 'FAILED', alarms: { triggered: ['errors'] } });
  });

  test('alarms that are switched off change nothing', () => {
    const world = settled({ alarms: { ...alarms, enable: false } });
    const { id } = world.deploy(good);
    world.pass();
    world.now += 1000;
    world.alarm('errors', 'ALARM');
    world.calm();
    expect(world.primary()).toMatchObject({ id, rolloutState: 'COMPLETED' });
  });
});

test.each([{ type: 'BLUE_GREEN' }, { type: 'CANARY', canaryPercent: 10, canaryBakeTimeInMinutes: 1 }] as const)(
  'one that shifts traffic goes back from any stage up to the end of its bake time: %j',
  (strategy) => {
    const stages = new Set<string>();
    for (let passes = 1; ; passes += 2) {
      const world = settled({ strategy, bakeTimeInMinutes: 2 });
      const before = world.primary().id;
      const { id } = world.deploy(good);
      for (let pass = 0; pass < passes; pass++) {
        world.pass();
        for (const task of world.live()) world.step(task.id);
        world.acknowledge();
        world.now += 10_000;
      }
      const { rolloutState, shifting } = world.primary();
      if (rolloutState === 'COMPLETED' || shifting?.stage === 'CLEAN_UP') break;
      stages.add(shifting?.stage ?? '');
      world.now += 1;
      world.alarm('errors', 'ALARM');
      world.calm();
      expect(world.primary()).toMatchObject({ id: before, rolloutState: 'COMPLETED' });
      expect(world.primary().cause.failed).toMatchObject({ id, alarms: { triggered: ['errors'] } });
    }
    expect([...stages]).toContain('BAKE_TIME');
    expect([...stages]).toContain('SCALE_UP');
  },
);

const runs = { nightly: 3_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 200;

type Happening =
  | Deed
  | { readonly do: 'alarm'; readonly name: string; readonly state: 'OK' | 'ALARM' }
  | { readonly do: 'acknowledge' };
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 30, arbitrary: deed },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('alarm' as const),
      name: fc.constantFrom(...alarms.alarmNames),
      state: fc.constantFrom('OK' as const, 'ALARM' as const),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ do: 'acknowledge' } as const) },
);

test('whatever happens, no deployment is done that an alarm spoke against, and one revision is left in the end', () => {
  const seen = { done: 0, failed: 0 };
  fc.assert(
    fc.property(
      fc.constantFrom(undefined, { type: 'BLUE_GREEN' } as const),
      fc.boolean(),
      revision,
      fc.array(happening, { maxLength: 120 }),
      (strategy, rollback, first, happenings) => {
        const world = new World({
          first,
          configuration: {
            circuitBreaker: breaker(true),
            alarms: { ...alarms, rollback },
            ...(strategy === undefined ? {} : { strategy, bakeTimeInMinutes: 1 }),
          },
        });
        for (const name of alarms.alarmNames) world.alarm(name, 'OK');
        const look = (): void => {
          const before = world.primary();
          world.pass();
          const after = world.service.deployments.find(({ id }) => id === before.id);
          if (after?.alarms?.triggered !== undefined) seen.failed++;
          const isNew = before.completedAt === undefined && after?.completedAt !== undefined;
          if (!isNew || after.cause.kind === 'rollback') return;
          seen.done++;
          const went = alarms.alarmNames.some(
            (name) => (world.alarms?.get(name)?.alarmedAt ?? 0) > (after.alarms?.before?.[name] ?? 0),
          );
          expect(after.alarms?.ignored !== undefined || !went).toBe(true);
        };
        for (const one of happenings) {
          if (one.do === 'alarm') world.alarm(one.name, one.state);
          else if (one.do === 'acknowledge') world.acknowledge();
          else act(world, one, look);
        }
        const goOn = (rounds: number): void => {
          for (let round = 0; round < rounds; round++) {
            look();
            for (const task of world.live()) world.step(task.id);
            world.acknowledge();
            world.now += 30_000;
          }
        };
        goOn(10);
        for (const host of world.hosts)
          Object.assign(host, { condition: 'ready', room: 100, interruptedAt: undefined });
        world.now++;
        world.deploy(good);
        goOn(50);
        const revisions = new Set(world.wanted().map(({ taskDefinition }) => taskDefinition));
        expect(revisions.size).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: runs },
  );
  expect(Math.min(seen.done, seen.failed)).toBeGreaterThan(runs / 10);
});
