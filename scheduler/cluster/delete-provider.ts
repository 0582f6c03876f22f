import { AwsError } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import { accountKeys, accountPartition, type CapacityProviderRecord } from '../state/index.ts';
import { findProvider, providerNotFound } from './capacity-providers.ts';
import { findCluster } from './clusters.ts';
import type { EcsPorts } from './ports.ts';

/** How long a cluster that does not have a provider may still be about to have it, in milliseconds: its two commits take far less. */
const claimLasts = 60_000;

/**
 * Deletes a provider that no cluster has.
 * @throws InvalidParameterException when there is none of that name, ResourceInUseException while a cluster has it
 */
export async function deleteProvider(ports: EcsPorts, account: string, name: string): Promise<CapacityProviderRecord> {
  const key = accountKeys.capacityProvider(name);
  const seen = await findProvider(ports, account, name);
  if (seen === undefined) throw providerNotFound(name);
  for (const { name: cluster, since } of seen.clusters) {
    const found = await findCluster(ports, { account, cluster });
    const has = found?.status === 'ACTIVE' && found.capacityProviders.includes(name);
    if (has || since > ports.clock.now() - claimLasts)
      throw new AwsError(
        'ResourceInUseException',
        `The specified capacity provider is in use and cannot be removed. Take it from cluster '${cluster}' with PutClusterCapacityProviders first.`,
      );
  }
  return transact(ports.records, accountPartition(account), async (tx) => {
    const provider = await tx.get<CapacityProviderRecord>(key);
    if (provider === undefined) throw providerNotFound(name);
    const claimed = provider.clusters.some(
      ({ name: cluster, since }) => !seen.clusters.some((one) => one.name === cluster && one.since === since),
    );
    if (claimed)
      throw new AwsError('ResourceInUseException', 'The specified capacity provider is in use and cannot be removed.');
    tx.remove(key);
    tx.remove(accountKeys.providerGroup(provider.group));
    return provider;
  });
}
