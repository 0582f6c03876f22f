import { createPlacementIndex } from './placement-index.ts';
import type { InstanceSpec, PlacementRequest } from './types.ts';

/** A host that could be there: what new hosts of a group are like, by the zone that they would be in. */
export type BlankHost = Omit<InstanceSpec, 'id' | 'placeable' | 'agentConnected'>;

export interface HostsNeeded {
  /** Hosts that get a task, those that are there included. */
  readonly used: number;
  /** Those of them that have to be made. */
  readonly more: number;
  /** Places in the list of the tasks that no such host could take, however empty. */
  readonly impossible: readonly number[];
}

/**
 * How many empty hosts tasks need that find no room on those that are there. The tasks are placed by the same core that will place them,
 * the largest first, each where the least is left (first fit decreasing: at most 11/9 of the fewest hosts, and one); another host is taken
 * when no other has room. Constraints hold among these hosts; what runs on others is not looked at. Pure, and the same for the same tasks.
 *
 * @param tasks the request of each task that waits
 * @param blanks new hosts, in the order in which they would be made, over and over (one for each zone); empty: nobody knows any
 * @param most new hosts that are looked at, from 0: tasks beyond them count nowhere
 * @param there empty hosts that there are or that are on their way: they get tasks before another one is taken
 */
export function hostsNeeded(
  tasks: readonly PlacementRequest[],
  blanks: readonly BlankHost[],
  most: number,
  there: readonly BlankHost[] = [],
): HostsNeeded {
  const index = createPlacementIndex({ seed: 1 });
  const packed = new Map<PlacementRequest, PlacementRequest>();
  const add = (id: string, host: BlankHost): void =>
    index.upsertInstance({ ...host, id, placeable: true, agentConnected: true });
  for (const [at, host] of there.entries()) add(`there-${at}`, host);
  const [{ cpu: fullCpu, memory: fullMemory } = { cpu: 1, memory: 1 }] = [...blanks, ...there];
  const size = ({ shape }: PlacementRequest): number => Math.max(shape.cpu / fullCpu, shape.memory / fullMemory);
  const order = tasks
    .keys()
    .toArray()
    .sort((a, b) => size(tasks[b]!) - size(tasks[a]!) || a - b);
  const impossible: number[] = [];
  /** Requests that no new host could take. */
  const hopeless = new Set<PlacementRequest>();
  const used = new Set<string>();
  let more = 0;
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
    const found = there.length + more === 0 ? undefined : index.place(request);
    let host = found !== undefined && !('unplaceable' in found) ? found.instanceId : undefined;
    for (let tries = 0; host === undefined && more < most && tries < blanks.length; tries++) {
      const id = `host-${more}`;
      add(id, blanks[turn++ % blanks.length]!);
      if (index.whyNot(id, request) === undefined) {
        host = id;
        more++;
      } else index.removeInstance(id);
    }
    if (host !== undefined) {
      index.addTask({ id: `task-${place}`, instanceId: host, group: task.group, shape: task.shape });
      used.add(host);
    } else if (more < most) {
      hopeless.add(request);
      impossible.push(place);
    }
  }
  return { used: used.size, more, impossible: impossible.sort((a, b) => a - b) };
}
