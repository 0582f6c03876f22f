import type { Sealer } from '@slipway/auth/tokens';
import type { OwnedRows } from '@slipway/storage/records';

import type { EcsPorts } from '../cluster/index.ts';
import type { ServiceRef } from '../services/index.ts';
import { clusterPartition, clusters, webhookSecret } from '../state/index.ts';

/** In a cluster's partition. */
const hookKeys = {
  secret: (service: string): string => `hook-secret/${service}`,
  secrets: 'hook-secret/',
} as const;

export const hookRows: OwnedRows = { partition: clusters, owner: 'scheduler/hooks', keys: [hookKeys.secrets] };

export type SecretPorts = Pick<EcsPorts, 'records' | 'clock' | 'random'> & { readonly sealer: Sealer };

/**
 * What the calls of a service's webhooks are signed with: see {@link webhookSecret}. They belong to the service's name: a receiver can be set up
 * before there is the service, and knows it again when it was deleted and made anew.
 */
export function hookSecret(ports: SecretPorts, ref: ServiceRef, renew = false): Promise<string> {
  const place = {
    partition: clusterPartition(ref.account, ref.cluster),
    key: hookKeys.secret(ref.service),
    purpose: `hooks of ${ref.account}/${ref.cluster}/${ref.service}`,
  };
  return webhookSecret(ports, place, renew);
}
