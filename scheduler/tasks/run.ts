import type { TaskOverride } from '@aws-sdk/client-ecs';

import { activeCluster, type ClusterRef, type EcsPorts, invalidParameter } from '../cluster/index.ts';
import {
  type NetworkConfiguration,
  newId,
  type Tags,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '../state/index.ts';
import { taskDraft } from './draft.ts';
import type { PlacementDemand, PlacementFailure, TaskPlacer } from './placer.ts';
import { findTasks } from './tasks.ts';
import { claimToken, settleToken } from './tokens.ts';

/** Standalone tasks to start: what RunTask and StartTask have in common. */
export interface RunRequest {
  readonly definition: TaskDefinitionRecord;
  readonly group: string;
  readonly startedBy?: string;
  readonly overrides?: TaskOverride;
  readonly tags: Tags;
  readonly launchType: TaskRecord['launchType'];
  readonly network: NetworkConfiguration | undefined;
  readonly enableExecuteCommand: boolean;
  /** One demand for each task; RunTask gives the same one for all tasks of one capacity provider, StartTask one for each instance. */
  readonly demands: readonly PlacementDemand[];
  readonly token?: { readonly value: string; readonly request: string };
}

export interface RunResult {
  readonly tasks: readonly TaskRecord[];
  /** Beside each failure, the demand it is about. */
  readonly failures: readonly (PlacementFailure & { readonly instanceId?: string })[];
}

/**
 * Starts standalone tasks: those that fit are placed and durable when this returns, the others are failures.
 * With a token, a retry returns the tasks of the first attempt instead of starting more.
 * @throws ClusterNotFoundException, ConflictException, InvalidParameterException when the cluster has no instances
 */
export async function runTasks(
  ports: EcsPorts,
  placer: TaskPlacer,
  ref: ClusterRef,
  request: RunRequest,
): Promise<RunResult> {
  await activeCluster(ports, ref);
  const fresh = request.demands.map(() => newId(ports.random));
  const claimed = request.token && (await claimToken(ports, ref, request.token.value, request.token.request, fresh));
  const ids = claimed?.ids ?? fresh;
  if (claimed?.done === true) return { tasks: [...(await findTasks(ports, ref, ids)).values()], failures: [] };
  const now = ports.clock.now();
  const drafts = ids.map((id, index) => {
    const provider = request.demands[index]?.capacityProvider;
    return taskDraft(request.definition, {
      region: ports.region,
      account: ref.account,
      cluster: ref.cluster,
      id,
      now,
      group: request.group,
      tags: request.tags,
      launchType: request.launchType,
      enableExecuteCommand: request.enableExecuteCommand,
      ...(provider === undefined ? {} : { capacityProvider: provider }),
      ...(request.network === undefined ? {} : { network: request.network }),
      ...(request.startedBy === undefined ? {} : { startedBy: request.startedBy }),
      ...(request.overrides === undefined ? {} : { overrides: request.overrides }),
      ...(request.token === undefined ? {} : { clientToken: request.token.value }),
    });
  });
  const tasks: TaskRecord[] = [];
  const failures: (PlacementFailure & { instanceId?: string })[] = [];
  // Tasks that may go anywhere are decided together; a task for one instance is decided on its own.
  const groups = Map.groupBy(drafts.keys(), (index) => request.demands[index]);
  for (const [demand, indices] of groups) {
    if (demand === undefined) continue;
    const batch = indices.flatMap((index) => drafts[index] ?? []);
    const answer = await placer.place({ account: ref.account, name: ref.cluster }, batch, demand);
    tasks.push(...answer.placed);
    const { instanceId } = demand;
    failures.push(
      ...answer.failures.map((failure) => ({ ...failure, ...(instanceId === undefined ? {} : { instanceId }) })),
    );
  }
  if (tasks.length === 0 && failures.length > 0 && failures.every(({ code }) => code === 'EMPTY')) {
    throw invalidParameter('No Container Instances were found in your cluster.');
  }
  // A request that placed nothing may be tried again under the same token.
  if (request.token !== undefined && claimed !== undefined && tasks.length > 0) {
    await settleToken(ports, ref, request.token.value, claimed);
  }
  return { tasks, failures };
}
