import { type ClusterRef, type EcsContext, scan } from '../cluster/index.ts';
import { clusterKeys, clusterPartition, isPending, type TaskRecord } from '../state/index.ts';

/** Tasks of one deployment, by what they are doing. */
export interface DeploymentCounts {
  /** Wanted: their desired status is RUNNING. */
  readonly desired: number;
  readonly running: number;
  readonly pending: number;
}

const none: DeploymentCounts = { desired: 0, running: 0, pending: 0 };

/** Counts the tasks of every deployment of every service of a cluster, at the time of the call. */
export async function countTasks(
  context: EcsContext,
  ref: ClusterRef,
): Promise<(service: string, deploymentId: string) => DeploymentCounts> {
  const counts = new Map<string, DeploymentCounts>();
  const tasks = scan<TaskRecord>(context.records, clusterPartition(ref.account, ref.cluster), clusterKeys.tasks);
  for await (const { value: task } of tasks) {
    if (task.service === undefined) continue;
    const key = keyOf(task.service.name, task.service.deploymentId);
    const { desired, running, pending } = counts.get(key) ?? none;
    counts.set(key, {
      desired: desired + (task.desiredStatus === 'RUNNING' ? 1 : 0),
      running: running + (task.lastStatus === 'RUNNING' ? 1 : 0),
      pending: pending + (isPending(task) ? 1 : 0),
    });
  }
  return (service, deploymentId) => counts.get(keyOf(service, deploymentId)) ?? none;
}

const keyOf = (service: string, deploymentId: string): string => `${service} ${deploymentId}`;
