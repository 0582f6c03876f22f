import { type EcsContext, scan } from '../cluster/index.ts';
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
export async function sweepDefinitions(
  context: Pick<EcsContext, 'records'>,
  account: string,
): Promise<readonly string[]> {
  const partition = accountPartition(account);
  const doomed = new Map<string, string>();
  for await (const { key, value } of scan<TaskDefinitionRecord>(
    context.records,
    partition,
    accountKeys.allTaskDefinitions,
  )) {
    if (value.status === 'DELETE_IN_PROGRESS') doomed.set(value.arn, key);
  }
  if (doomed.size === 0) return [];
  for await (const { value } of scan<Pick<ClusterRecord, 'name'>>(context.records, partition, accountKeys.clusters)) {
    for (const arn of await inUse(context, clusterPartition(account, value.name))) doomed.delete(arn);
  }
  if (doomed.size > 0) await context.records.commit(partition, { remove: [...doomed.values()] });
  return [...doomed.keys()];
}

async function inUse(context: Pick<EcsContext, 'records'>, partition: string): Promise<Set<string>> {
  const used = new Set<string>();
  for await (const { value } of scan<ServiceRecord>(context.records, partition, clusterKeys.services)) {
    if (value.status === 'INACTIVE') continue;
    used.add(value.taskDefinition);
    for (const deployment of value.deployments) used.add(deployment.taskDefinition);
  }
  for await (const { value } of scan<TaskRecord>(context.records, partition, clusterKeys.tasks)) {
    if (isLive(value)) used.add(value.taskDefinition);
  }
  return used;
}
