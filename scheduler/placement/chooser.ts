/** Decides by the index the request's strategies allow, and keeps the indexes that are in use. */
import type { Cluster } from './cluster.ts';
import type { Request } from './request.ts';
import { chooseByScan } from './scan.ts';
import { ScoreView, widestSpread } from './score-view.ts';
import { SortedView } from './sorted-view.ts';

export interface Tuning {
  /** Instances a block of the sorted index, an even number. Default 64. */
  readonly blockSize?: number;
  /** Bytes all score indexes may keep; the one unused for longest goes first. Default 256 MiB. */
  readonly scoreBytes?: number;
  /** Changes the logs keep, a power of two. Default 65536. */
  readonly logSize?: number;
}

/** What a class of requests is decided with. A class seen for the first time is decided by looking at every instance. */
interface Entry {
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
  readonly #entries = new Map<string, Entry>();
  #byRequest = new WeakMap<Request, Entry>();
  #tick = 0;
  #bytes = 0;

  constructor(cluster: Cluster, draw: (count: number) => number, { blockSize = 64, scoreBytes = 2 ** 28 }: Tuning) {
    this.#cluster = cluster;
    this.#draw = draw;
    this.#blockSize = blockSize;
    this.#scoreBytes = scoreBytes;
  }

  /** The slot, or -1 when no instance can take the request. Call `request.filter.sync()` before. */
  choose(request: Request): number {
    const entry = this.#byRequest.get(request) ?? this.#entryOf(request);
    const seen = entry.lastUsed > 0;
    entry.lastUsed = ++this.#tick;
    if (entry.kind === 'sorted') return (entry.view as SortedView).choose(request);
    if (entry.kind === 'scan' || !seen || request.spreadColumns.some(({ values }) => values.length > widestSpread)) {
      return chooseByScan(this.#cluster, request, this.#draw);
    }
    entry.view ??= this.#openScored(request, entry);
    return (entry.view as ScoreView).choose(this.#draw);
  }

  /** Forgets every index: groups have been forgotten, which they name. */
  clear(): void {
    this.#entries.clear();
    this.#byRequest = new WeakMap();
    this.#bytes = 0;
  }

  #entryOf(request: Request): Entry {
    let entry: Entry | undefined;
    if (request.index === 'sorted') {
      entry = { kind: 'sorted', view: this.#openSorted(request), bytes: 0, lastUsed: 0 };
    } else {
      entry = this.#entries.get(request.key);
      if (entry === undefined) {
        entry = { kind: request.index, view: undefined, bytes: 0, lastUsed: 0 };
        if (this.#entries.size >= 16_384) this.clear();
        this.#entries.set(request.key, entry);
      }
    }
    this.#byRequest.set(request, entry);
    return entry;
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

  #openScored(request: Request, owner: Entry): ScoreView {
    const { spreadColumns } = request;
    const view = new ScoreView(this.#cluster, request, spreadColumns, request.scorers.slice(spreadColumns.length));
    owner.bytes = view.bytes;
    this.#bytes += view.bytes;
    while (this.#bytes > this.#scoreBytes && this.#evict()) {}
    return view;
  }

  /** Drops the index unused for longest; returns whether there was one. */
  #evict(): boolean {
    let oldest: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.view !== undefined && (oldest === undefined || entry.lastUsed < oldest.lastUsed)) oldest = entry;
    }
    if (oldest === undefined) return false;
    this.#bytes -= oldest.bytes;
    oldest.view = undefined;
    return true;
  }
}
