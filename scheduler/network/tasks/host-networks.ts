import type { HostNetworks } from '../../hosts/control/index.ts';
import { clusterKeys, clusterPartition, type TaskRecord } from '../../state/index.ts';

import { type FeedPorts, NetworkFeed } from './feed.ts';
import { attachTask, detachTasks, isMoved, mendSlices, NoInterface } from './interfaces.ts';
import { Orphans } from './orphans.ts';

/** See {@link TaskInterfacePorts.quarantine}. */
const defaultQuarantine = 24 * 3_600_000;

export interface TaskInterfacePorts extends FeedPorts {
  /**
   * How long the addresses of a host that is no longer in its cluster stay its own: what nobody could stop may run there still.
   * Milliseconds; by default a day.
   */
  readonly quarantine?: number | undefined;
}

/** The network of tasks with interfaces of their own, for the servers' side of the agents. */
export class TaskInterfaces implements HostNetworks {
  readonly #ports: TaskInterfacePorts;
  readonly #feeds = new Map<string, { readonly feed: NetworkFeed; readonly ended: Promise<void> }>();
  readonly #closing = new AbortController();
  readonly #orphans: Orphans;

  constructor(ports: TaskInterfacePorts) {
    this.#ports = ports;
    this.#orphans = new Orphans({ ...ports, quarantine: ports.quarantine ?? defaultQuarantine });
  }

  /** Ends the feeds. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#feeds.values()].map(({ ended }) => ended));
  }

  of({ account, id }: Parameters<HostNetworks['of']>[0]): ReturnType<HostNetworks['of']> {
    return this.#feed(account).of(id);
  }

  watch(account: string, changed: () => void): () => void {
    return this.#feed(account).watch(changed);
  }

  async attach(...[ref, instance, task]: Parameters<HostNetworks['attach']>): ReturnType<HostNetworks['attach']> {
    try {
      return await attachTask(this.#ports, { account: ref.account, cluster: ref.cluster, instance }, task);
    } catch (error) {
      if (error instanceof NoInterface) return { refused: error.message };
      throw error;
    }
  }

  async release(...[ref, id]: Parameters<HostNetworks['release']>): Promise<void> {
    await detachTasks(this.#ports.records, ref.account, [id]);
  }

  async keep(...[ref, instance, live]: Parameters<HostNetworks['keep']>): Promise<void> {
    const { records, networks } = this.#ports;
    const gone: string[] = [];
    const feed = this.#feed(ref.account);
    if ([...feed.slices()].some((slice) => isMoved(slice, instance)))
      await networks.change(ref.account, async (draft) =>
        mendSlices(draft, { ...ref, instance }, await draft.slices()),
      );
    for (const { id, task } of feed.onHost(ref.id)) {
      if (task === undefined || task.cluster !== ref.cluster || live.has(task.id)) continue;
      // Who asks may see the cluster later than the network: a task that it does not know may be one that was just placed.
      const stored = await records.get<TaskRecord>(
        clusterPartition(ref.account, ref.cluster),
        clusterKeys.task(task.id),
      );
      if (stored === undefined || stored.value.lastStatus === 'STOPPED') gone.push(id);
    }
    await detachTasks(records, ref.account, gone);
  }

  /**
   * Gives back what hosts had that are gone from their clusters: slices of theirs in which nobody has an address any more, and after the
   * quarantine the others as well, with the interfaces of their tasks. An agent that ends what it ran says so, and has those given back.
   */
  async sweep(account: string): Promise<void> {
    await this.#orphans.sweep(account);
  }

  #feed(account: string): NetworkFeed {
    const known = this.#feeds.get(account);
    if (known !== undefined) return known.feed;
    const feed = new NetworkFeed(this.#ports, account);
    this.#feeds.set(account, { feed, ended: feed.run(this.#closing.signal) });
    return feed;
  }
}
