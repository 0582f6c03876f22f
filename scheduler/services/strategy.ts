import type { DeploymentConfiguration as Wire } from '@aws-sdk/client-ecs';

import { invalidParameter } from '../cluster/index.ts';
import type { DeploymentConfiguration, ServiceRecord, ShiftStrategy } from '../state/index.ts';
import { type HookPlace, hookView, parseHooks } from './hooks.ts';

type Strategic = Pick<DeploymentConfiguration, 'strategy' | 'bakeTimeInMinutes' | 'lifecycleHooks'>;

const day = 1440;
const all = ['ROLLING', 'BLUE_GREEN', 'LINEAR', 'CANARY'] as const;

/**
 * How traffic gets from one revision to the next, as a request says over what there is; of ROLLING at most a bake time.
 * Limits and defaults: ECS API reference, DeploymentConfiguration, LinearConfiguration and CanaryConfiguration.
 * @throws InvalidParameterException
 */
export function parseShift(
  input: Wire,
  current: Strategic,
  scheduling: ServiceRecord['schedulingStrategy'],
  place: HookPlace,
  watchesAlarms: boolean,
): Strategic {
  const before = current.strategy?.type ?? 'ROLLING';
  const type = input.strategy ?? before;
  if (!all.includes(type)) throw invalidParameter(`strategy must be one of ${all.join(', ')}, not '${type}'.`);
  if (input.linearConfiguration !== undefined && type !== 'LINEAR')
    throw invalidParameter(`linearConfiguration is for the strategy LINEAR, not for ${type}: remove it.`);
  if (input.canaryConfiguration !== undefined && type !== 'CANARY')
    throw invalidParameter(`canaryConfiguration is for the strategy CANARY, not for ${type}: remove it.`);
  const bake = minutes('bakeTimeInMinutes', input.bakeTimeInMinutes);
  if (type === 'ROLLING') {
    if (bake !== undefined && bake !== 0 && !watchesAlarms)
      throw invalidParameter(
        'bakeTimeInMinutes with ROLLING is how long alarms are watched when all tasks have been replaced: enable alarms, or leave it out.',
      );
    if (input.lifecycleHooks !== undefined && input.lifecycleHooks.length > 0)
      throw invalidParameter('lifecycleHooks are for the strategies BLUE_GREEN, LINEAR and CANARY: remove them.');
    const rest = bake ?? (type === before ? current.bakeTimeInMinutes : undefined);
    return watchesAlarms && rest !== undefined ? { bakeTimeInMinutes: rest } : {};
  }
  if (scheduling === 'DAEMON')
    throw invalidParameter(`The daemon scheduling strategy is not supported with the strategy ${type}: use ROLLING.`);
  const bakeTimeInMinutes = bake ?? (type === before ? current.bakeTimeInMinutes : undefined);
  if (type === 'BLUE_GREEN' && bakeTimeInMinutes === undefined)
    throw invalidParameter('bakeTimeInMinutes must be specified with the strategy BLUE_GREEN; it may be 0.');
  const hooks =
    input.lifecycleHooks === undefined ? (current.lifecycleHooks ?? []) : parseHooks(input.lifecycleHooks, place);
  return {
    strategy: shiftOf(type, input, current.strategy),
    bakeTimeInMinutes: bakeTimeInMinutes ?? 0,
    ...(hooks.length === 0 ? {} : { lifecycleHooks: hooks }),
  };
}

function shiftOf(type: ShiftStrategy['type'], input: Wire, current: ShiftStrategy | undefined): ShiftStrategy {
  switch (type) {
    case 'BLUE_GREEN':
      return { type };
    case 'LINEAR': {
      const was = current?.type === type ? current : { stepPercent: 10, stepBakeTimeInMinutes: 6 };
      const { stepPercent, stepBakeTimeInMinutes } = input.linearConfiguration ?? {};
      return {
        type,
        stepPercent: percent('linearConfiguration.stepPercent', stepPercent, 3) ?? was.stepPercent,
        stepBakeTimeInMinutes:
          minutes('linearConfiguration.stepBakeTimeInMinutes', stepBakeTimeInMinutes) ?? was.stepBakeTimeInMinutes,
      };
    }
    case 'CANARY': {
      const was = current?.type === type ? current : { canaryPercent: 5, canaryBakeTimeInMinutes: 10 };
      const { canaryPercent, canaryBakeTimeInMinutes } = input.canaryConfiguration ?? {};
      return {
        type,
        canaryPercent: percent('canaryConfiguration.canaryPercent', canaryPercent, 0.1) ?? was.canaryPercent,
        canaryBakeTimeInMinutes:
          minutes('canaryConfiguration.canaryBakeTimeInMinutes', canaryBakeTimeInMinutes) ??
          was.canaryBakeTimeInMinutes,
      };
    }
  }
}

function minutes(member: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= day)) return value;
  throw invalidParameter(`${member} must be a whole number from 0 to ${day}, not ${value}.`);
}

/** A multiple of 0.1; what a double makes of one counts as it. */
function percent(member: string, value: number | undefined, least: number): number | undefined {
  if (value === undefined) return undefined;
  const tenths = Math.round(value * 10);
  if (!(Math.abs(value * 10 - tenths) < 1e-6 && tenths >= least * 10 && tenths <= 1000))
    throw invalidParameter(`${member} must be a multiple of 0.1 from ${least.toFixed(1)} to 100.0, not ${value}.`);
  return tenths / 10;
}

/** The strategy of a configuration as DescribeServices gives it back. */
export function strategyView({ strategy, bakeTimeInMinutes = 0, lifecycleHooks = [] }: Strategic): Wire {
  return {
    strategy: strategy?.type ?? 'ROLLING',
    bakeTimeInMinutes,
    ...(lifecycleHooks.length === 0 ? {} : { lifecycleHooks: lifecycleHooks.map(hookView) }),
    ...(strategy?.type === 'LINEAR'
      ? {
          linearConfiguration: {
            stepPercent: strategy.stepPercent,
            stepBakeTimeInMinutes: strategy.stepBakeTimeInMinutes,
          },
        }
      : {}),
    ...(strategy?.type === 'CANARY'
      ? {
          canaryConfiguration: {
            canaryPercent: strategy.canaryPercent,
            canaryBakeTimeInMinutes: strategy.canaryBakeTimeInMinutes,
          },
        }
      : {}),
  };
}

/** The roles that a request hands to ECS for deployments: of hooks, and of those that rewrite the rules of load balancers. */
export const deploymentRoles = (input: {
  readonly deploymentConfiguration?: Wire | undefined;
  readonly loadBalancers?:
    | readonly { readonly advancedConfiguration?: { readonly roleArn?: string | undefined } | undefined }[]
    | undefined;
}): string[] => [
  ...new Set(
    [
      ...(input.loadBalancers ?? []).map(({ advancedConfiguration }) => advancedConfiguration?.roleArn),
      ...(input.deploymentConfiguration?.lifecycleHooks ?? []).map(({ roleArn }) => roleArn),
    ].flatMap((role) => (role === undefined || role === '' ? [] : [role])),
  ),
];
