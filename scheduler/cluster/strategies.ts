import type { CapacityProviderStrategyItem } from '@aws-sdk/client-ecs';

import type { CapacityProviderStrategy, ClusterRecord, LaunchType } from '../state/index.ts';
import { isFargate } from './capacity-providers.ts';
import { invalidParameter } from './errors.ts';

/** What strategies in a cluster may name. */
export type ClusterProviders = Pick<ClusterRecord, 'capacityProviders' | 'groupProviders'>;

/** Of a strategy. */
export const mostItems = 20;

/**
 * A strategy, checked and completed; empty for none.
 * @param cluster whose capacity providers it may name
 * @throws InvalidParameterException in ECS's words (API reference, CapacityProviderStrategyItem)
 */
export function parseStrategy(
  items: readonly CapacityProviderStrategyItem[] | undefined,
  cluster: ClusterProviders,
): CapacityProviderStrategy {
  const given = items ?? [];
  if (given.length > mostItems)
    throw invalidParameter(
      `A capacity provider strategy can contain a maximum of ${mostItems} capacity providers, not ${given.length}.`,
    );
  const names = given.map(({ capacityProvider = '' }) => capacityProvider);
  if (names.some(isFargate) && !names.every(isFargate)) {
    throw invalidParameter(
      'A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. ' +
        'Specify one or the other and try again.',
    );
  }
  if (new Set(names).size < names.length)
    throw invalidParameter('A capacity provider strategy cannot contain duplicate capacity providers.');
  const strategy = given.map(({ capacityProvider = '', weight = 0, base = 0 }) => ({
    capacityProvider,
    weight: within('weight', weight, 1_000),
    base: within('base', base, 100_000),
  }));
  if (strategy.filter(({ base }) => base > 0).length > 1)
    throw invalidParameter('Only one capacity provider in a capacity provider strategy can have a base defined.');
  const { capacityProviders: associated, groupProviders = [] } = cluster;
  if (strategy.some(({ capacityProvider }) => !associated.includes(capacityProvider))) {
    throw invalidParameter(
      'The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. ' +
        'Associate the capacity provider with the cluster and try again.',
    );
  }
  return strategy.map((item) => {
    const group = groupProviders.find(({ name }) => name === item.capacityProvider)?.group;
    return group === undefined ? item : { ...item, group };
  });
}

/**
 * What CreateService and RunTask run their tasks by: the strategy that they name, else their launch type, else what the cluster does by
 * default; undefined for a launch type.
 * @throws InvalidParameterException
 */
export function strategyOf(
  request: {
    readonly launchType?: string | undefined;
    readonly capacityProviderStrategy?: readonly CapacityProviderStrategyItem[] | undefined;
  },
  cluster: ClusterProviders & Pick<ClusterRecord, 'defaultCapacityProviderStrategy'>,
): CapacityProviderStrategy | undefined {
  const given = parseStrategy(request.capacityProviderStrategy, cluster);
  if (given.length > 0 && request.launchType !== undefined) {
    throw invalidParameter(
      'Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.',
    );
  }
  if (request.launchType !== undefined) return undefined;
  const strategy = given.length > 0 ? given : cluster.defaultCapacityProviderStrategy;
  return strategy.length === 0 ? undefined : usable(strategy);
}

/**
 * A strategy that tasks can be started by.
 * @throws InvalidParameterException for several providers of which none may get more than its base
 */
export function usable(strategy: CapacityProviderStrategy): CapacityProviderStrategy {
  if (strategy.length === 1 || strategy.some(({ weight }) => weight > 0)) return strategy;
  throw invalidParameter(
    'A capacity provider strategy with several capacity providers needs a weight above 0 for one of them at least.',
  );
}

/** The launch type of tasks that a strategy starts: EC2 on hosts of Auto Scaling groups, else FARGATE. */
export const launchTypeOf = (strategy: CapacityProviderStrategy): LaunchType =>
  strategy.some(({ group }) => group !== undefined) ? 'EC2' : 'FARGATE';

/** The group on whose hosts alone tasks of a provider run; undefined for Fargate. */
export const groupOf = (strategy: CapacityProviderStrategy, provider: string | undefined): string | undefined =>
  strategy.find(({ capacityProvider }) => capacityProvider === provider)?.group;

/** A strategy as the API shows it. */
export const strategyView = (strategy: CapacityProviderStrategy): CapacityProviderStrategyItem[] =>
  strategy.map(({ capacityProvider, weight, base }) => ({ capacityProvider, weight, base }));

function within(member: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw invalidParameter(
    `The ${member} of a capacity provider must be a whole number from 0 to ${most}, not ${value}.`,
  );
}
