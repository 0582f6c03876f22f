import type { CreateServiceCommandInput, DeploymentLifecycleHook, LoadBalancer } from '@aws-sdk/client-ecs';
import type { Registered } from './balancer.ts';
import type { Chance } from './chance.ts';
import { containerPort } from './deployers.ts';
import type { Behaviour } from './images.ts';
import { receiverUrl } from './receiver.ts';
import { account } from './server.ts';

/** An image as a team might push it: mostly good, sometimes broken in one of the ways in which images break. */
export function drawBehaviour(chance: Chance): Behaviour {
  const base: Behaviour = {
    pull: chance.between(50, 4_000),
    start: chance.between(20, 800),
    healthy: chance.between(500, 12_000),
    stop: chance.happens(0.1) ? 60_000 : chance.between(20, 3_000),
  };
  if (chance.happens(0.6)) return base;
  return chance.pick<Behaviour>([
    { ...base, fails: 'pull' },
    { ...base, fails: 'create' },
    { ...base, fails: 'start' },
    { ...base, ends: { after: chance.between(10, 2_000), code: 1 } },
    { ...base, ends: { after: chance.between(20_000, 90_000), code: 137, outOfMemory: true } },
    { ...base, ends: { after: chance.between(30_000, 200_000), code: 0 } },
    { ...base, healthy: 'never' },
    { ...base, healthy: chance.between(20_000, 60_000) },
    { ...base, pull: chance.between(20_000, 60_000) },
  ]);
}

/** By zone; on days on which tasks are moved also by other ones, alone and after each other. */
export function drawPlacementStrategy(chance: Chance, zones: boolean): CreateServiceCommandInput['placementStrategy'] {
  const zone = { type: 'spread', field: 'attribute:ecs.availability-zone' } as const;
  if (!zones) return [zone];
  const host = { type: 'spread', field: 'instanceId' } as const;
  const pack = { type: 'binpack', field: 'memory' } as const;
  return chance.pick([[zone], [host], [pack], [zone, pack], [zone, host]]);
}

/** Few services have any. */
export function drawConstraints(
  chance: Chance,
  daemon: boolean,
): Pick<CreateServiceCommandInput, 'placementConstraints'> {
  const drawn = chance.number();
  if (drawn < 0.15 && !daemon) return { placementConstraints: [{ type: 'distinctInstance' }] };
  if (drawn > 0.15) return {};
  return { placementConstraints: [{ type: 'memberOf', expression: 'attribute:tier == a' }] };
}

/** How many tasks there may be at least and at most, in percent. */
export function drawBounds(chance: Chance, daemon: boolean): { maximumPercent: number; minimumHealthyPercent: number } {
  if (daemon) return { maximumPercent: 100, minimumHealthyPercent: chance.pick([0, 50]) };
  const [minimumHealthyPercent, maximumPercent] = chance.pick([
    [100, 200],
    [50, 200],
    [50, 100],
    [0, 100],
    [100, 150],
    [66, 133],
    [100, 100],
    [99, 101],
    [1, 199],
    [0, 200],
    [100, 110],
  ] as const);
  return { maximumPercent, minimumHealthyPercent };
}

/** A way of shifting traffic, with pauses and webhooks in some of its stages; `judged`: in steps that both revisions share. */
export function drawShift(
  chance: Chance,
  judged: boolean,
): NonNullable<CreateServiceCommandInput['deploymentConfiguration']> {
  if (chance.happens(0.2) && !judged) return {};
  const minutes = (): number => chance.pick([0, 0, 1]);
  const hook = (): DeploymentLifecycleHook => ({
    ...(chance.happens(0.5) ? { targetType: 'PAUSE' as const } : { hookTargetArn: receiverUrl }),
    lifecycleStages: [
      chance.pick([
        'RECONCILE_SERVICE',
        'PRE_SCALE_UP',
        'POST_SCALE_UP',
        'POST_TEST_TRAFFIC_SHIFT',
        'PRE_PRODUCTION_TRAFFIC_SHIFT',
        'POST_PRODUCTION_TRAFFIC_SHIFT',
      ] as const),
    ],
    timeoutConfiguration: {
      timeoutInMinutes: chance.whole(1, 3),
      action: chance.pick(['ROLLBACK', 'CONTINUE'] as const),
    },
  });
  return {
    bakeTimeInMinutes: minutes(),
    lifecycleHooks: Array.from({ length: chance.whole(0, 2) }, hook),
    ...chance.pick([
      ...(judged ? [] : [{ strategy: 'BLUE_GREEN' as const }]),
      {
        strategy: 'LINEAR' as const,
        linearConfiguration: { stepPercent: chance.pick([34, 50]), stepBakeTimeInMinutes: minutes() },
      },
      {
        strategy: 'CANARY' as const,
        canaryConfiguration: { canaryPercent: 10, canaryBakeTimeInMinutes: minutes() },
      },
    ]),
  };
}

/** How steps are judged: with differences as they are here, hardly ever wrong. */
export const drawJudgement = (chance: Chance): string =>
  `failed:5 slow:${chance.pick(['off', '10'])} alpha:0.01 beta:0.01 within:${chance.whole(1, 2)} else:${chance.pick(['rollback', 'continue', 'wait'])}`;

/** Where tasks of a service are registered; `shifts`: in two groups by turns. */
export const loadBalancer = ({ group, alternate, rule }: Registered, shifts: boolean): LoadBalancer => ({
  targetGroupArn: group,
  containerName: 'app',
  containerPort,
  ...(shifts
    ? {
        advancedConfiguration: {
          alternateTargetGroupArn: alternate,
          productionListenerRule: rule,
          roleArn: `arn:aws:iam::${account}:role/ecs`,
        },
      }
    : {}),
});
