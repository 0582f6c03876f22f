import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { project, type RecordStore } from '@slipway/storage/records';

import type { ClusterRef } from '../cluster/index.ts';
import { clusterKeys, clusterPartition } from '../state/index.ts';

export interface FeedPorts {
  readonly records: Pick<RecordStore, 'version' | 'follow'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What can be read of a cluster by its operations; leases, tokens and waiting sessions change all the time, and nobody sees them. */
const seen: readonly string[] = [
  clusterKeys.cluster,
  clusterKeys.instances,
  clusterKeys.tasks,
  clusterKeys.services,
  clusterKeys.events,
  clusterKeys.histories,
  clusterKeys.shifts,
  clusterKeys.shiftLives,
  clusterKeys.hookResults,
];

/** Milliseconds between tries to follow again after the store failed. */
const retryAfter = 1000;

interface Feed {
  readonly ears: Set<() => void>;
  readonly stop: AbortController;
}

/** Tells that something of a cluster has changed, not what. A cluster is followed once in a process, while somebody listens. */
export class ChangeFeeds {
  readonly #ports: FeedPorts;
  readonly #feeds = new Map<string, Feed>();
  /** Those that go on, and those that end. */
  readonly #following = new Set<Promise<void>>();
  #closed = false;

  constructor(ports: FeedPorts) {
    this.#ports = ports;
  }

  /**
   * Calls back after commits to a cluster, which may exist or not, and whenever some may have been missed; until the returned function is
   * called, or all is closed. What calls back does little, and does not throw.
   */
  listen(ref: ClusterRef, hear: () => void): () => void {
    const partition = clusterPartition(ref.account, ref.cluster);
    const feed = this.#feeds.get(partition) ?? this.#follow(partition, ref);
    // Each has an ear of its own, even who listens twice with the same function.
    const ear = (): void => hear();
    feed.ears.add(ear);
    return () => {
      feed.ears.delete(ear);
      if (feed.ears.size > 0 || this.#feeds.get(partition) !== feed) return;
      this.#feeds.delete(partition);
      feed.stop.abort();
    };
  }

  /** Follows nothing any more, whoever listens or comes to; resolves when all that was followed has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { stop } of this.#feeds.values()) stop.abort();
    await Promise.all(this.#following);
  }

  #follow(partition: string, { cluster }: ClusterRef): Feed {
    const { records, clock, log } = this.#ports;
    const ears = new Set<() => void>();
    const tell = (): void => {
      for (const ear of ears) ear();
    };
    const stop = new AbortController();
    if (this.#closed) stop.abort();
    const following = project(
      records,
      partition,
      {
        load: tell,
        apply: (changes) => {
          if (changes.some(({ key }) => seen.some((prefix) => key.startsWith(prefix)))) tell();
        },
        interrupted: (err) => log.warn({ cluster, err }, 'cannot follow the changes of a cluster; trying again'),
        retryAfter,
      },
      { clock, signal: stop.signal },
    ).finally(() => {
      this.#following.delete(following);
    });
    this.#following.add(following);
    const feed: Feed = { ears, stop };
    this.#feeds.set(partition, feed);
    return feed;
  }
}
