import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';

import {
  type DeploymentConfiguration,
  type LifecycleHook,
  type LifecycleStage,
  lifecycleStages,
  type ShiftRecord,
  type ShiftStrategy,
} from '../state/index.ts';

import { lowerBound, upperBound } from './index.ts';
import { sourceOf } from './shift-state.ts';
import { act, deed, healthyTasks, interruptedAt, revision, spare } from './testing/deeds.ts';
import { breaker, World } from './testing/world.ts';

vi.setConfig({ testTimeout: 300_000 });

const runs = { nightly: 3_000, release: 10_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 200;

/** Longer than anything that traffic waits for before it goes back to what is weak. */
const patience = 600_000;

const strategy: fc.Arbitrary<ShiftStrategy> = fc.constantFrom(
  { type: 'BLUE_GREEN' },
  { type: 'LINEAR', stepPercent: 33.3, stepBakeTimeInMinutes: 1 },
  { type: 'CANARY', canaryPercent: 5, canaryBakeTimeInMinutes: 1 },
);

const hooks: fc.Arbitrary<LifecycleHook[]> = fc.array(
  fc.record({
    targetArn: fc.constant('https://hooks.example.com/'),
    target: fc.constantFrom(
      { type: 'pause' } as const,
      { type: 'webhook', url: 'https://hooks.example.com/' } as const,
    ),
    stages: fc.subarray<LifecycleStage>([...lifecycleStages], { minLength: 1, maxLength: 3 }),
    timeoutInMinutes: fc.constantFrom(1, 60),
    onTimeout: fc.constantFrom('ROLLBACK' as const, 'CONTINUE' as const),
  }),
  { maxLength: 2 },
);

type Shifted =
  | { readonly do: 'acknowledge'; readonly problem: boolean }
  | { readonly do: 'answer'; readonly status: 'SUCCEEDED' | 'FAILED' | 'IN_PROGRESS' }
  | { readonly do: 'stop'; readonly type: 'ROLLBACK' | 'ABORT' };

const shifted: fc.Arbitrary<Shifted> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ do: 'acknowledge', problem: false } as const) },
  { weight: 1, arbitrary: fc.constant({ do: 'acknowledge', problem: true } as const) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      status: fc.constantFrom('SUCCEEDED' as const, 'SUCCEEDED' as const, 'FAILED' as const, 'IN_PROGRESS' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('stop' as const),
      type: fc.constantFrom('ROLLBACK' as const, 'ABORT' as const),
    }),
  },
);

const setting = fc.record({
  desired: fc.integer({ min: 0, max: 4 }),
  room: fc.integer({ min: 2, max: 12 }),
  minimumHealthyPercent: fc.constantFrom(0, 50, 100),
  maximumPercent: fc.constantFrom(100, 150, 200),
  rollback: fc.boolean(),
  first: revision,
  strategy,
  hooks,
  bakeTimeInMinutes: fc.constantFrom(0, 1, 30),
  balanced: fc.constantFrom(true, true, false),
});

const rule = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/lb/1/2/3';

/** What part of traffic each group is to have. */
function sharesOf(shift: ShiftRecord | undefined): Map<string, number> {
  const groups = shift?.rules.flatMap((one) => one.groups) ?? [];
  const sum = groups.reduce((total, { weight }) => total + weight, 0);
  return new Map(groups.map(({ targetGroupArn, weight }) => [targetGroupArn, weight / sum]));
}

/** A world with what has been noted of it so far. */
class Watched {
  readonly world: World;
  /** What rules were told and may still be in force: what is acknowledged, and everything since. */
  readonly #told: ShiftRecord[] = [];
  readonly #verdicts = new Map<string, string>();

  constructor(given: typeof setting extends fc.Arbitrary<infer T> ? T : never) {
    const configuration: DeploymentConfiguration = {
      minimumHealthyPercent: given.minimumHealthyPercent,
      maximumPercent: given.maximumPercent,
      circuitBreaker: breaker(given.rollback),
      strategy: given.strategy,
      bakeTimeInMinutes: given.bakeTimeInMinutes,
      lifecycleHooks: given.hooks,
    };
    const balancer = {
      targetGroupArn: 'blue',
      containerName: 'app',
      containerPort: 80,
      advanced: { alternateTargetGroupArn: 'green', productionListenerRule: rule, roleArn: 'role' },
    };
    const { desired, room, first, balanced } = given;
    this.world = new World({ desired, room, first, configuration, ...(balanced ? { loadBalancers: [balancer] } : {}) });
  }

  act(deed: Shifted): void {
    const { world } = this;
    switch (deed.do) {
      case 'acknowledge':
        world.acknowledge(deed.problem ? 'the rule is gone' : undefined);
        return;
      case 'answer':
        for (const { id, status } of world.primary().shifting?.runs ?? [])
          if (status === 'IN_PROGRESS' || status === 'AWAITING_ACTION') world.answer(id, deed.status);
        return;
      case 'stop':
        if (world.primary().rolloutState === 'IN_PROGRESS') world.stopDeployment(deed.type);
        return;
    }
  }

