import { type Clock, settling, waitAtMost } from '@slipway/storage/clock';
import { type Json, project, type Projection, type RecordStore, type Stored } from '@slipway/storage/records';

import type { Log } from '@slipway/auth/contract';
import { scan } from '../cluster/index.ts';
import { clusterPartition } from '../state/index.ts';

import type { ClusterView } from './cluster-view.ts';

/** Milliseconds after which a view that has not caught up by the feed is read anew from the records. */
const patience = 200;

/** Milliseconds between tries to follow again after the store failed. */
const retryAfter = 500;

const storeLost = 'the store has lost commits that this server had seen; going on from what it has';

/** Keeps a {@link ClusterView} up to date from the change feed, and reads it anew whenever the feed has a gap. */
export class ClusterFeed {
  readonly #records: RecordStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #view: ClusterView;
  readonly #doubters = new Set<() => void>();
  readonly #partition: string;
  /** The view holds every change up to this version of the partition. */
  #seen = -1;
  readonly #first = Promise.withResolvers<void>();
  #waiting: { readonly version: number; readonly resolve: () => void }[] = [];

  constructor(records: RecordStore, clock: Clock, log: Log, view: ClusterView) {
    this.#records = records;
    this.#clock = clock;
    this.#log = log;
    this.#view = view;
    this.#partition = clusterPartition(view.account, view.name);
  }

  /** Resolves when the view has been read for the first time, or following has ended before. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /**
   * Calls back before the cluster is read anew, until the returned function is called: the store may have lost what was seen, of other
   * partitions as well.
   */
  whenDoubted(tell: () => void): () => void {
    this.#doubters.add(tell);
    return () => this.#doubters.delete(tell);
  }

  /** Follows until the signal aborts. A store that fails is tried again; the view stays as it is meanwhile. */
  async run(signal: AbortSignal): Promise<void> {
    const projection: Projection = {
      load: (version) => this.#take(version),
      apply: (changes, version) => {
        this.#view.apply(changes);
        this.#advance(version);
      },
      interrupted: (err) =>
        this.#log.warn({ cluster: this.#view.name, err }, 'cannot follow the cluster; trying again'),
      retryAfter,
    };
    await project(this.#records, this.#partition, projection, { clock: this.#clock, signal });
    this.#first.resolve();
  }

  /** Reads every row of the cluster: the truth, whatever the feed said. */
  async read(): Promise<void> {
    await this.#take(await this.#records.version(this.#partition));
  }

  async #take(version: number): Promise<void> {
    for (const tell of this.#doubters) tell();
    const rows = new Map<string, Stored>();
    for await (const stored of scan<Json>(this.#records, this.#partition, '')) rows.set(stored.key, stored);
    const after = await this.#records.version(this.#partition);
    // A failover to a replica that lagged: versions are given out again, and what was seen may never have been.
    const lost = after < Math.max(this.#seen, this.#view.newest);
    if (lost) this.#log.warn({ cluster: this.#view.name, seen: this.#seen, version: after }, storeLost);
    this.#view.replace(rows, version, lost);
    if (lost) this.#seen = version;
    this.#advance(version);
    this.#first.resolve();
  }

  /** Resolves when the view holds everything that was committed before the call. */
  async catchUp(): Promise<void> {
    const version = await this.#records.version(this.#partition);
    if (version <= this.#seen) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ version, resolve });
    await waitAtMost(patience, settling(promise), this.#clock);
    if (this.#seen < version) await this.read();
  }

  #advance(version: number): void {
    if (version > this.#seen) this.#seen = version;
    const ready = this.#waiting.filter((waiter) => waiter.version <= this.#seen);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((waiter) => waiter.version > this.#seen);
    for (const { resolve } of ready) resolve();
  }
}
