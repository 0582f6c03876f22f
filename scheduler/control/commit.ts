import { ConditionFailed, type Condition, type Fence, type Json, type RecordStore } from '@slipway/storage/records';

import { clusterKeys, clusterPartition } from '../state/index.ts';

import type { ClusterView } from '../views/index.ts';

/** Writes that belong together: all of them are committed or none. */
export interface Writes {
  readonly require: readonly Condition[];
  readonly put: readonly { readonly key: string; readonly value: Json }[];
  readonly remove?: readonly string[];
  /** Instances that the part places tasks on. */
  readonly instances: readonly string[];
}

/**
 * Commits as many of the parts as still hold, in one commit. Every placement bumps the row `load/<instance>` under the
 * version it was decided on, so two placers, on whatever servers, never both count on the same room. Parts whose
 * conditions fail are left out and returned; what was committed is in the view when this resolves.
 * @throws StaleEpoch when the fence's lease has moved on; StoreUnavailable
 */
export async function commitParts<P extends Writes>(
  records: RecordStore,
  view: ClusterView,
  parts: readonly P[],
  now: number,
  fence?: Fence,
): Promise<{ readonly committed: readonly P[]; readonly refused: readonly P[] }> {
  const partition = clusterPartition(view.account, view.name);
  let going = parts;
  const refused: P[] = [];
  while (going.length > 0) {
    const batch = merge(view, going, now);
    try {
      const { version } = await records.commit(partition, { ...batch, ...(fence === undefined ? {} : { fence }) });
      view.apply([
        ...batch.put.map(({ key, value }) => ({ kind: 'put', key, value, version }) as const),
        ...batch.remove.map((key) => ({ kind: 'removed', key, version }) as const),
      ]);
      return { committed: going, refused };
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error;
      const failed = new Set(error.failed.map((condition) => ('key' in condition ? condition.key : condition.prefix)));
      const out = going.filter((part) => concerns(part, failed));
      // A store that does not say which condition failed refuses them all.
      refused.push(...(out.length === 0 ? going : out));
      going = out.length === 0 ? [] : going.filter((part) => !out.includes(part));
    }
  }
  return { committed: [], refused };
}

function concerns(part: Writes, failed: ReadonlySet<string>): boolean {
  return (
    part.require.some((condition) => failed.has('key' in condition ? condition.key : condition.prefix)) ||
    part.instances.some((id) => failed.has(clusterKeys.load(id)) || failed.has(clusterKeys.instance(id)))
  );
}

function merge(
  view: ClusterView,
  parts: readonly Writes[],
  now: number,
): { require: Condition[]; put: { key: string; value: Json }[]; remove: string[] } {
  const instances = new Set(parts.flatMap((part) => part.instances));
  const require: Condition[] = parts.flatMap((part) => part.require);
  const put = parts.flatMap((part) => part.put);
  for (const id of instances) {
    const key = clusterKeys.load(id);
    const version = view.loads.get(id);
    require.push(version === undefined ? { key, exists: false } : { key, version });
    require.push({ key: clusterKeys.instance(id), exists: true });
    put.push({ key, value: { placedAt: now } });
  }
  return { require, put, remove: parts.flatMap((part) => part.remove ?? []) };
}
