/** Capacity questions about a snapshot of a cluster: what it needs, what a lost zone costs, what moving tasks would save. */
import {
  createPlacementIndex,
  type InstanceSpec,
  type PlacedTask,
  type PlacementRequest,
  proposeMoves,
  restorePlacementIndex,
} from '@slipway/scheduler/placement';
import type { ClusterSnapshot } from './cluster-snapshot.ts';

/** A size instances come in. */
export interface InstanceType {
  readonly name: string;
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly attributes: ReadonlyMap<string, string>;
}

export const zoneAttribute = 'ecs.availability-zone';
const typeAttribute = 'ecs.instance-type';

export interface TypeUse {
  readonly type: string;
  readonly instances: number;
  readonly inUse: number;
  /** Shares from 0 to 1. */
  readonly cpu: number;
  readonly memory: number;
}

/** How full the instances of each type are. */
export function usage({ placement }: ClusterSnapshot): readonly TypeUse[] {
  const tasks = Map.groupBy(placement.tasks, (task) => task.instanceId);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return [...Map.groupBy(placement.instances, typeOf)].map(([type, instances]) => {
    const running = instances.flatMap(({ id }) => tasks.get(id) ?? []);
    const share = (amount: 'cpu' | 'memory'): number =>
      sum(running.map(({ shape }) => shape[amount])) / Math.max(1, sum(instances.map((instance) => instance[amount])));
    return {
      type,
      instances: instances.length,
      inUse: instances.filter(({ id }) => tasks.has(id)).length,
      cpu: share('cpu'),
      memory: share('memory'),
    };
  });
}

export interface Needed {
  readonly type: string;
  /** Instances that hold every task when all are placed anew, the largest first; undefined when some task fits on none. */
  readonly instances: number | undefined;
  /** No packing needs fewer. */
  readonly lowerBound: number;
  /** A task that does not fit, with the reason. */
  readonly unplaceable?: string;
}

/** How many instances of one type would hold all tasks, zones taken in turn. Daemon tasks are left out. */
export function needed(snapshot: ClusterSnapshot, type: InstanceType, zones: readonly string[]): Needed {
  const tasks = snapshot.placement.tasks
    .filter((task) => !task.retired && snapshot.requestOf(task) !== undefined)
    .toSorted((left, right) => size(right, type) - size(left, type));
  const total = (amount: 'cpu' | 'memory'): number => tasks.reduce((sum, { shape }) => sum + shape[amount], 0);
  const lowerBound = Math.ceil(
    Math.max(total('cpu') / Math.max(1, type.cpu), total('memory') / Math.max(1, type.memory)),
  );
  const index = createPlacementIndex({ seed: 0 });
  let instances = 0;
  const add = (): void => index.upsertInstance(instanceOf(type, instances++, zones));
  for (const task of tasks) {
    const request = packed(snapshot.requestOf(task)!);
    let reservation = index.reserve(request);
    // One fresh instance in each zone is all that can help.
    for (let tries = 0; reservation === undefined && tries < zones.length; tries++) {
      add();
      reservation = index.reserve(request);
    }
    if (reservation !== undefined) {
      index.confirm(reservation, task.id);
      continue;
    }
    const { unplaceable } = index.explain(request);
    return {
      type: type.name,
      instances: undefined,
      lowerBound,
      unplaceable: `${task.group}: ${unplaceable?.message ?? ''}`,
    };
  }
  return { type: type.name, instances, lowerBound };
}

export interface ZoneLoss {
  readonly zone: string;
  readonly instancesLost: number;
  readonly tasksLost: number;
  /** Tasks that find no room elsewhere, by group, with the reason of the first. */
  readonly unplaced: readonly { readonly group: string; readonly tasks: number; readonly reason: string }[];
}

