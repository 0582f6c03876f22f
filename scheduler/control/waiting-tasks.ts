import { type Clock, waitAtMost } from '@slipway/storage/clock';
import { type RecordStore, StaleEpoch } from '@slipway/storage/records';

import type { Log } from '@slipway/auth/contract';
import type { ConstraintSpec, PlacementRequest, StrategySpec } from '../placement/index.ts';
import { clusterKeys, type TaskRecord, toJson } from '../state/index.ts';
import { type ClusterView, placedTask } from '../views/index.ts';

import { commitParts, type Writes } from './commit.ts';
import type { Companion, Led } from './leader.ts';

/** Milliseconds between looks at tasks that wait, whether or not anything changed. */
const levelInterval = 30_000;

/** Milliseconds before the next look when the store failed, or others took the room. */
const retryAfter = 500;

interface Ports {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Gives tasks that wait for room an instance as soon as one has it, the oldest first: those of RunTask with a capacity provider of an Auto
 * Scaling group. Goes on beside the leader of a cluster.
 */
export const placeWaiting =
  (ports: Ports): Companion =>
  async (led, over) => {
    const { view } = led;
    let isDue = true;
    let ring = (): void => undefined;
    const unlisten = view.listen({
      serviceChanged: () => undefined,
      capacityChanged: () => {
        if (view.waiting.size === 0) return;
        isDue = true;
        ring();
      },
    });
    try {
      while (!over.aborted) {
        isDue = false;
        const isOpen = view.waiting.size > 0 && (await placeNow(ports, led));
        if (!isDue) await waitAtMost(isOpen ? retryAfter : levelInterval, (wake) => (ring = wake), ports.clock, over);
      }
    } catch (err) {
      // Another server leads the cluster by now.
      if (!(err instanceof StaleEpoch)) throw err;
    } finally {
      unlisten();
    }
  };

/** Places what can be. @returns whether to try again soon @throws StaleEpoch */
async function placeNow({ records, clock, log }: Ports, { view, feed, held }: Led): Promise<boolean> {
  try {
    const parts = view.index.tentatively(() => planWaiting(view));
    if (parts.length === 0) return false;
    const { committed, refused } = await commitParts(records, view, parts, clock.now(), held);
    for (const { task } of committed)
      log.info({ cluster: view.name, task: task.id, instance: task.instanceId }, 'placed a task that waited');
    if (refused.length > 0) await feed.catchUp();
    return refused.length > 0;
  } catch (err) {
    if (err instanceof StaleEpoch) throw err;
    log.warn({ cluster: view.name, err }, 'cannot place tasks that wait now');
    await feed.read().catch(() => {});
    return true;
  }
}

interface WaitingPart extends Writes {
  readonly task: TaskRecord;
}

/** What waiting tasks are placed now, each given those before it. To be tried tentatively: takes their room in the index. */
function planWaiting(view: ClusterView): WaitingPart[] {
  const rows = [...view.waiting]
    .flatMap((id) => view.tasks.get(id) ?? [])
    .sort((a, b) => a.value.createdAt - b.value.createdAt || (a.value.id < b.value.id ? -1 : 1));
  const requestOf = waitingRequests();
  /** Where there is no room for one there is none for the next that asks for the same. */
  const full = new Set<PlacementRequest>();
  return rows.flatMap(({ key, version, value: task }): WaitingPart[] => {
    const request = requestOf(task);
    if (request === undefined || full.has(request)) return [];
    const found = view.index.place(request);
    if ('unplaceable' in found) {
      full.add(request);
      return [];
    }
    view.index.addTask(placedTask(task, found.instanceId));
    const { waits: _, ...others } = task;
    const placed: TaskRecord = {
      ...others,
      instanceId: found.instanceId,
      lastStatus: task.network === undefined ? 'PENDING' : 'PROVISIONING',
      version: task.version + 1,
    };
    return [
      {
        task: placed,
        require: [{ key, version }],
        put: [{ key: clusterKeys.task(task.id), value: toJson(placed) }],
        instances: [found.instanceId],
      },
    ];
  });
}

/** What placement is asked for tasks that wait, one request for all that ask for the same; undefined for other tasks. */
export function waitingRequests(): (task: TaskRecord) => PlacementRequest | undefined {
  const known = new Map<string, PlacementRequest>();
  return ({ group, reservation, waits }) => {
    if (waits === undefined) return undefined;
    const { requires, constraints, strategies } = waits;
    return known.getOrInsertComputed(JSON.stringify([group, reservation, requires, constraints, strategies]), () => ({
      group,
      shape: { ...reservation, requires },
      constraints: constraints as readonly ConstraintSpec[],
      strategies: strategies as readonly StrategySpec[],
      kind: 'standalone',
    }));
  };
}
