import type { Call, Principal } from '@slipway/auth/contract';

import { type EcsPorts, invalidParameter } from '../cluster/index.ts';
import { type Delegate, newId } from '../state/index.ts';

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

/** A call that nobody made, for what something does in a principal's name: it comes from no address and over no connection. */
export const callOf = (
  { clock, random, region }: Pick<EcsPorts, 'clock' | 'random' | 'region'>,
  principal: Principal,
): Call => ({
  requestId: newId(random),
  principal,
  account: principal.account,
  region,
  endpoint: '',
  sourceIp: '',
  userAgent: 'slipway.internal',
  time: new Date(clock.now()),
  signal: new AbortController().signal,
});
