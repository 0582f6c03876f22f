import type { TrafficRoutingConfig } from '@aws-sdk/client-codedeploy';

import type { ShiftStrategy } from '../state/index.ts';

import { refuse } from './errors.ts';
import type { ConfigurationRecord, TrafficRouting } from './records.ts';

const longest = 2880;

/** What comes with CodeDeploy for ECS (user guide, "Predefined deployment configurations for an Amazon ECS compute platform"). */
export const predefined: readonly ConfigurationRecord[] = [
  ['ECSAllAtOnce', { type: 'AllAtOnce' }],
  ['ECSLinear10PercentEvery1Minutes', { type: 'TimeBasedLinear', percentage: 10, interval: 1 }],
  ['ECSLinear10PercentEvery3Minutes', { type: 'TimeBasedLinear', percentage: 10, interval: 3 }],
  ['ECSCanary10Percent5Minutes', { type: 'TimeBasedCanary', percentage: 10, interval: 5 }],
  ['ECSCanary10Percent15Minutes', { type: 'TimeBasedCanary', percentage: 10, interval: 15 }],
].map(([name, routing], place) => ({
  name: `CodeDeployDefault.${name as string}`,
  id: `00000000-0000-0000-0000-00000000000${place + 1}`,
  routing: routing as TrafficRouting,
}));

const bad = (message: string): Error => refuse('InvalidTrafficRoutingConfiguration', message);

/** @throws InvalidTrafficRoutingConfigurationException */
export function parseRouting(given: TrafficRoutingConfig | undefined): TrafficRouting {
  const { type, timeBasedCanary: canary, timeBasedLinear: linear } = given ?? {};
  if (type === undefined) throw bad('A trafficRoutingConfig with a type is needed for the compute platform ECS.');
  if (canary !== undefined && type !== 'TimeBasedCanary')
    throw bad(`timeBasedCanary is not for the type ${type}: remove it.`);
  if (linear !== undefined && type !== 'TimeBasedLinear')
    throw bad(`timeBasedLinear is not for the type ${type}: remove it.`);
  switch (type) {
    case 'AllAtOnce':
      return { type };
    case 'TimeBasedCanary':
      return { type, ...shareOf('canary', canary?.canaryPercentage, canary?.canaryInterval) };
    case 'TimeBasedLinear':
      return { type, ...shareOf('linear', linear?.linearPercentage, linear?.linearInterval) };
    default:
      throw bad(`The type must be TimeBasedCanary, TimeBasedLinear or AllAtOnce, not '${String(type)}'.`);
  }
}

function shareOf(
  kind: 'canary' | 'linear',
  percentage: number | undefined,
  interval: number | undefined,
): { readonly percentage: number; readonly interval: number } {
  if (percentage === undefined || !Number.isInteger(percentage) || percentage < 1 || percentage > 99)
    throw bad(`${kind}Percentage must be a whole number from 1 to 99, not ${percentage ?? 'nothing'}.`);
  if (interval === undefined || !Number.isInteger(interval) || interval < 1 || interval > longest)
    throw bad(`${kind}Interval must be a whole number of minutes from 1 to ${longest}, not ${interval ?? 'nothing'}.`);
  return { percentage, interval };
}

/** As GetDeploymentConfig gives it back. */
export function routingView(routing: TrafficRouting): TrafficRoutingConfig {
  switch (routing.type) {
    case 'AllAtOnce':
      return { type: 'AllAtOnce' };
    case 'TimeBasedCanary':
      return {
        type: routing.type,
        timeBasedCanary: { canaryPercentage: routing.percentage, canaryInterval: routing.interval },
      };
    case 'TimeBasedLinear':
      return {
        type: routing.type,
        timeBasedLinear: { linearPercentage: routing.percentage, linearInterval: routing.interval },
      };
  }
}

/** The strategy of the service scheduler that shifts traffic so. */
export function strategyOf(routing: TrafficRouting): ShiftStrategy {
  switch (routing.type) {
    case 'AllAtOnce':
      return { type: 'BLUE_GREEN' };
    case 'TimeBasedCanary':
      return { type: 'CANARY', canaryPercent: routing.percentage, canaryBakeTimeInMinutes: routing.interval };
    case 'TimeBasedLinear':
      return { type: 'LINEAR', stepPercent: routing.percentage, stepBakeTimeInMinutes: routing.interval };
  }
}
