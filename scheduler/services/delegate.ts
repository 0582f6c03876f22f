import type { Principal } from '@slipway/auth/contract';

import { invalidParameter } from '../cluster/index.ts';
import type { Delegate } from '../state/index.ts';

/**
 * Whoever sets a rule that goes on acting: by the user or role, not by the credentials of the moment. A rule that a role's session
 * set, as every CI system's does, acts for the role.
 * @throws InvalidParameterException for GetFederationToken credentials, which stand for nobody who stays
 */
export function delegateOf({ type, account, arn, id }: Principal): Delegate {
  if (type === 'federated-user' || type === 'anonymous') {
    throw invalidParameter(
      "The tag 'slipway:follow' goes on acting for whoever set it: set it as a user or a role, not with GetFederationToken credentials.",
    );
  }
  return { type, account, arn, id };
}

/** The principal that something which a delegate set up acts as. */
export const actingFor = (delegate: Delegate): Principal => ({ ...delegate, delegated: true });
