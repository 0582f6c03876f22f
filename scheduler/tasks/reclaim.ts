import { transact } from '@slipway/storage/records';

import { clientError, type ClusterRef, type EcsPorts, invalidParameter, scan } from '../cluster/index.ts';
import { interruption } from '../deployments/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  interruptedDrain,
  isLive,
  type TaskDefinitionRecord,
  type TaskRecord,
  toJson,
} from '../state/index.ts';

import { bodyOf, containersOf } from './definition.ts';
import { spotAttribute } from './demand.ts';
import { stopping } from './tasks.ts';

/** Milliseconds between the notice and the moment when the host is gone (ECS developer guide, Fargate Spot: two minutes). */
export const reclaimNotice = 120_000;

/** Milliseconds between SIGTERM and SIGKILL where a container says nothing else, as agents have it. */
const usualStopTimeout = 30_000;

/**
 * Notes that a host is taken back in two minutes. It takes no tasks any more; its tasks that belong to no service are told to stop in the
 * same commit, those of services by the leader, which has their successors started first where there is room. Repeating it changes nothing.
 * @throws ClientException when the container instance is unknown, InvalidParameterException when its host is none that may be taken back
 */
export async function reclaimInstance(ports: EcsPorts, ref: ClusterRef, id: string): Promise<InstanceRecord> {
  const partition = clusterPartition(ref.account, ref.cluster);
  return transact(ports.records, partition, async (tx) => {
    const instance = await tx.get<InstanceRecord>(clusterKeys.instance(id));
    if (instance === undefined || instance.status === 'INACTIVE')
      throw clientError('The referenced container instance was not found.');
    if (!instance.attributes.some(({ name }) => name === spotAttribute)) {
      throw invalidParameter(
        `The host of container instance ${id} is none that may be taken back: start its agent with --spot, or drain it ` +
          `(aws ecs update-container-instances-state --cluster ${ref.cluster} --container-instances ${id} --status DRAINING).`,
      );
    }
    if (instance.reclaimedAt !== undefined) return instance;
    const now = ports.clock.now();
    const reclaimed: InstanceRecord = {
      ...instance,
      status: 'DRAINING',
      reclaimedAt: now,
      version: instance.version + 1,
    };
    tx.put(clusterKeys.instance(id), toJson(reclaimed));
    for await (const { key, value } of scan<TaskRecord>(ports.records, partition, clusterKeys.tasks)) {
      if (value.instanceId !== id || !isLive(value) || value.service !== undefined) continue;
      const task = await tx.get<TaskRecord>(key);
      if (task !== undefined && isLive(task)) tx.put(key, toJson(interrupted(task, now)));
    }
    return reclaimed;
  });
}

/** The task on its way out, as its host is taken back. @param now milliseconds since the epoch */
export const interrupted = (task: TaskRecord, now: number): TaskRecord =>
  stopping(task, interruption.code, interruption.reason, now);

/**
 * When a task of a service is told to stop at the latest, milliseconds since the epoch: so that its containers, one after the other, have
 * the time that they may take before the host is gone, and at the notice when that is more than the two minutes.
 * @param definition of the task, where it is known
 * @param isBalanced whether requests that are under way at it have to end before
 */
export function interruptedAt(
  reclaimedAt: number,
  definition: TaskDefinitionRecord | undefined,
  isBalanced = false,
): number {
  const containers = definition === undefined ? [{}] : containersOf(bodyOf(definition));
  const needed = containers.reduce((sum, { stopTimeout = usualStopTimeout / 1_000 }) => sum + stopTimeout * 1_000, 0);
  return reclaimedAt + Math.max(0, reclaimNotice - needed - (isBalanced ? interruptedDrain : 0));
}
