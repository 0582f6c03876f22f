import type { CapacityProviderStrategyItem } from '@aws-sdk/client-ecs';
import type { ConditionContext } from '@slipway/auth/contract';

import { arns } from '../state/index.ts';
import type { Home } from './identifiers.ts';

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
