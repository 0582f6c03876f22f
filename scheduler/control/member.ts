import type { ClusterFeed, ClusterView, ClusterViews, HeldView } from '../views/index.ts';

import { Lane } from './lane.ts';
import { ClusterLeader, type LeaderPorts } from './leader.ts';
import { ClusterPlacer } from './placer.ts';

/** What every server needs to take part in a cluster, whether it leads it or not. */
export type MemberPorts = Omit<LeaderPorts, 'view' | 'feed' | 'lane'> & { readonly views: ClusterViews };

/** One cluster on this server: its view, its placer, and its candidate for the leadership. */
export class ClusterMember {
  readonly placer: ClusterPlacer;
  readonly leader: ClusterLeader;
  /** Resolves when the view has been read once, or it is closed before. */
  readonly ready: Promise<void>;
  readonly #held: HeldView;
  readonly #unlisten: () => void;
  readonly #stop = new AbortController();
  readonly #leading: Promise<void>;

  constructor(ports: MemberPorts, account: string, name: string) {
    const { records, clock, definitions } = ports;
    this.#held = ports.views.hold(account, name);
    const { view, feed } = this.#held;
    this.#unlisten = feed.whenDoubted(() => definitions.forget());
    const lane = new Lane();
    this.placer = new ClusterPlacer({ records, clock, view, feed, lane });
    this.leader = new ClusterLeader({ ...ports, view, feed, lane });
    const { signal } = this.#stop;
    const closed = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    this.ready = Promise.race([feed.first, closed]);
    this.#leading = this.ready.then(() => this.leader.run(signal));
  }

  get view(): ClusterView {
    return this.#held.view;
  }

  get feed(): ClusterFeed {
    return this.#held.feed;
  }

  /** Gives up the leadership and lets the view go. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#held.release();
    this.#unlisten();
    await this.#leading;
  }
}
