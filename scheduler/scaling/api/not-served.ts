import { refusalsOf } from '@slipway/auth/kit';

import { mayList, type ScalingOperations, unsupported } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

/** Operations of the API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  GetPredictiveScalingForecast:
    'Nothing is forecast here. Scheduled actions scale a service before a load that is known.',
};

export const notServedOperations: ScalingOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Request`, {}),
  nothing,
  mayList,
  unsupported,
});
