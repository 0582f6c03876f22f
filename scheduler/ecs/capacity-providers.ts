import type { CapacityProviderStrategyItem } from '@aws-sdk/client-ecs';
import type { Call, ConditionContext } from '@slipway/auth/contract';

import {
  activeCluster,
  capacityProviders,
  type Home,
  invalidParameter,
  parseProvider,
  parseProviders,
  parseStrategy,
  providerView,
  clusterView,
  setProviders,
} from '../cluster/index.ts';
import { arns } from '../state/index.ts';
import { clusterResource } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

/** DescribeCapacityProviders, and which of them a cluster has. */
export function capacityProviderOperations(options: EcsApi): EcsOperations {
  const named = (identifiers: readonly string[] | undefined, call: Call): string[] => [
    ...new Set((identifiers ?? []).map((identifier) => parseProvider(identifier, homeOf(options, call)))),
  ];
  return {
    DescribeCapacityProviders: {
      access: (input, call) => {
        const names = named(input.capacityProviders, call);
        return [
          {
            action: 'ecs:DescribeCapacityProviders',
            resources:
              names.length === 0
                ? [{ arn: '*' }]
                : names.map((name) => ({ arn: arns.capacityProvider(options.region, call.account, name) })),
          },
        ];
      },
      handle: async (input, call) => {
        const home = homeOf(options, call);
        const names = named(input.capacityProviders, call);
        if (names.length > mostNamed)
          throw invalidParameter(`capacityProviders can have at most ${mostNamed} items, not ${names.length}.`);
        const there =
          input.cluster === undefined
            ? capacityProviders
            : (await activeCluster(options, clusterOf(options, call, input.cluster))).capacityProviders;
        const shown = there.filter((provider) => names.length === 0 || names.includes(provider));
        const scope = ['DescribeCapacityProviders', input.cluster, ...names];
        const after = await options.pages.start(call.account, scope, input);
        const rows = shown.map((provider) => ({ key: provider, value: provider }));
        const { items, ...more } = await options.pages.page(
          call.account,
          scope,
          input,
          rows.slice(rows.findIndex(({ key }) => key === after) + 1),
          (provider) => providerView(provider, home),
          { usual: 10, most: 10 },
        );
        return {
          capacityProviders: items,
          failures: names
            .filter((name) => !there.some((provider) => provider === name))
            .map((name) => ({ arn: arns.capacityProvider(options.region, call.account, name), reason: 'MISSING' })),
          ...more,
        };
      },
    },
    PutClusterCapacityProviders: {
      access: async (input, call) => [
        {
          action: 'ecs:PutClusterCapacityProviders',
          resources: [await clusterResource(options, clusterOf(options, call, input.cluster))],
          context: ofProviders(homeOf(options, call), input.capacityProviders),
        },
      ],
      handle: async (input, call) => {
        const providers = parseProviders(input.capacityProviders, homeOf(options, call));
        const strategy = parseStrategy(input.defaultCapacityProviderStrategy, providers);
        const cluster = await setProviders(options, clusterOf(options, call, input.cluster), providers, strategy);
        return { cluster: await clusterView(options, call.account, cluster) };
      },
    },
  };
}

const mostNamed = 100;

/** `ecs:capacity-provider` for requests that name capacity providers. */
export function ofProviders(home: Home, names: readonly string[] | undefined): ConditionContext {
  if (names === undefined || names.length === 0) return {};
  return {
    'ecs:capacity-provider': names.map((name) =>
      name.startsWith('arn:') ? name : arns.capacityProvider(home.region, home.account, name),
    ),
  };
}

/** The same for those that name them in a strategy. */
export const ofStrategy = (
  home: Home,
  strategy: readonly CapacityProviderStrategyItem[] | undefined,
): ConditionContext =>
  ofProviders(
    home,
    strategy?.map(({ capacityProvider = '' }) => capacityProvider),
  );
