import { createHash } from 'node:crypto';
import type { Sealer } from '@slipway/auth/tokens';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import { type RandomBytes, webhookSecret } from '../../../state/index.ts';
import { logKeys, logsPartition } from '../store/keys.ts';

export interface SubscriptionSecretPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly sealer: Sealer;
}

/**
 * What the calls of a subscription filter are signed with: see {@link webhookSecret}. It belongs to the names of the group and the filter, so that a
 * receiver can be set up first.
 */
export function subscriptionSecret(
  ports: SubscriptionSecretPorts,
  account: string,
  { group, filter }: { readonly group: string; readonly filter: string },
  renew = false,
): Promise<string> {
  const names = createHash('sha256')
    .update(JSON.stringify([group, filter]))
    .digest('hex');
  return webhookSecret(
    ports,
    {
      partition: logsPartition(account),
      key: logKeys.signing(names),
      purpose: `subscription filter ${account}/${names}`,
    },
    renew,
  );
}
