import type { Authorizer, PolicyPrincipals } from '@slipway/auth/contract';

import type { StorePorts } from './store/index.ts';

/** What the API of buckets works with. */
export interface ObjectsOptions extends StorePorts {
  readonly region: string;
  /** Decides about each of the keys that one request names. */
  readonly authorizer: Authorizer;
  /** Who bucket policies are about. */
  readonly principals: PolicyPrincipals;
}
