/** Decides by the index the request's strategies allow, and keeps the indexes that are in use. */
import type { Column } from './attributes.ts';
import type { Cluster } from './cluster.ts';
import type { Request } from './request.ts';
import { chooseByScan } from './scan.ts';
import { Partition, widest } from './partition.ts';
import { ScoreView } from './score-view.ts';
import { SortedView } from './sorted-view.ts';

export interface Tuning {
  /** Instances a block of the sorted index, an even number. Default 64. */
  readonly blockSize?: number;
  /** Bytes all score indexes may keep; the one unused for longest goes first. Default 256 MiB. */
  readonly scoreBytes?: number;
}

/** What a class of requests is decided with. */
export interface Decider {
  /** The first of the requests that share it: alike in everything that decides, but not always of the same group. */
  readonly request: Request;
  readonly kind: 'sorted' | 'scored' | 'scan';
  view: SortedView | ScoreView | undefined;
  bytes: number;
  lastUsed: number;
}

export class Chooser {
  readonly #cluster: Cluster;
  readonly #draw: (count: number) => number;
  readonly #blockSize: number;
  readonly #scoreBytes: number;
  readonly #sorted = new Map<string, SortedView>();
  readonly #deciders = new Map<string, Decider>();
  /** Those whose score index is kept. */
  readonly #opened = new Set<Decider>();
  readonly #partitions = new Map<string, Partition>();
  #tick = 0;
  #bytes = 0;

  constructor(cluster: Cluster, draw: (count: number) => number, { blockSize = 64, scoreBytes = 2 ** 28 }: Tuning) {
    this.#cluster = cluster;
    this.#draw = draw;
    this.#blockSize = blockSize;
    this.#scoreBytes = scoreBytes;
  }

  /** What decides the request from now on, until `clear`. Requests with the same key share it. */
  prepare(request: Request): Decider {
    if (request.index === 'sorted') {
      return { request, kind: 'sorted', view: this.#openSorted(request), bytes: 0, lastUsed: 0 };
    }
    let decider = this.#deciders.get(request.key);
    if (decider === undefined) {
      decider = { request, kind: request.index, view: undefined, bytes: 0, lastUsed: 0 };
      this.#deciders.set(request.key, decider);
    }
    return decider;
  }

  /** The slot, or -1 when no instance can take the request. */
  choose(decider: Decider): number {
    const { request, kind } = decider;
    request.filter?.sync();
    if (kind === 'sorted') return (decider.view as SortedView).choose(request);
    if (kind === 'scan' || request.spreadColumns.some(({ values }) => values.length > widest)) {
      return chooseByScan(this.#cluster, request, this.#draw);
    }
    decider.lastUsed = ++this.#tick;
    decider.view ??= this.#openScored(decider);
    return (decider.view as ScoreView).choose(this.#draw);
  }

  /** How many classes of requests there are: the caller forgets all when they pile up. */
  get classes(): number {
    return this.#deciders.size;
  }

  /** Forgets every index: groups have been forgotten, which they name. */
  clear(): void {
    this.#deciders.clear();
    this.#opened.clear();
    this.#bytes = 0;
  }

  #openSorted(request: Request): SortedView {
    const { reads } = request.scorers[0]!;
    const resource = reads.kind === 'remaining' ? reads.resource : 'cpu';
    const key = `${resource} ${request.filter?.number ?? ''}`;
    let view = this.#sorted.get(key);
    if (view === undefined) {
      if (this.#sorted.size >= 256) this.#sorted.clear();
      view = new SortedView(this.#cluster, request.filter, resource, this.#blockSize);
      this.#sorted.set(key, view);
    }
    return view;
  }

  #openScored(owner: Decider): ScoreView {
    const { request } = owner;
    const { spreadColumns } = request;
    const view = new ScoreView(
      this.#cluster,
      request,
      this.#partitionBy(spreadColumns),
      request.scorers.slice(spreadColumns.length),
    );
    owner.bytes = view.bytes;
    this.#bytes += view.bytes;
    while (this.#bytes > this.#scoreBytes && this.#evict()) {}
    this.#opened.add(owner);
    return view;
  }

  /** Shared by all views that spread over the same attributes. */
  #partitionBy(columns: readonly Column[]): Partition | undefined {
    if (columns.length === 0) return undefined;
    const key = columns.map(({ name }) => name).join(' ');
    let partition = this.#partitions.get(key);
    if (partition === undefined) {
      partition = new Partition(this.#cluster, columns);
      this.#partitions.set(key, partition);
    }
    return partition;
  }

  /** Drops the index unused for longest; returns whether there was one. */
  #evict(): boolean {
    let oldest: Decider | undefined;
    for (const decider of this.#opened) {
      if (oldest === undefined || decider.lastUsed < oldest.lastUsed) oldest = decider;
    }
    if (oldest === undefined) return false;
    this.#opened.delete(oldest);
    this.#bytes -= oldest.bytes;
    oldest.view = undefined;
    return true;
  }
}
