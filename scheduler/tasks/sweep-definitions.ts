import { type EcsPorts, scan } from '../cluster/index.ts';
import {
  accountKeys,
  accountPartition,
  clusterKeys,
  clusterPartition,
  type ClusterRecord,
  isLive,
  type ServiceRecord,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '../state/index.ts';

/**
 * Removes the revisions of an account that were deleted (DELETE_IN_PROGRESS) and that nothing needs any more: no task
 * that is not over, no service and none of its deployments. Running it twice, or in two places at once, does no harm:
 * a deleted revision never comes back into use.
 * @returns the ARNs that were removed
 */
export async function sweepDefinitions(ports: Pick<EcsPorts, 'records'>, account: string): Promise<readonly string[]> {
  const partition = accountPartition(account);
  const doomed = new Map<string, string>();
  for await (const { key, value } of scan<TaskDefinitionRecord>(
    ports.records,
    partition,
    accountKeys.allTaskDefinitions,
  )) {
    if (value.status === 'DELETE_IN_PROGRESS') doomed.set(value.arn, key);
  }
  if (doomed.size === 0) return [];
  for await (const { value } of scan<Pick<ClusterRecord, 'name'>>(ports.records, partition, accountKeys.clusters)) {
    for (const arn of await inUse(ports, clusterPartition(account, value.name))) doomed.delete(arn);
  }
  if (doomed.size > 0) await ports.records.commit(partition, { remove: [...doomed.values()] });
  return [...doomed.keys()];
}

async function inUse(ports: Pick<EcsPorts, 'records'>, partition: string): Promise<Set<string>> {
  const used = new Set<string>();
  for await (const { value } of scan<ServiceRecord>(ports.records, partition, clusterKeys.services)) {
    if (value.status === 'INACTIVE') continue;
    used.add(value.taskDefinition);
    for (const deployment of value.deployments) used.add(deployment.taskDefinition);
  }
  for await (const { value } of scan<TaskRecord>(ports.records, partition, clusterKeys.tasks)) {
    if (isLive(value)) used.add(value.taskDefinition);
  }
  return used;
}
