import type { Json, Transaction } from '@slipway/storage/records';

import { hasTaskSets } from '../deployments/index.ts';
import {
  clusterKeys,
  type DeploymentHistoryRecord,
  type DeploymentRecord,
  type ServiceRecord,
  toJson,
} from '../state/index.ts';

const day = 24 * 60 * 60 * 1000;
/** How long a deployment stays listed (ECS: 90 days). */
const kept = 90 * day;

/**
 * The rows that a change of a service's record calls for: deployments that began, changed their state, or are no longer
 * part of the record. A rollback is part of the deployment that failed and has no row of its own.
 */
function rowsOf(
  before: ServiceRecord | undefined,
  after: ServiceRecord,
  now: number,
): { readonly key: string; readonly value: Json }[] {
  const earlier = new Map((before?.deployments ?? []).map((deployment) => [deployment.id, deployment]));
  const current = new Map(after.deployments.map((deployment) => [deployment.id, deployment]));
  const rows: { key: string; value: Json }[] = [];
  for (const [id, deployment] of new Map([...earlier, ...current])) {
    const was = earlier.get(id);
    const same = current.has(id) && was?.status === deployment.status && was.rolloutState === deployment.rolloutState;
    if (same || deployment.cause.kind === 'rollback') continue;
    const row: DeploymentHistoryRecord = {
      deployment,
      configuration: after.deploymentConfiguration,
      desiredCount: after.desiredCount,
      seenAt: now,
    };
    rows.push({ key: clusterKeys.deploymentHistory(after.name, id), value: toJson(row) });
  }
  return rows;
}

/**
 * Writes the history of a change in the transaction that makes it. The reconciler changes states in between without
 * writing here; what it did shows in the record until the next deployment begins, and is written down then: how the
 * deployments ended, and how far a rollback got. Rows older than 90 days go.
 */
export async function writeHistory(
  tx: Transaction,
  before: ServiceRecord | undefined,
  after: ServiceRecord,
  now: number,
): Promise<void> {
  // Task sets are their controller's to remember.
  if (hasTaskSets(after)) return;
  const rows = rowsOf(before, after, now);
  if (rows.length === 0) return;
  for (const { key, value } of rows) tx.put(key, value);
  const rollback = rollbackOf(before?.deployments.find(({ status }) => status === 'PRIMARY'));
  if (rollback !== undefined) {
    const key = clusterKeys.deploymentHistory(after.name, rollback.failed.id);
    const row = await tx.get<DeploymentHistoryRecord>(key);
    if (row !== undefined) tx.put(key, toJson({ ...row, rollback }));
  }
  const old = await tx.list<DeploymentHistoryRecord>({ prefix: clusterKeys.deploymentHistories(after.name) });
  for (const { key, value } of old.records) {
    if (now - value.deployment.createdAt > kept && !rows.some((row) => row.key === key)) tx.remove(key);
  }
}

/** What the history row of a deployment that failed says of the rollback to `target`; undefined when it is none. */
export function rollbackOf(target: DeploymentRecord | undefined): DeploymentHistoryRecord['rollback'] {
  const failed = target?.cause.failed;
  if (target === undefined || failed === undefined) return undefined;
  return { to: target.id, reason: target.cause.detail ?? '', state: target.rolloutState, failed };
}
