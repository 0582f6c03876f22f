/** A placement request made ready: validated, its filter and scorers opened. One feasibility function, `causes`, for all. */
import { SlotCandidate } from './candidate.ts';
import { type Cluster, type Group, placeable, portsOf } from './cluster.ts';
import type { Scorer } from './extension.ts';
import type { Filter } from './filter.ts';
import type { PlacementRequest, TaskShape } from './types.ts';

/** Why a slot cannot take the request, as bits; none is feasible. In the order in which they are named. */
export const cause = {
  INACTIVE: 1,
  CPU: 2,
  MEMORY: 4,
  PORTS: 8,
  GPU: 16,
  FILTER: 32,
  DISTINCT: 64,
} as const;

export class Request {
  readonly source: PlacementRequest;
  readonly shape: TaskShape;
  readonly group: Group;
  readonly filter: Filter | undefined;
  readonly distinct: boolean;
  readonly ports: readonly number[];
  /** The chain that decides, defaults filled in, up to (not including) `random`. */
  readonly scorers: readonly Scorer[];
  /** Names of `scorers`, for reasons. */
  readonly names: readonly string[];
  /** Whether equal candidates are drawn from; otherwise the one added first is taken. */
  readonly draws: boolean;
  readonly candidate: SlotCandidate;
  readonly #cluster: Cluster;

  constructor(
    cluster: Cluster,
    source: PlacementRequest,
    group: Group,
    filter: Filter | undefined,
    chain: readonly { readonly name: string; readonly scorer: Scorer }[],
  ) {
    this.#cluster = cluster;
    this.source = source;
    this.shape = source.shape;
    this.group = group;
    this.filter = filter;
    this.distinct = source.constraints.some((constraint) => constraint.type === 'distinctInstance');
    this.ports = portsOf(source.shape);
    const end = chain.findIndex(({ scorer }) => scorer.reads.kind === 'random');
    this.draws = end !== -1;
    const deciding = end === -1 ? chain : chain.slice(0, end);
    this.scorers = deciding.map(({ scorer }) => scorer);
    this.names = deciding.map(({ name }) => name);
    this.candidate = new SlotCandidate(cluster, group);
  }

  /** The feasibility function: every cause that keeps the slot from taking the request now. Call `filter.sync()` before. */
  causes(slot: number): number {
    const cluster = this.#cluster;
    const { shape } = this;
    let causes = cluster.status[slot] === placeable ? 0 : cause.INACTIVE;
    if (cluster.freeCpu[slot]! < shape.cpu) causes |= cause.CPU;
    if (cluster.freeMemory[slot]! < shape.memory) causes |= cause.MEMORY;
    if (cluster.freeGpus[slot]! < shape.gpus) causes |= cause.GPU;
    if (this.filter !== undefined && !this.filter.admits(slot)) causes |= cause.FILTER;
    if (this.distinct && this.group.perSlot.get(slot) > 0) causes |= cause.DISTINCT;
    if (this.ports.length > 0 && !cluster.portsFree(slot, this.ports)) causes |= cause.PORTS;
    return causes;
  }

  score(scorer: Scorer, slot: number): number {
    this.candidate.slot = slot;
    return scorer.score(this.candidate);
  }
}