/** What happens when every instance of a zone is gone: its tasks are placed again on the others, the largest first. */
export function loseZone(snapshot: ClusterSnapshot, zone: string): ZoneLoss {
  const { instances, tasks } = snapshot.placement;
  const index = restorePlacementIndex(snapshot.placement, { seed: 0 });
  const lost = instances.filter(({ attributes }) => attributes.get(zoneAttribute) === zone);
  const gone = new Set(lost.map(({ id }) => id));
  const affected = tasks.filter((task) => gone.has(task.instanceId) && !task.retired);
  for (const id of gone) index.removeInstance(id);
  for (const { id } of affected) index.removeTask(id);
  const unplaced = new Map<string, { tasks: number; reason: string }>();
  for (const task of affected.toSorted((left, right) => right.shape.memory - left.shape.memory)) {
    const request = snapshot.requestOf(task);
    // A daemon's task belongs to its instance and is not missed elsewhere.
    if (request === undefined) continue;
    const reservation = index.reserve(request);
    if (reservation !== undefined) {
      index.confirm(reservation, task.id);
      continue;
    }
    const entry = unplaced.get(task.group);
    if (entry === undefined) {
      unplaced.set(task.group, { tasks: 1, reason: index.explain(request).unplaceable?.message ?? '' });
    } else {
      entry.tasks++;
    }
  }
  return {
    zone,
    instancesLost: lost.length,
    tasksLost: affected.length,
    unplaced: [...unplaced].map(([group, entry]) => ({ group, ...entry })),
  };
}

export interface Savings {
  readonly moves: number;
  readonly freed: readonly string[];
  readonly inUseBefore: number;
  readonly inUseAfter: number;
}

/** What moving at most so many tasks would free. */
export function savings(snapshot: ClusterSnapshot, maxMoves: number): Savings {
  const { placement, requestOf } = snapshot;
  const plan = proposeMoves(placement, { goals: ['free-instances'], maxMoves, maxGroupShare: 1, requestOf });
  return { ...plan, moves: plan.moves.length };
}

/** The zones of the instances, in order; one nameless zone when none says. */
export function zonesOf(instances: readonly InstanceSpec[]): readonly string[] {
  const zones = new Set(instances.flatMap(({ attributes }) => attributes.get(zoneAttribute) ?? []));
  return zones.size === 0 ? [''] : [...zones].sort();
}

/** The types the instances come in, each as its first instance is. */
export function typesOf(instances: readonly InstanceSpec[]): readonly InstanceType[] {
  return [...Map.groupBy(instances, typeOf)].map(([name, [first]]) => ({ ...first!, name }));
}

/** Instance `number` of a type, its zone taken in turn. */
export function instanceOf(type: InstanceType, number: number, zones: readonly string[]): InstanceSpec {
  const zone = zones[number % zones.length]!;
  return {
    id: `${type.name}-${number}`,
    cpu: type.cpu,
    memory: type.memory,
    gpus: type.gpus,
    attributes: new Map([...type.attributes, ...(zone === '' ? [] : [[zoneAttribute, zone] as const])]),
    reservedTcpPorts: [],
    reservedUdpPorts: [],
    placeable: true,
    agentConnected: true,
  };
}

const requests = new WeakMap<PlacementRequest, PlacementRequest>();

/** The request packed as tightly as its constraints allow; the same object each time, as the core compiles each once. */
function packed(request: PlacementRequest): PlacementRequest {
  let tight = requests.get(request);
  if (tight === undefined) {
    tight = { ...request, strategies: [{ type: 'slipway:best-fit' }] };
    requests.set(request, tight);
  }
  return tight;
}

function typeOf({ attributes, cpu, memory }: InstanceSpec): string {
  return attributes.get(typeAttribute) ?? `${cpu / 1024} vCPU ${memory} MiB`;
}

function size({ shape }: PlacedTask, type: InstanceType): number {
  return Math.max(shape.cpu / Math.max(1, type.cpu), shape.memory / Math.max(1, type.memory));
}
