import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import { createPlacementIndex } from '../placement/index.ts';
import { clusterPartition } from '../state/index.ts';

import { ClusterFeed } from './cluster-feed.ts';
import { ClusterView } from './cluster-view.ts';

export interface ViewPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Options of the placement core; the seed breaks ties of `random`. */
  readonly placement: Parameters<typeof createPlacementIndex>[0];
}

/** A cluster's view, as one of those who look at it has it. */
export interface HeldView {
  readonly view: ClusterView;
  readonly feed: ClusterFeed;
  /** Lets it go, once; resolves when nothing follows the cluster for this holder any more. */
  readonly release: () => Promise<void>;
}

interface Followed {
  readonly view: ClusterView;
  readonly feed: ClusterFeed;
  readonly stop: AbortController;
  readonly following: Promise<void>;
  holders: number;
}

/**
 * The views of clusters in this process: one of each, read and followed once, however many parts of the process look at it. A cluster is
 * followed while somebody holds its view.
 */
export class ClusterViews {
  readonly #ports: ViewPorts;
  readonly #followed = new Map<string, Followed>();

  constructor(ports: ViewPorts) {
    this.#ports = ports;
  }

  /** The view of a cluster, which may exist or not; it is empty until its feed has read it (`feed.first`). */
  hold(account: string, name: string): HeldView {
    const partition = clusterPartition(account, name);
    const followed = this.#followed.get(partition) ?? this.#follow(account, name);
    this.#followed.set(partition, followed);
    followed.holders += 1;
    const { view, feed } = followed;
    let held = true;
    return {
      view,
      feed,
      release: async () => {
        if (!held) return;
        held = false;
        followed.holders -= 1;
        if (followed.holders > 0) return;
        this.#followed.delete(partition);
        followed.stop.abort();
        await followed.following;
      },
    };
  }

  #follow(account: string, name: string): Followed {
    const { records, clock, log, placement } = this.#ports;
    const view = new ClusterView(account, name, createPlacementIndex(placement), () => clock.monotonic());
    const feed = new ClusterFeed(records, clock, log, view);
    const stop = new AbortController();
    return { view, feed, stop, following: feed.run(stop.signal), holders: 0 };
  }
}
