import { transact } from '@slipway/storage/records';

import { AwsError } from '@slipway/auth/contract';

import {
  accountKeys,
  accountPartition,
  type CapacityProviderRecord,
  clusterKeys,
  clusterPartition,
  type ClusterRecord,
  toJson,
} from '../state/index.ts';
import { findProvider, providerNotFound } from './capacity-providers.ts';
import { invalidParameter } from './errors.ts';
import type { EcsPorts } from './ports.ts';
import type { ProviderDraft } from './provider-request.ts';
import { scanAll } from './scan.ts';

/** Those that one account may have. */
const mostOfAccount = 100;

/** Those of an account, in order of their names. */
export const listProviders = (ports: EcsPorts, account: string): Promise<CapacityProviderRecord[]> =>
  scanAll<CapacityProviderRecord>(ports.records, accountPartition(account), accountKeys.capacityProviders);

/**
 * @throws InvalidParameterException for a name or a group that is taken, LimitExceededException
 */
export async function createProvider(
  ports: EcsPorts,
  account: string,
  draft: ProviderDraft,
): Promise<CapacityProviderRecord> {
  const partition = accountPartition(account);
  return transact(ports.records, partition, async (tx) => {
    const there = await listProviders(ports, account);
    if ((await tx.get(accountKeys.capacityProvider(draft.name))) !== undefined)
      throw invalidParameter(
        'The specified capacity provider already exists. To change the configuration of an existing capacity provider, update the capacity provider.',
      );
    if ((await tx.get(accountKeys.providerGroup(draft.group))) !== undefined)
      throw invalidParameter(
        'The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique Auto Scaling group ARN and try again.',
      );
    if (there.length >= mostOfAccount)
      throw new AwsError(
        'LimitExceededException',
        `An account can have at most ${mostOfAccount} capacity providers. Delete one that is not used.`,
      );
    const provider: CapacityProviderRecord = {
      ...draft,
      createdAt: ports.clock.now(),
      updateStatus: 'CREATE_COMPLETE',
      clusters: [],
    };
    tx.put(accountKeys.capacityProvider(draft.name), toJson(provider));
    tx.put(accountKeys.providerGroup(draft.group), { name: draft.name });
    return provider;
  });
}

/**
 * Changes a capacity provider.
 * @throws InvalidParameterException when there is none of that name
 */
export async function changeProvider(
  ports: EcsPorts,
  account: string,
  name: string,
  change: (provider: CapacityProviderRecord) => CapacityProviderRecord,
): Promise<CapacityProviderRecord> {
  const key = accountKeys.capacityProvider(name);
  return transact(ports.records, accountPartition(account), async (tx) => {
    const provider = await tx.get<CapacityProviderRecord>(key);
    if (provider === undefined) throw providerNotFound(name);
    const changed = change(provider);
    tx.put(key, toJson(changed));
    return changed;
  });
}

/** Says of providers that a cluster has them from now on, before it does: none of them is deleted then. */
export async function claimProviders(
  ports: EcsPorts,
  account: string,
  cluster: string,
  names: readonly string[],
): Promise<void> {
  const now = ports.clock.now();
  for (const name of names) {
    await requireOneCluster(ports, account, cluster, await findProvider(ports, account, name));
    await changeProvider(ports, account, name, (provider) => ({
      ...provider,
      clusters: [...provider.clusters.filter((one) => one.name !== cluster), { name: cluster, since: now }],
    }));
  }
}

/**
 * With managed scaling a provider belongs to one cluster, whose tasks its group follows (ECS developer guide).
 * @param cluster that has the provider or is to have it; undefined: each that has it already
 * @throws InvalidParameterException
 */
export async function requireOneCluster(
  ports: EcsPorts,
  account: string,
  cluster: string | undefined,
  provider: Pick<CapacityProviderRecord, 'name' | 'clusters' | 'managedScaling'> | undefined,
): Promise<void> {
  if (provider?.managedScaling.status !== 'ENABLED') return;
  const has = new Set(cluster === undefined ? [] : [cluster]);
  for (const { name } of provider.clusters) {
    const found = await ports.records.get<ClusterRecord>(clusterPartition(account, name), clusterKeys.cluster);
    if (found?.value.status === 'ACTIVE' && found.value.capacityProviders.includes(provider.name)) has.add(name);
  }
  if (has.size > 1)
    throw invalidParameter(
      `A capacity provider with managed scaling can be associated with one cluster: ${provider.name} would be with ${[...has].join(' and ')}.`,
    );
}

/** Says of providers that a cluster has them no more, after that is so. */
export async function releaseProviders(
  ports: EcsPorts,
  account: string,
  cluster: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const key = accountKeys.capacityProvider(name);
    await transact(ports.records, accountPartition(account), async (tx) => {
      const provider = await tx.get<CapacityProviderRecord>(key);
      if (provider === undefined) return;
      tx.put(key, toJson({ ...provider, clusters: provider.clusters.filter((one) => one.name !== cluster) }));
    });
  }
}
