import type { Log } from '@slipway/auth/contract';
import type { BlobStore } from '@slipway/storage/blobs';
import type { Clock } from '@slipway/storage/clock';
import {
  type EventDraft,
  type Fence,
  type RecordStore,
  scan,
  scanAll,
  scanPages,
  type Stored,
} from '@slipway/storage/records';
import { Changes } from './changes.ts';
import { logKeys, logsPartition } from './keys.ts';
import type { DeadRecord, GarbageRecord, GroupRecord, SegmentRecord } from './records.ts';
import { logRoom } from './room.ts';

export interface RetentionPorts {
  readonly records: RecordStore;
  readonly blobs: Pick<BlobStore, 'remove'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Bytes on disk that the logs of all accounts may take. */
  readonly limit: () => number;
  /** Told what logs take and may take, bytes, whenever it was added up. */
  readonly measured: (room: { readonly stored: number; readonly limit: number }) => void;
}

/** The keys of a row of a group, and of what goes with it. */
function rowsOf({ key, value }: Stored): readonly string[] {
  if (!key.startsWith(logKeys.subscriptions)) return [key];
  return [key, logKeys.delivery((value as { readonly id: string }).id)];
}

const day = 86_400_000;
/** For how long a read may go on after its files were replaced. */
const readGrace = 5 * 60_000;
/** For how long events of what was deleted may still be on their way. */
const lateGrace = 60 * 60_000;
/** Records removed by one commit, and segments dropped before it is counted anew. */
const atOnce = 1000;

/** Lets go of what is over: the events of deleted and expired groups, what the cap asks for, blobs that nobody names. */
export class Retention {
  readonly #account: string;
  readonly #ports: RetentionPorts;
  readonly #fence: Fence;

  constructor(account: string, ports: RetentionPorts, fence: Fence) {
    this.#account = account;
    this.#ports = ports;
    this.#fence = fence;
  }

