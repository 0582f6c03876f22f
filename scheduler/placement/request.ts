/** A placement request made ready: validated, its filter and scorers opened. One feasibility function, `causes`, for all. */
import { SlotCandidate } from './candidate.ts';
import type { Column } from './attributes.ts';
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
  /** What keeps the answer: see `Reads`. */
  readonly index: 'sorted' | 'scored' | 'scan';
  /** The attributes of the chain's leading spreads. */
  readonly spreadColumns: readonly Column[];
  /** The same for requests that any index may treat alike. */
  readonly key: string;
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
    const leading = this.scorers.findIndex(({ reads }) => reads.kind !== 'spread');
    const spreads = leading === -1 ? this.scorers : this.scorers.slice(0, leading);
    this.spreadColumns = spreads.flatMap(({ reads }) =>
      reads.kind === 'spread' ? cluster.column(reads.attribute) : [],
    );
    this.index = this.#indexFor(this.scorers.slice(spreads.length));
    this.key = JSON.stringify([
      source.shape,
      source.strategies,
      source.kind,
      this.distinct,
      filter?.number ?? -1,
      this.#readsGroup() ? group.number : -1,
      this.names,
    ]);
  }

  #indexFor(rest: readonly Scorer[]): 'sorted' | 'scored' | 'scan' {
    const { shape } = this;
    if (this.spreadColumns.length > 2) return 'scan';
    if (rest.some(({ reads }) => reads.kind === 'spread' || reads.kind === 'cluster')) return 'scan';
    const packs = this.scorers.length === 1 && rest[0]?.reads.kind === 'remaining';
    // The shared order knows CPU and memory only; what else can rule instances out would make it look at many in vain.
    const plain = !this.draws && !this.distinct && this.ports.length === 0 && shape.gpus === 0;
    return packs && plain ? 'sorted' : 'scored';
  }

  /** Whether requests of different groups may differ in their answers. */
  #readsGroup(): boolean {
    return this.distinct || this.scorers.some(({ reads }) => reads.kind !== 'remaining' && reads.kind !== 'instance');
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
