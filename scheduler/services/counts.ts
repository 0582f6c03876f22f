import { type ClusterRef, type EcsPorts, scan } from '../cluster/index.ts';
import { clusterKeys, clusterPartition, type InstanceRecord, isPending, type TaskRecord } from '../state/index.ts';

/** Tasks of one deployment, by what they are doing. */
export interface DeploymentCounts {
  /** Wanted: their desired status is RUNNING. */
  readonly desired: number;
  /**
   * Those told to stop count until they are STOPPED, except where nobody can carry the order out: on a host without contact. Its
   * tasks have been replaced, and "services stable" must not wait for a host that may never come back.
   */
  readonly running: number;
  readonly pending: number;
}

const none: DeploymentCounts = { desired: 0, running: 0, pending: 0 };

/** Counts the tasks of every deployment of every service of a cluster, at the time of the call. */
export async function countTasks(
  ports: EcsPorts,
  ref: ClusterRef,
): Promise<(service: string, deploymentId: string) => DeploymentCounts> {
  const counts = new Map<string, DeploymentCounts>();
  const partition = clusterPartition(ref.account, ref.cluster);
  const connected = new Set<string>();
  for await (const { value } of scan<InstanceRecord>(ports.records, partition, clusterKeys.instances))
    if (value.agentConnected) connected.add(value.id);
  const tasks = scan<TaskRecord>(ports.records, partition, clusterKeys.tasks);
  for await (const { value: task } of tasks) {
    if (task.service === undefined) continue;
    const key = keyOf(task.service.name, task.service.deploymentId);
    const { desired, running, pending } = counts.get(key) ?? none;
    const ends = task.desiredStatus === 'STOPPED' && !connected.has(task.instanceId ?? '');
    counts.set(key, {
      desired: desired + (task.desiredStatus === 'RUNNING' ? 1 : 0),
      running: running + (task.lastStatus === 'RUNNING' && !ends ? 1 : 0),
      pending: pending + (isPending(task) ? 1 : 0),
    });
  }
  return (service, deploymentId) => counts.get(keyOf(service, deploymentId)) ?? none;
}

const keyOf = (service: string, deploymentId: string): string => `${service} ${deploymentId}`;