  /** Removes segments whose last event is older than their group keeps events. @returns how many */
  async expire(): Promise<number> {
    const now = this.#ports.clock.now();
    let removed = 0;
    for await (const { value } of scan<GroupRecord>(this.#ports.records, this.#partition, { prefix: logKeys.groups })) {
      if (value.retentionInDays === undefined) continue;
      const until = now - value.retentionInDays * day;
      for await (const page of this.#segmentsOf(value.id)) {
        const over = page.filter((segment) => segment.value.maxTimestamp < until);
        await this.#drop(value.id, over);
        removed += over.length;
        // They lie in the order of their days.
        if (page.some((segment) => segment.value.minTimestamp >= until)) break;
      }
    }
    return removed;
  }

  /** Removes what deleted groups and streams have left. */
  async forget(): Promise<void> {
    const { records, clock } = this.#ports;
    for (const { key, value } of await scanAll<DeadRecord>(records, this.#partition, { prefix: logKeys.deletions })) {
      const group = key.slice(logKeys.deletions.length);
      for await (const page of this.#segmentsOf(group)) await this.#drop(group, page);
      for (const prefix of [
        logKeys.streamsOf(group),
        logKeys.seenOf(group),
        logKeys.shippedOf(group),
        logKeys.deadOf(group),
        logKeys.filtersOf(group),
        logKeys.subscriptionsOf(group),
      ]) {
        for await (const page of scanPages(records, this.#partition, { prefix, limit: atOnce }))
          await this.#commit(page.records.flatMap(rowsOf));
      }
      if (clock.now() - value.at > lateGrace) await this.#commit([logKeys.usage(group), key]);
    }
  }

  /** Removes the marks of deleted streams, and when their events were, of which no segment can have events any more. */
  async forgetStreams(): Promise<void> {
    const { records, clock } = this.#ports;
    const until = clock.now() - lateGrace;
    for await (const { value: group } of scan<GroupRecord>(records, this.#partition, { prefix: logKeys.groups })) {
      const prefix = logKeys.deadOf(group.id);
      const dead = await scanAll<DeadRecord>(records, this.#partition, { prefix });
      const late = dead.filter(({ value }) => value.at < until);
      if (late.length === 0) continue;
      let oldest = Infinity;
      for await (const page of this.#segmentsOf(group.id))
        for (const { value } of page) oldest = Math.min(oldest, value.writtenAt);
      // Clocks of servers differ: by far less than this.
      const over = late.filter(({ value }) => value.at + lateGrace < oldest);
      for (let from = 0; from < over.length; from += atOnce)
        await this.#commit(
          over.slice(from, from + atOnce).flatMap(({ key }) => {
            const stream = key.slice(prefix.length);
            return [key, logKeys.seen(group.id, stream), logKeys.shipped(group.id, stream)];
          }),
        );
    }
  }

  /**
   * While the logs of all accounts take more room than they may, drops the oldest segments of this account's largest group, if no other
   * account has a larger one. Each drop is announced as `logs.dropped`.
   */
  async cap(): Promise<void> {
    const { records, log } = this.#ports;
    for (;;) {
      const { total, largest } = await logRoom(records);
      const limit = this.#ports.limit();
      this.#ports.measured({ stored: total, limit });
      const over = total - limit;
      if (over <= 0 || largest?.account !== this.#account) return;
      const { group } = largest;
      const dropped: Stored<SegmentRecord>[] = [];
      let freed = 0;
      const oldest = await records.list<SegmentRecord>(this.#partition, {
        prefix: logKeys.segmentsOf(group),
        limit: atOnce,
      });
      for (const segment of oldest.records) {
        // The next largest may be another one.
        if (freed >= over || freed > largest.stored / 4) break;
        dropped.push(segment);
        freed += segment.value.blob.size;
      }
      if (dropped.length === 0) return;
      const name = await this.#nameOf(group);
      const data = {
        account: this.#account,
        group: name ?? group,
        bytes: freed,
        from: Math.min(...dropped.map(({ value }) => value.minTimestamp)),
        to: Math.max(...dropped.map(({ value }) => value.maxTimestamp)),
      };
      await this.#drop(group, dropped, [{ topic: 'logs', type: 'logs.dropped', data }]);
      log.warn(data, 'log events were dropped: logs are at SLIPWAY_LOGS_MAX; set a retention, or give them more room');
    }
  }

  /** Removes blobs that were replaced a while ago. @returns how many */
  async collectGarbage(): Promise<number> {
    const { records, blobs, clock } = this.#ports;
    let removed = 0;
    for await (const page of scanPages<GarbageRecord>(records, this.#partition, {
      prefix: logKeys.garbage,
      limit: 100,
    })) {
      const over = page.records.filter(({ value }) => Math.abs(clock.now() - value.at) >= readGrace);
      for (const { value } of over) await blobs.remove(value.blob);
      await this.#commit(over.map(({ key }) => key));
      removed += over.length;
    }
    return removed;
  }

  async #nameOf(id: string): Promise<string | undefined> {
    for await (const { key, value } of scan<GroupRecord>(this.#ports.records, this.#partition, {
      prefix: logKeys.groups,
    }))
      if (value.id === id) return key.slice(logKeys.groups.length);
    return undefined;
  }

  async *#segmentsOf(group: string): AsyncGenerator<readonly Stored<SegmentRecord>[], void> {
    const options = { prefix: logKeys.segmentsOf(group), limit: atOnce };
    for await (const page of scanPages<SegmentRecord>(this.#ports.records, this.#partition, options))
      yield page.records;
  }

  async #drop(
    group: string,
    segments: readonly Stored<SegmentRecord>[],
    announce: readonly EventDraft[] = [],
  ): Promise<void> {
    if (segments.length === 0) return;
    const { records, clock } = this.#ports;
    const changes = new Changes(segments, clock.now());
    for (const { value } of segments) changes.lost(group, value);
    await changes.commit(records, this.#partition, this.#fence, announce);
  }

  async #commit(remove: readonly string[]): Promise<void> {
    if (remove.length > 0) await this.#ports.records.commit(this.#partition, { remove, fence: this.#fence });
  }

  get #partition(): string {
    return logsPartition(this.#account);
  }
}
