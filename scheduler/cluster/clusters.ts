import { ConditionFailed, transact } from '@slipway/storage/records';

import { AwsError } from '@slipway/auth/contract';

import {
  accountKeys,
  accountPartition,
  clusterKeys,
  clusterPartition,
  type CapacityProvider,
  type CapacityProviderStrategy,
  type ClusterRecord,
  type InstanceRecord,
  isLive,
  type ServiceRecord,
  type Tags,
  type TaskRecord,
  toJson,
} from '../state/index.ts';
import type { ClusterRef, EcsPorts } from './ports.ts';
import { clusterNotFound } from './errors.ts';
import { claimProviders, releaseProviders } from './provider-records.ts';
import { scan } from './scan.ts';

/** The cluster's record, whatever its status, or undefined. */
export async function findCluster(
  ports: Pick<EcsPorts, 'records'>,
  ref: ClusterRef,
): Promise<ClusterRecord | undefined> {
  const stored = await ports.records.get<ClusterRecord>(
    clusterPartition(ref.account, ref.cluster),
    clusterKeys.cluster,
  );
  return stored?.value;
}

/**
 * The cluster, which must be ACTIVE.
 * @throws ClusterNotFoundException
 */
export async function activeCluster(ports: EcsPorts, ref: ClusterRef): Promise<ClusterRecord> {
  const cluster = await findCluster(ports, ref);
  if (cluster?.status !== 'ACTIVE') throw clusterNotFound();
  return cluster;
}

/**
 * Creates a cluster, or returns the ACTIVE one of that name unchanged, as ECS does. The cluster's own partition holds
 * the truth; the account's index row follows in a second commit and is written again by every retry.
 */
export async function createCluster(
  ports: EcsPorts,
  ref: ClusterRef,
  options: {
    readonly tags: Tags;
    readonly settings: ClusterRecord['settings'];
    readonly configuration?: ClusterRecord['configuration'];
  } & Partial<Pick<ClusterRecord, 'capacityProviders' | 'groupProviders' | 'defaultCapacityProviderStrategy'>>,
): Promise<ClusterRecord> {
  const { groupProviders = [] } = options;
  await claimProviders(ports, ref.account, ref.cluster, namesOf(groupProviders));
  const cluster = await transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const existing = await tx.get<ClusterRecord>(clusterKeys.cluster);
    if (existing?.status === 'ACTIVE') return existing;
    const created: ClusterRecord = {
      name: ref.cluster,
      status: 'ACTIVE',
      createdAt: ports.clock.now(),
      tags: options.tags,
      settings: options.settings,
      ...(options.configuration === undefined ? {} : { configuration: options.configuration }),
      capacityProviders: options.capacityProviders ?? [],
      ...(groupProviders.length === 0 ? {} : { groupProviders }),
      defaultCapacityProviderStrategy: options.defaultCapacityProviderStrategy ?? [],
    };
    tx.put(clusterKeys.cluster, toJson(created));
    return created;
  });
  await ports.records.commit(accountPartition(ref.account), {
    put: [{ key: accountKeys.cluster(ref.cluster), value: { name: ref.cluster } }],
  });
  return cluster;
}

/**
 * Changes an ACTIVE cluster.
 * @throws ClusterNotFoundException
 */
export async function changeCluster(
  ports: EcsPorts,
  ref: ClusterRef,
  change: (cluster: ClusterRecord) => ClusterRecord,
): Promise<ClusterRecord> {
  return transact(ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
    const cluster = await tx.get<ClusterRecord>(clusterKeys.cluster);
    if (cluster?.status !== 'ACTIVE') throw clusterNotFound();
    const changed = change(cluster);
    tx.put(clusterKeys.cluster, toJson(changed));
    return changed;
  });
}

/**
 * Sets which capacity providers a cluster has, and what it does by default.
 * @param strategy names providers of the list alone
 * @throws ClusterNotFoundException, ResourceInUseException for a provider that goes while a service or a task is on it
 */
export async function setProviders(
  ports: EcsPorts,
  ref: ClusterRef,
  { capacityProviders, groupProviders }: Required<Pick<ClusterRecord, 'capacityProviders' | 'groupProviders'>>,
  strategy: CapacityProviderStrategy,
): Promise<ClusterRecord> {
  const { capacityProviders: had, groupProviders: hadGroups = [] } = await activeCluster(ports, ref);
  const going = new Set(had.filter((provider) => !capacityProviders.includes(provider)));
  if (going.size > 0) await requireUnused(ports, clusterPartition(ref.account, ref.cluster), going);
  await claimProviders(ports, ref.account, ref.cluster, namesOf(groupProviders));
  const changed = await changeCluster(ports, ref, (cluster) => ({
    ...cluster,
    capacityProviders,
    groupProviders,
    defaultCapacityProviderStrategy: strategy,
  }));
  const gone = hadGroups.filter(({ name }) => !capacityProviders.includes(name));
  await releaseProviders(ports, ref.account, ref.cluster, namesOf(gone));
  return changed;
}

