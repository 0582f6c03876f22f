import type { Authorizer, Call } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import type { ClusterRef } from '../../cluster/index.ts';
import { arns, clusterKeys, clusterPartition, type ExecSessionRecord, type TaskRecord } from '../../state/index.ts';

export interface AllowedPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly region: string;
  readonly authorizer: Authorizer;
}

/** A session that somebody asked for. */
export interface Asked {
  readonly ref: ClusterRef;
  readonly session: ExecSessionRecord;
  /** The request that opened the client's connection. */
  readonly call: Call;
}

/** What a rule about who may run commands is asked with: `ecs:ExecuteCommand` on the task, with the container's name. */
export const execAccess = (
  region: string,
  ref: ClusterRef,
  task: { readonly id: string; readonly tags?: TaskRecord['tags'] },
  containerName: string,
) => {
  const arn = arns.task(region, ref.account, ref.cluster, task.id);
  return {
    action: 'ecs:ExecuteCommand',
    resources: [task.tags === undefined ? { arn } : { arn, tags: task.tags }],
    context: {
      'ecs:cluster': arns.cluster(region, ref.account, ref.cluster),
      'ecs:task': arn,
      'ecs:container-name': containerName,
    },
  };
};

/**
 * Why a session may not be had, or not any more: who asked for it has not the right on the task now, or not the access key, the user or the
 * role that it was asked with.
 * @throws what keeps it from being known
 */
export async function refusal(ports: AllowedPorts, { ref, session, call }: Asked): Promise<string | undefined> {
  const { records, clock, region, authorizer } = ports;
  const key = clusterKeys.task(session.taskId);
  const stored = await records.get<TaskRecord>(clusterPartition(ref.account, ref.cluster), key);
  const access = execAccess(region, ref, stored?.value ?? { id: session.taskId }, session.containerName);
  const now = { ...call, account: ref.account, principal: session.principal, time: new Date(clock.now()) };
  const { allowed } = await authorizer.authorize(session.principal, access, now);
  return allowed ? undefined : 'The right to run commands in this task was taken away.';
}
