import type { Clock } from '@slipway/storage/clock';
import type { Fence, RecordStore } from '@slipway/storage/records';

import { type InstanceRecord, toJson } from '../state/index.ts';

import { commitParts } from './commit.ts';
import type { ClusterView } from '../views/index.ts';

/** When hosts without contact are given up for good. */
export interface GivingUp {
  /** When the leadership began, on the monotonic clock: a new leader grants every host the whole time again. */
  readonly ledSince: number;
  /** Milliseconds after which a host that is away leaves the cluster; undefined: never by itself. */
  readonly deregisterLostAfter: number | undefined;
}

/**
 * Takes hosts that have been away for too long out of the cluster, as DeregisterContainerInstance with `force` does: their tasks are
 * over, as {@link sweep} finds, and an agent that comes back after all is told so, ends them and registers a new instance. A host whose
 * agent is there and only its container runtime does not work stays.
 * @returns their ids, for the log
 */
export async function deregisterLost(
  records: RecordStore,
  view: ClusterView,
  clock: Pick<Clock, 'now' | 'monotonic'>,
  { ledSince, deregisterLostAfter }: GivingUp,
  fence: Fence,
): Promise<readonly string[]> {
  if (deregisterLostAfter === undefined) return [];
  const now = clock.now();
  const parts = [...view.disconnected].flatMap(([id, since]) => {
    const stored = view.instances.get(id);
    if (stored === undefined || stored.value.connectionId !== undefined) return [];
    const { key, version, value: instance } = stored;
    if (Math.max(since, ledSince) + deregisterLostAfter > clock.monotonic()) return [];
    const gone: InstanceRecord = {
      ...instance,
      status: 'INACTIVE',
      connectivityChangedAt: now,
      version: instance.version + 1,
    };
    return [{ id, require: [{ key, version }], put: [{ key, value: toJson(gone) }], instances: [] }];
  });
  // One that is back at this moment stays.
  const { committed } = await commitParts(records, view, parts, now, fence);
  return committed.map(({ id }) => id);
}

/** @throws RangeError when hosts would leave before what ran on them is replaced */
export function checkDeregisterLostAfter(deregisterLostAfter: number | undefined, replaceLostAfter: number): void {
  if (deregisterLostAfter === undefined || deregisterLostAfter >= replaceLostAfter) return;
  throw new RangeError(
    `lost hosts may be deregistered once their tasks are replaced (${replaceLostAfter} ms), not after ${deregisterLostAfter} ms`,
  );
}
