import { scanAll } from '@slipway/storage/records';

import { clusterKeys, clusterPartition, type InstanceRecord } from '../../state/index.ts';
import { holds, parseAddress, parseCidr } from '../addresses/index.ts';
import { type Draft, networkKeys, networkPartition, type SliceRecord } from '../records/index.ts';

import type { FeedPorts } from './feed.ts';
import { detachTasks } from './interfaces.ts';

export interface OrphanPorts extends Pick<FeedPorts, 'records' | 'networks' | 'clock'> {
  /** How long the addresses of a host that is gone stay its own, milliseconds. */
  readonly quarantine: number;
}

/** A record of an orphaned range, and since when this server has known it as it is, on its monotonic clock. */
interface Look {
  readonly as: SliceRecord;
  readonly since: number;
}

/**
 * The ranges of hosts that are gone from their clusters, until they are given back.
 *
 * For how long a range is orphaned is told by no wall clock: one that is wrong by a day would give an address out twice. A server adds to
 * the record what its own monotonic clock has measured while the record stayed as it was. What servers add never overlaps, since each
 * begins with what the one before has written, and nobody adds what passes while no server looks: the sum is never more than the time
 * that truly went by. A server that starts, or takes this work over from another one, loses two looks' time at most.
 */
export class Orphans {
  readonly #ports: OrphanPorts;
  /** By account and range. */
  readonly #looks = new Map<string, Map<string, Look>>();

  constructor(ports: OrphanPorts) {
    this.#ports = ports;
  }

  /** Looks at every range once. What it does follows from the records; any server may do it, any number of times. */
  async sweep(account: string): Promise<void> {
    const { records, networks } = this.#ports;
    const rows = await scanAll<SliceRecord>(records, networkPartition(account), {
      prefix: networkKeys.slices,
      limit: 10_000,
    });
    const before = this.#looks.get(account) ?? new Map<string, Look>();
    const looks = new Map<string, Look>();
    this.#looks.set(account, looks);
    const hosts = Map.groupBy(rows, ({ value }) => `${value.cluster}/${value.instanceId}`);
    for (const own of hosts.values()) {
      const { cluster, instanceId } = own[0]!.value;
      const stored = await records.get<InstanceRecord>(
        clusterPartition(account, cluster),
        clusterKeys.instance(instanceId),
      );
      const present = stored !== undefined && stored.value.status !== 'INACTIVE';
      if (present && own.every(({ value }) => value.orphanedAt === undefined)) continue;
      const ranges = own.map(({ value }) => value.cidr);
      const { seen, isOver } = await networks.change(account, (draft) =>
        this.#age(draft, { ranges, cluster, instanceId }, present, before),
      );
      for (const look of seen) looks.set(look.as.cidr, look);
      if (!isOver) continue;
      const left = (await networks.interfaces(account)).filter(
        ({ task }) => task?.instanceId === instanceId && task.cluster === cluster,
      );
      // Nobody is given an address of an orphaned range: they are free first, and then their ranges are.
      await detachTasks(
        records,
        account,
        left.map(({ id }) => id),
      );
      await networks.change(account, (draft) => this.#free(draft, seen));
    }
  }

  /** Takes note of what has become of a host's ranges. @returns how they are now, and whether all of them have waited long enough */
  async #age(
    draft: Draft,
    host: Pick<SliceRecord, 'cluster' | 'instanceId'> & { readonly ranges: readonly string[] },
    present: boolean,
    before: ReadonlyMap<string, Look>,
  ): Promise<{ readonly seen: readonly Look[]; readonly isOver: boolean }> {
    const { clock, quarantine } = this.#ports;
    const seen: Look[] = [];
    for (const cidr of host.ranges) {
      const slice = await draft.slice(cidr);
      if (slice === undefined || slice.instanceId !== host.instanceId || slice.cluster !== host.cluster) continue;
      const { orphanedAt, orphanedFor = 0, ...kept } = slice;
      if (present) {
        if (orphanedAt !== undefined) draft.putSlice(kept);
      } else if (orphanedAt !== undefined && (await isFree(draft, slice))) {
        // Since it was orphaned nobody is given an address of it any more: what is free now stays free.
        draft.removeSlice(slice);
      } else {
        const look = before.get(cidr);
        const now = clock.monotonic();
        const passed = look !== undefined && isSame(look.as, slice) ? Math.floor(now - look.since) : 0;
        const as = { ...kept, orphanedAt: orphanedAt ?? clock.now(), orphanedFor: orphanedFor + passed };
        if (!isSame(as, slice)) draft.putSlice(as);
        seen.push({ as, since: passed === 0 && look !== undefined && isSame(look.as, as) ? look.since : now });
      }
    }
    return { seen, isOver: seen.length > 0 && seen.every(({ as }) => (as.orphanedFor ?? 0) >= quarantine) };
  }

  async #free(draft: Draft, looks: readonly Look[]): Promise<void> {
    for (const { as } of looks) {
      const slice = await draft.slice(as.cidr);
      if (slice !== undefined && isSame(slice, as) && (await isFree(draft, slice))) draft.removeSlice(slice);
    }
  }
}

/** Whether a range is orphaned since and for the same time: every commit that counts for more writes more. */
const isSame = (one: SliceRecord, other: SliceRecord): boolean =>
  one.instanceId === other.instanceId &&
  one.cluster === other.cluster &&
  one.orphanedAt === other.orphanedAt &&
  one.orphanedFor === other.orphanedFor;

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
