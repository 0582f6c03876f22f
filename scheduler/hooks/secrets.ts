import type { Sealer } from '@slipway/auth/tokens';
import { type OwnedRows, transact } from '@slipway/storage/records';

import type { EcsPorts } from '../cluster/index.ts';
import type { ServiceRef } from '../services/index.ts';
import { clusterPartition, clusters, toJson } from '../state/index.ts';

/** In a cluster's partition. */
const hookKeys = {
  secret: (service: string): string => `hook-secret/${service}`,
  secrets: 'hook-secret/',
} as const;

export const hookRows: OwnedRows = { partition: clusters, owner: 'scheduler/hooks', keys: [hookKeys.secrets] };

interface SecretRecord {
  readonly sealed: string;
  readonly createdAt: number;
}

export type SecretPorts = Pick<EcsPorts, 'records' | 'clock' | 'random'> & { readonly sealer: Sealer };

/**
 * What the calls of a service's webhooks are signed with: 43 characters, made when they are first asked for. They belong to the service's
 * name: a receiver can be set up before there is the service, and knows it again when it was deleted and made anew.
 * @param renew makes others; what was signed with those before is not good any more
 */
export async function hookSecret(ports: SecretPorts, ref: ServiceRef, renew = false): Promise<string> {
  const { records, clock, random, sealer } = ports;
  const purpose = `hooks of ${ref.account}/${ref.cluster}/${ref.service}`;
  return transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const key = hookKeys.secret(ref.service);
    const present = renew ? undefined : await tx.get<SecretRecord>(key);
    if (present !== undefined) return sealer.open(present.sealed, purpose);
    const secret = Buffer.from(random(32)).toString('base64url');
    const made: SecretRecord = { sealed: sealer.seal(secret, purpose), createdAt: clock.now() };
    tx.put(key, toJson(made));
    return secret;
  });
}
