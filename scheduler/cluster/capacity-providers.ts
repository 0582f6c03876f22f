import type { CapacityProvider as View, CapacityProviderStrategyItem } from '@aws-sdk/client-ecs';

import { arns, type CapacityProvider, type CapacityProviderStrategy, type ClusterRecord } from '../state/index.ts';
import { invalidParameter } from './errors.ts';
import { type Home, parseArn } from './identifiers.ts';

/** Every account has them, and no others. */
export const capacityProviders: readonly CapacityProvider[] = ['FARGATE', 'FARGATE_SPOT'];

const mostItems = 20;

const known = (name: string): CapacityProvider | undefined => capacityProviders.find((provider) => provider === name);

const notFound = (name: string): Error =>
  invalidParameter(
    `The specified capacity provider was not found. Specify a valid name or ARN and try again: there are FARGATE and FARGATE_SPOT, not '${name}'. ` +
      'Hosts of your own join by their agents and take tasks of launch type EC2; there are no Auto Scaling groups.',
  );

/**
 * The name in a capacity provider's name or ARN, whether or not there is one of that name.
 * @throws InvalidParameterException
 */
export function parseProvider(identifier: string, home: Home): string {
  if (!identifier.startsWith('arn:')) return identifier;
  const { type, path } = parseArn(identifier, home);
  const [name = '', ...rest] = path;
  if (type !== 'capacity-provider' || rest.length > 0)
    throw invalidParameter(`Identifier was not of type: capacity-provider: '${identifier}'.`);
  return name;
}

/** A capacity provider as DescribeCapacityProviders gives it back. */
export const providerView = (provider: CapacityProvider, home: Home): View => ({
  capacityProviderArn: arns.capacityProvider(home.region, home.account, provider),
  name: provider,
  status: 'ACTIVE',
  tags: [],
  type: provider,
});

/**
 * The capacity providers that a cluster is to have, each once.
 * @throws InvalidParameterException for those that do not exist
 */
export function parseProviders(names: readonly string[] | undefined, home: Home): readonly CapacityProvider[] {
  const found = (names ?? []).map((identifier) => {
    const name = parseProvider(identifier, home);
    const provider = known(name);
    if (provider === undefined) throw notFound(name);
    return provider;
  });
  if (new Set(found).size < found.length)
    throw invalidParameter('The capacity providers of a cluster cannot contain duplicates: name each of them once.');
  return found;
}

/**
 * A strategy, checked and completed; empty for none.
 * @param associated the cluster's capacity providers
 * @throws InvalidParameterException in ECS's words (API reference, CapacityProviderStrategyItem)
 */
export function parseStrategy(
  items: readonly CapacityProviderStrategyItem[] | undefined,
  associated: readonly CapacityProvider[],
): CapacityProviderStrategy {
  const given = items ?? [];
  if (given.length > mostItems)
    throw invalidParameter(
      `A capacity provider strategy can contain a maximum of ${mostItems} capacity providers, not ${given.length}.`,
    );
  const names = given.map(({ capacityProvider = '' }) => capacityProvider);
  const other = names.find((name) => known(name) === undefined);
  if (other !== undefined && names.some((name) => known(name) !== undefined)) {
    throw invalidParameter(
      'A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. ' +
        'Specify one or the other and try again.',
    );
  }
  if (new Set(names).size < names.length)
    throw invalidParameter('A capacity provider strategy cannot contain duplicate capacity providers.');
  const strategy = given.map(({ capacityProvider = '', weight = 0, base = 0 }) => {
    const provider = known(capacityProvider);
    if (provider === undefined) throw notFound(capacityProvider);
    return {
      capacityProvider: provider,
      weight: within('weight', weight, 1_000),
      base: within('base', base, 100_000),
    };
  });
  if (strategy.filter(({ base }) => base > 0).length > 1)
    throw invalidParameter('Only one capacity provider in a capacity provider strategy can have a base defined.');
  if (strategy.some(({ capacityProvider }) => !associated.includes(capacityProvider))) {
    throw invalidParameter(
      'The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. ' +
        'Associate the capacity provider with the cluster and try again.',
    );
  }
  return strategy;
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
  cluster: Pick<ClusterRecord, 'capacityProviders' | 'defaultCapacityProviderStrategy'>,
): CapacityProviderStrategy | undefined {
  const given = parseStrategy(request.capacityProviderStrategy, cluster.capacityProviders);
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

function within(member: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw invalidParameter(
    `The ${member} of a capacity provider must be a whole number from 0 to ${most}, not ${value}.`,
  );
}
