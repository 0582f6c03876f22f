import type { Service } from '@aws-sdk/client-ecs';

import { strategyView } from '../cluster/index.ts';
import type { ServiceRecord } from '../state/index.ts';

/** By what the tasks of a service are started: a strategy or, without one, a launch type. */
export const launchView = ({
  launchType,
  capacityProviderStrategy: strategy,
}: Pick<ServiceRecord, 'launchType' | 'capacityProviderStrategy'>): Pick<
  Service,
  'launchType' | 'capacityProviderStrategy'
> => (strategy === undefined ? { launchType } : { capacityProviderStrategy: strategyView(strategy) });