  /** Healthy tasks by target group and in all, those left out that their hosts take along now. */
  #healthy(): { readonly all: number; readonly groups: ReadonlyMap<string, number> } {
    const { world } = this;
    const tasks = healthyTasks(world).filter((one) => interruptedAt(world, one) > world.now);
    const groups = new Map<string, number>();
    for (const { targets = [] } of tasks)
      for (const { targetGroupArn } of targets) groups.set(targetGroupArn, (groups.get(targetGroupArn) ?? 0) + 1);
    return { all: tasks.length, groups };
  }

  /** Groups that may be sent requests, by what may be in force. */
  #served(): Set<string> {
    const acknowledged = this.world.shiftLive?.sequence ?? 0;
    return new Set(
      this.#told
        .filter(({ sequence }) => sequence >= acknowledged)
        .flatMap(({ rules }) => rules.flatMap(({ groups }) => groups))
        .flatMap(({ targetGroupArn, weight }) => (weight > 0 ? [targetGroupArn] : [])),
    );
  }

  /** One pass, with everything that must hold about it. */
  pass(): void {
    const { world } = this;
    const { desiredCount: desired, deploymentConfiguration } = world.service;
    const lower = lowerBound(desired, deploymentConfiguration);
    const before = this.#healthy();
    const told = this.#told.at(-1);
    const since = world.primary().shifting?.rollback?.at ?? world.primary().shifting?.stageSince ?? 0;
    const plan = world.pass();
    if (plan.shift !== undefined) this.#told.push(plan.shift);
    const after = this.#healthy();
    const broken: string[] = [];
    const must = (holds: boolean, rule: string): void => {
      if (!holds) broken.push(rule);
    };
    must(after.all >= Math.min(lower, before.all), `${after.all} healthy of ${before.all}, at least ${lower}`);
    for (const group of this.#served()) {
      const [had = 0, has = 0] = [before.groups.get(group), after.groups.get(group)];
      must(has >= Math.min(lower, had), `${has} healthy of ${had} in ${group}, which is asked; at least ${lower}`);
    }
    const isFirst = sourceOf(plan.service.deployments) === undefined;
    for (const [group, share] of sharesOf(plan.shift)) {
      const ready = before.groups.get(group) ?? 0;
      const others = before.all - ready;
      const isOwn = world.primary().loadBalancers?.[0]?.targetGroupArn === group;
      const isBack = !isOwn || world.primary().cause.kind === 'rollback';
      if (share <= (sharesOf(told).get(group) ?? 0) || isFirst) continue;
      if (!isBack) must(ready >= desired, `${share} goes to ${group} with ${ready} of ${desired}`);
      else if (world.now - since < patience)
        must(ready >= Math.min(Math.max(lower, 1), others, desired), `${share} goes back to ${group} with ${ready}`);
    }
    for (const { what, deploymentId = '' } of plan.decisions) {
      if (what !== 'deployment-completed' && what !== 'deployment-failed') continue;
      const isAgain = plan.service.deployments.find(({ id }) => id === deploymentId)?.cause.kind === 'rollback';
      must(!this.#verdicts.has(deploymentId) || isAgain, `${what} after ${this.#verdicts.get(deploymentId)}`);
      this.#verdicts.set(deploymentId, what);
    }
    must(world.service.deployments.filter(({ status }) => status === 'PRIMARY').length === 1, 'one PRIMARY');
    must(world.service.deployments[0]?.status === 'PRIMARY', 'the PRIMARY comes first');
    if (broken.length > 0) throw new Error(broken.join('; '));
  }
}

test('whatever happens while traffic shifts, it is with those who can take it; then one revision is left', () => {
  fc.assert(
    fc.property(
      setting,
      fc.array(fc.oneof({ weight: 3, arbitrary: deed }, { weight: 1, arbitrary: shifted }), {
        maxLength: 150,
        size: 'max',
      }),
      fc.constantFrom('deploy' as const, 'stop' as const),
      (given, deeds, end) => {
        const watched = new Watched(given);
        const { world } = watched;
        for (const one of deeds) {
          if (one.do === 'acknowledge' || one.do === 'answer' || one.do === 'stop') watched.act(one);
          else act(world, one, () => watched.pass());
        }
        for (const host of world.hosts) {
          spare(host);
          host.condition = 'ready';
          host.room = 100;
        }
        world.hookResults.clear();
        if (end === 'deploy') world.deploy({ behaviour: 'good', checks: true });
        else if (world.primary().rolloutState === 'IN_PROGRESS') world.stopDeployment('ABORT');
        for (let round = 0; round < 3 || (round < 600 && !world.service.steady); round++) {
          watched.pass();
          for (const one of world.live()) world.step(one.id);
          watched.act({ do: 'acknowledge', problem: false });
          watched.act({ do: 'answer', status: 'SUCCEEDED' });
          world.now += 10_000;
        }
        const { desiredCount: desired, deploymentConfiguration } = world.service;
        // Bounds that leave no step, as for every strategy.
        const isStuck =
          desired > 0 && lowerBound(desired, deploymentConfiguration) >= upperBound(desired, deploymentConfiguration);
        if (isStuck && !world.service.steady) return;
        const revisions = new Set(world.wanted().map((one) => one.service?.deploymentId));
        if (end === 'stop' && world.primary().rolloutState === 'FAILED') return;
        const source = sourceOf(world.service.deployments);
        const isHopeless = [world.primary(), source].some(
          (one) => one !== undefined && world.behaviour(one.taskDefinition).behaviour !== 'good',
        );
        if (end === 'stop' && isHopeless) return;
        expect(world.service.steady).toBe(true);
        expect([...revisions]).toEqual(desired === 0 ? [] : [world.primary().id]);
        const quiet = world.pass();
        expect([quiet.starts, quiet.stops, quiet.shift]).toEqual([[], [], undefined]);
        expect(quiet.service).toBe(world.service);
      },
    ),
    { numRuns: runs },
  );
});
