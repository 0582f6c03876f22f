import { createPlacementIndex } from './placement-index.ts';
import type { InstanceSpec, PlacementRequest } from './types.ts';

/** A host that could be there: what new hosts of a group are like, by the zone that they would be in. */
export type BlankHost = Omit<InstanceSpec, 'id' | 'placeable' | 'agentConnected'>;

export interface HostsNeeded {
  /** Hosts that get a task, those that are on their way included. */
  readonly used: number;
  /** Places in the list of the tasks that no such host could take, however empty. */
  readonly impossible: readonly number[];
}

/**
 * How many empty hosts tasks need that find no room on those that are there. The tasks are placed by the same core that will place them,
 * the largest first, each where the least is left (first fit decreasing: at most 11/9 of the fewest hosts, and one); another host is taken
 * when no other has room. Constraints hold among these hosts; what runs on others is not looked at. Pure, and the same for the same tasks.
 *
 * @param tasks the request of each task that waits
 * @param blanks not empty: new hosts, in the order in which they would be made, over and over (one for each zone)
 * @param most hosts that are looked at, from 0: tasks beyond them count nowhere
 */
export function hostsNeeded(
  tasks: readonly PlacementRequest[],
  blanks: readonly BlankHost[],
  most: number,
): HostsNeeded {
  const index = createPlacementIndex({ seed: 1 });
  const packed = new Map<PlacementRequest, PlacementRequest>();
  const [{ cpu: fullCpu, memory: fullMemory } = { cpu: 1, memory: 1 }] = blanks;
  const size = ({ shape }: PlacementRequest): number => Math.max(shape.cpu / fullCpu, shape.memory / fullMemory);
  const order = tasks
    .keys()
    .toArray()
    .sort((a, b) => size(tasks[b]!) - size(tasks[a]!) || a - b);
  const impossible: number[] = [];
  /** Requests that no new host could take. */
  const hopeless = new Set<PlacementRequest>();
  let used = 0;
  let turn = 0;
  for (const place of order) {
    const task = tasks[place]!;
    const request = packed.getOrInsertComputed(task, () => ({
      ...task,
      strategies: [
        { type: 'binpack', field: task.shape.memory / fullMemory > task.shape.cpu / fullCpu ? 'memory' : 'cpu' },
      ],
    }));
    if (hopeless.has(request)) {
      impossible.push(place);
      continue;
    }
    const found = used === 0 ? undefined : index.place(request);
    let host = found !== undefined && !('unplaceable' in found) ? found.instanceId : undefined;
    for (let tries = 0; host === undefined && used < most && tries < blanks.length; tries++) {
      const id = `host-${used}`;
      index.upsertInstance({ ...blanks[turn++ % blanks.length]!, id, placeable: true, agentConnected: true });
      if (index.whyNot(id, request) === undefined) {
        host = id;
        used++;
      } else index.removeInstance(id);
    }
    if (host !== undefined)
      index.addTask({ id: `task-${place}`, instanceId: host, group: task.group, shape: task.shape });
    else if (used < most) {
      hopeless.add(request);
      impossible.push(place);
    }
  }
  return { used, impossible: impossible.sort((a, b) => a - b) };
}
