import { createPlacementIndex } from '../placement/index.ts';

import { ClusterFeed } from './feed.ts';
import { Lane } from './lane.ts';
import { ClusterLeader, type LeaderPorts } from './leader.ts';
import { ClusterPlacer } from './placer.ts';
import { ClusterView } from './view.ts';

/** What every server needs to take part in a cluster, whether it leads it or not. */
export type MemberPorts = Omit<LeaderPorts, 'view' | 'feed' | 'lane'> & {
  readonly placement: Parameters<typeof createPlacementIndex>[0];
};

/** One cluster on this server: its view, its placer, and its candidate for the leadership. */
export class ClusterMember {
  readonly view: ClusterView;
  readonly feed: ClusterFeed;
  readonly placer: ClusterPlacer;
  readonly leader: ClusterLeader;
  /** Resolves when the view has been read once. */
  readonly ready: Promise<void>;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(ports: MemberPorts, account: string, name: string) {
    const { records, clock, log, definitions } = ports;
    this.view = new ClusterView(account, name, createPlacementIndex(ports.placement), () => clock.monotonic());
    this.feed = new ClusterFeed(records, clock, log, this.view, () => definitions.forget());
    const lane = new Lane();
    this.placer = new ClusterPlacer({ records, clock, view: this.view, feed: this.feed, lane });
    this.leader = new ClusterLeader({ ...ports, view: this.view, feed: this.feed, lane });
    const following = this.feed.run(this.#stop.signal);
    this.ready = this.feed.first;
    const leading = this.ready.then(() => this.leader.run(this.#stop.signal));
    this.#running = Promise.all([following, leading]);
  }

  /** Gives up the leadership and stops following. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
