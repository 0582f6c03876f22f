import type { HostNetworks } from '../../hosts/control/index.ts';
import { clusterKeys, clusterPartition, type InstanceRecord, type TaskRecord } from '../../state/index.ts';
import { scanAll } from '@slipway/storage/records';
import { holds, parseAddress, parseCidr } from '../addresses/index.ts';
import { type Draft, networkKeys, networkPartition, type SliceRecord } from '../records/index.ts';

import { type FeedPorts, NetworkFeed } from './feed.ts';
import { attachTask, detachTasks, NoInterface } from './interfaces.ts';

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

  constructor(ports: TaskInterfacePorts) {
    this.#ports = ports;
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

  async keep(...[ref, live]: Parameters<HostNetworks['keep']>): Promise<void> {
    const { records } = this.#ports;
    const gone: string[] = [];
    for (const { id, task } of this.#feed(ref.account).onHost(ref.id)) {
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
   * What it does follows from the records; any server may do it, any number of times.
   */
  async sweep(account: string): Promise<void> {
    const { records, networks, clock, quarantine = defaultQuarantine } = this.#ports;
    const rows = await scanAll<SliceRecord>(records, networkPartition(account), {
      prefix: networkKeys.slices,
      limit: 10_000,
    });
    const hosts = Map.groupBy(rows, ({ value }) => `${value.cluster}/${value.instanceId}`);
    for (const own of hosts.values()) {
      const { cluster, instanceId } = own[0]!.value;
      const stored = await records.get<InstanceRecord>(
        clusterPartition(account, cluster),
        clusterKeys.instance(instanceId),
      );
      const present = stored !== undefined && stored.value.status !== 'INACTIVE';
      if (present && own.every(({ value }) => value.orphanedAt === undefined)) continue;
      const gone = await networks.change(account, async (draft) => {
        const mine = (await draft.slices()).filter(
          (slice) => slice.instanceId === instanceId && slice.cluster === cluster,
        );
        for (const slice of mine) {
          const { orphanedAt, ...kept } = slice;
          if (present && orphanedAt !== undefined) draft.putSlice(kept);
          if (present) continue;
          if (orphanedAt === undefined) draft.putSlice({ ...kept, orphanedAt: clock.now() });
          // Since it was orphaned nobody is given an address of it any more: what is free now stays free.
          else if (clock.now() - orphanedAt >= quarantine || (await isFree(draft, slice))) draft.removeSlice(slice);
        }
        const over =
          mine.length > 0 && mine.every(({ orphanedAt = clock.now() }) => clock.now() - orphanedAt >= quarantine);
        return !present && over;
      });
      if (!gone) continue;
      const left = (await networks.interfaces(account)).filter(
        ({ task }) => task?.instanceId === instanceId && task.cluster === cluster,
      );
      await detachTasks(
        records,
        account,
        left.map(({ id }) => id),
      );
    }
  }

  #feed(account: string): NetworkFeed {
    const known = this.#feeds.get(account);
    if (known !== undefined) return known.feed;
    const feed = new NetworkFeed(this.#ports, account);
    this.#feeds.set(account, { feed, ended: feed.run(this.#closing.signal) });
    return feed;
  }
}

/** Whether nobody has an address of a range. */
async function isFree(draft: Draft, { cidr, subnetId }: SliceRecord): Promise<boolean> {
  const range = parseCidr(cidr);
  if (range === undefined) return false;
  for (const text of await draft.taken(subnetId)) {
    const address = parseAddress(text);
    if (address === undefined || holds(range, address)) return false;
  }
  return true;
}
