import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { type Change, type RecordStore, scan } from '@slipway/storage/records';
import { LogsDamaged, type TailBatch, type TailedEvent, type TailedGroup } from './contract.ts';
import { type EventBlobs, isGone } from './event-blobs.ts';
import { eventId } from './ids.ts';
import { logKeys, logsPartition } from './keys.ts';
import type { ChunkRecord, GroupRecord } from './records.ts';

export interface TailPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** Milliseconds until a store that failed is asked again. */
const retryAfter = 1000;

/** Follows the chunks of an account, on whichever server they were written; see `LogStore.tail`. */
export async function* tailed(
  ports: TailPorts,
  blobs: EventBlobs,
  account: string,
  wanted: readonly TailedGroup[],
  signal: AbortSignal,
): AsyncGenerator<TailBatch, void> {
  const follower = new Follower(ports, blobs, account, wanted);
  for (let begun = false; !signal.aborted; begun = true) {
    try {
      yield* follower.follow(begun, signal);
    } catch (error) {
      if (signal.aborted) return;
      ports.log.warn({ err: error, account }, 'following logs waits for the store');
      await ports.clock.sleep(retryAfter, signal).catch(() => undefined);
    }
  }
}

class Follower {
  readonly #ports: TailPorts;
  readonly #blobs: EventBlobs;
  readonly #account: string;
  readonly #wanted: ReadonlyMap<string, readonly TailedGroup[]>;
  /** The names of the wanted groups that are there, by id. */
  readonly #names = new Map<string, string>();
  /** Chunks that were seen and are still there. */
  #seen = new Set<string>();

  constructor(ports: TailPorts, blobs: EventBlobs, account: string, wanted: readonly TailedGroup[]) {
    this.#ports = ports;
    this.#blobs = blobs;
    this.#account = account;
    this.#wanted = Map.groupBy(wanted, ({ group }) => group);
  }

  /**
   * From now on, or with what came meanwhile; ends when the feed has a gap.
   * @param again whether it was followed before
   */
  async *follow(again: boolean, signal: AbortSignal): AsyncGenerator<TailBatch, void> {
    const { records } = this.#ports;
    const partition = logsPartition(this.#account);
    const version = await records.version(partition);
    for (const name of this.#wanted.keys()) {
      const group = await records.get<GroupRecord>(partition, logKeys.group(name));
      if (group !== undefined) this.#names.set(group.value.id, name);
    }
    const missed: Change[] = [];
    const there = new Set<string>();
    for await (const chunk of scan<ChunkRecord>(records, partition, { prefix: logKeys.chunks })) {
      // What was committed since will be reported.
      if (chunk.version > version) continue;
      there.add(chunk.key);
      if (again && !this.#seen.has(chunk.key))
        missed.push({ kind: 'put', ...chunk, value: { ...chunk.value } as never });
    }
    this.#seen = again ? new Set([...there].filter((key) => this.#seen.has(key))) : there;
    if (again) yield { ...(await this.#take(missed)), gap: true };
    for await (const changes of records.follow(partition, { after: version, signal })) {
      if (changes.some(({ kind }) => kind === 'reset')) return;
      const batch = await this.#take(changes);
      if (batch.events.length > 0 || batch.gap) yield batch;
    }
  }

  async #take(changes: readonly Change[]): Promise<TailBatch> {
    const events: TailedEvent[] = [];
    let gap = false;
    for (const change of changes) {
      if (change.kind === 'reset') continue;
      const { key } = change;
      if (key.startsWith(logKeys.groups)) this.#named(change);
      if (!key.startsWith(logKeys.chunks)) continue;
      if (change.kind === 'removed') {
        // Compacted before it was looked at.
        if (!this.#seen.delete(key)) gap = true;
        continue;
      }
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      try {
        events.push(...(await this.#eventsOf(change.value as unknown as ChunkRecord)));
      } catch (error) {
        if (!isGone(error) && !(error instanceof LogsDamaged)) {
          this.#seen.delete(key);
          throw error;
        }
        this.#ports.log.warn({ err: error, account: this.#account }, 'followers of logs miss a chunk');
        gap = true;
      }
    }
    return { events, gap };
  }

  #named(change: Exclude<Change, { readonly kind: 'reset' }>): void {
    const name = change.key.slice(logKeys.groups.length);
    if (change.kind === 'put' && this.#wanted.has(name))
      this.#names.set((change.value as unknown as GroupRecord).id, name);
  }

  async #eventsOf(chunk: ChunkRecord): Promise<readonly TailedEvent[]> {
    const events: TailedEvent[] = [];
    if (!Object.keys(chunk.groups).some((id) => this.#names.has(id))) return events;
    const { streams, blocks } = await this.#blobs.table(chunk);
    const isWanted = streams.map(({ group, name }) => {
      const groups = this.#wanted.get(this.#names.get(group) ?? '') ?? [];
      return groups.some((it) => name.startsWith(it.prefix ?? '') && (it.streams?.includes(name) ?? true));
    });
    for (const block of blocks) {
      const at = isWanted.indexOf(true, block.firstStream);
      if (at === -1 || at > block.lastStream) continue;
      const rows = await this.#blobs.rows(chunk, block);
      while (rows.next()) {
        if (isWanted[rows.stream] !== true) continue;
        const { group, name } = streams[rows.stream]!;
        const { timestamp, ingestionTime, writer, sequence, text } = rows;
        const id = eventId(timestamp, ingestionTime, writer, sequence);
        events.push({ id, group: this.#names.get(group)!, stream: name, timestamp, ingestionTime, message: text });
      }
    }
    return events;
  }
}
