import { type BlankHost, hostsNeeded, type PlacementRequest } from '../../placement/index.ts';
import type { HostShape } from '../../state/index.ts';
import type { ClusterView } from '../../views/index.ts';
import type { NextMachines } from '../groups/index.ts';
import type { CapacityHost } from '../rules/index.ts';
import { blankOf, shapeOf } from './hosts.ts';
import type { SizedGroup, SizedMachine } from './ports.ts';

/** Tasks that are packed in one look; with more the group grows in steps. */
const mostPacked = 5_000;

/** Hosts that what waits needs. */
export interface Need {
  /** Empty ones that get something of it. */
  readonly needed: number;
  /** Those of them that are neither there nor on their way. */
  readonly missing: number;
  /** How many of the tasks no host of the group could take. */
  readonly impossible: number;
}

interface Place {
  readonly group: Pick<SizedGroup, 'zones' | 'max'>;
  /** What new hosts are like; undefined: nobody knows. */
  readonly shape: HostShape | undefined;
  /** Hosts that are there and have no tasks. */
  readonly empty: readonly BlankHost[];
  /** Zones of those that are on their way. */
  readonly coming: readonly string[];
}

/** How many hosts what waits needs. Where nobody knows what new ones are like, one tells what the others will be like. */
export function needOf(waiting: readonly PlacementRequest[], { group, shape, empty, coming }: Place): Need {
  const tasks = waiting.slice(0, mostPacked);
  if (shape === undefined) {
    const { used, impossible: left } = hostsNeeded(tasks, [], Infinity, empty);
    if (left.length === 0) return { needed: used, missing: 0, impossible: 0 };
    return { needed: used + Math.max(1, coming.length), missing: coming.length === 0 ? 1 : 0, impossible: 0 };
  }
  const blanks = group.zones.map((zone) => blankOf(shape, zone));
  const there = [...empty, ...coming.map((zone) => blankOf(shape, zone))];
  const { used, more, impossible } = hostsNeeded(tasks, blanks, group.max, there);
  return { needed: used, missing: more, impossible: impossible.length };
}

/** Machines that have joined, the newest first. */
export const joined = (
  view: ClusterView,
  machines: readonly SizedMachine[],
): { readonly machine: SizedMachine; readonly shape: HostShape }[] =>
  machines
    .flatMap((machine) => {
      const instance = view.instances.get(machine.instance)?.value;
      return instance === undefined ? [] : [{ machine, instance }];
    })
    .toSorted((a, b) => b.instance.registeredAt - a.instance.registeredAt)
    .map(({ machine, instance }) => ({ machine, shape: shapeOf(instance, machine) }));

/** Whether a host was made from what the next ones will be made from. @param next undefined when nobody knows: then it counts as one */
export const isAsNext = ({ madeFrom }: HostShape, next: NextMachines | undefined): boolean =>
  next === undefined ||
  (madeFrom !== undefined &&
    madeFrom.template === next.template &&
    madeFrom.version === next.version &&
    next.types.includes(madeFrom.instanceType));

/** Hosts that take tasks and have none. */
export function emptyOf(there: ReturnType<typeof joined>, hosts: readonly CapacityHost[]): BlankHost[] {
  const idle = new Set(hosts.flatMap(({ id, state, tasks }) => (state === 'ready' && tasks === 0 ? [id] : [])));
  return there.flatMap(({ machine, shape }) => (idle.has(machine.id) ? [blankOf(shape, machine.zone)] : []));
}