const namesOf = (providers: readonly { readonly name: string }[]): string[] => providers.map(({ name }) => name);

async function requireUnused(
  ports: EcsPorts,
  partition: string,
  providers: ReadonlySet<CapacityProvider>,
): Promise<void> {
  const inUse = (): AwsError =>
    new AwsError('ResourceInUseException', 'The specified capacity provider is in use and cannot be removed.');
  for await (const { value } of scan<ServiceRecord>(ports.records, partition, clusterKeys.services)) {
    if (value.status === 'INACTIVE') continue;
    const launches = [value, ...value.deployments.flatMap(({ launch = [] }) => launch)];
    const named = launches.flatMap(({ capacityProviderStrategy = [] }) => capacityProviderStrategy);
    if (named.some(({ capacityProvider }) => providers.has(capacityProvider))) throw inUse();
  }
  for await (const { value } of scan<TaskRecord>(ports.records, partition, clusterKeys.tasks))
    if (value.capacityProvider !== undefined && providers.has(value.capacityProvider) && isLive(value)) throw inUse();
}

/**
 * Makes an empty cluster INACTIVE. What is left of stopped tasks, deleted services and deregistered instances goes
 * first, so that the last commit can demand that the cluster is empty at that very instant.
 * @throws ClusterNotFoundException, ClusterContainsContainerInstancesException, ClusterContainsServicesException, ClusterContainsTasksException
 */
export async function deleteCluster(ports: EcsPorts, ref: ClusterRef): Promise<ClusterRecord> {
  const partition = clusterPartition(ref.account, ref.cluster);
  for (let attempt = 1; ; attempt++) {
    const stored = await ports.records.get<ClusterRecord>(partition, clusterKeys.cluster);
    if (stored?.value.status !== 'ACTIVE') throw clusterNotFound();
    const remains = await remainsOf(ports, partition);
    const deleted: ClusterRecord = { ...stored.value, status: 'INACTIVE' };
    try {
      await ports.records.commit(partition, {
        require: [{ key: clusterKeys.cluster, version: stored.version }],
        remove: remains,
      });
      await ports.records.commit(partition, {
        require: [
          { key: clusterKeys.cluster, version: stored.version },
          { prefix: clusterKeys.services, empty: true },
          { prefix: clusterKeys.tasks, empty: true },
          { prefix: clusterKeys.instances, empty: true },
        ],
        put: [{ key: clusterKeys.cluster, value: toJson(deleted) }],
      });
    } catch (error) {
      if (error instanceof ConditionFailed && attempt < 20) continue;
      throw error;
    }
    await ports.records.commit(accountPartition(ref.account), { remove: [accountKeys.cluster(ref.cluster)] });
    await releaseProviders(ports, ref.account, ref.cluster, namesOf(deleted.groupProviders ?? []));
    return deleted;
  }
}

/** The keys of everything in the cluster that is over; throws when something is not. */
async function remainsOf(ports: EcsPorts, partition: string): Promise<string[]> {
  const remains: string[] = [];
  for await (const { key, value } of scan<InstanceRecord>(ports.records, partition, clusterKeys.instances)) {
    if (value.status !== 'INACTIVE') {
      throw contains('ContainerInstances', 'Container Instances are active or draining');
    }
    remains.push(key);
  }
  for await (const { key, value } of scan<ServiceRecord>(ports.records, partition, clusterKeys.services)) {
    if (value.status !== 'INACTIVE') throw contains('Services', 'Services are active');
    remains.push(key);
  }
  for await (const { key, value } of scan<TaskRecord>(ports.records, partition, clusterKeys.tasks)) {
    if (isLive(value)) throw contains('Tasks', 'Tasks are active');
    remains.push(key);
  }
  for (const prefix of [clusterKeys.events, clusterKeys.histories, clusterKeys.tokens]) {
    for await (const { key } of scan(ports.records, partition, prefix)) remains.push(key);
  }
  return remains;
}

const contains = (what: string, state: string): AwsError =>
  new AwsError(`ClusterContains${what}Exception`, `The Cluster cannot be deleted while ${state}.`);
