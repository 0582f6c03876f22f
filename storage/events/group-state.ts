import {
  ConditionFailed,
  definePartition,
  type Json,
  type OwnedRows,
  type RecordStore,
  scanAll,
} from '../records/index.ts';
import type { DeadLetter, LoggedEvent } from './event-log.ts';

/** An event handed out and not yet done with. */
export interface Pending {
  readonly position: number;
  /** Deliveries so far. */
  readonly attempt: number;
  /** The event itself where the log may no longer have it (put back from the dead letters). */
  readonly event?: LoggedEvent;
}

/** How far a group is in one partition's stream. One member at a time owns a stream, which keeps its order. */
export interface StreamState {
  /** The member that handles the stream now; none when there is nothing to do. */
  readonly owner?: string;
  /** Grows while the owner lives and has work; others take over when it stands still for the redelivery time. */
  readonly beat: number;
  /** Events up to here have been handed out at least once. */
  readonly cursor: number;
  readonly pending: readonly Pending[];
}

/** The next state of a stream, with the dead letters that come and go with it. */
export interface StateChange {
  readonly state: StreamState;
  readonly bury?: readonly DeadLetter[];
  readonly unbury?: readonly number[];
}

export interface StoredState {
  readonly state: StreamState | undefined;
  /** 0 when there is no row yet. */
  readonly version: number;
}

const consumers = definePartition('$consumers/<topic>/<group>', 'one group of consumers on one topic');
const statePrefix = 'state/';
const deadPrefix = 'dead/';
export const consumerRows: OwnedRows = {
  partition: consumers,
  owner: 'storage/events',
  keys: [statePrefix, deadPrefix],
};
const deadKey = (partition: string, position: number): string =>
  `${deadPrefix}${partition}/${String(position).padStart(16, '0')}`;

/** A group's rows, in a partition of their own: the partitions of the events are busy enough. */
export class GroupRecords {
  readonly partition: string;
  readonly #records: RecordStore;

  constructor(records: RecordStore, group: string, topic: string) {
    this.#records = records;
    this.partition = consumers.name(topic, group);
  }

  async read(partition: string): Promise<StoredState> {
    const stored = await this.#records.get(this.partition, statePrefix + partition);
    return { state: stored?.value as unknown as StreamState | undefined, version: stored?.version ?? 0 };
  }

  /** Stores the next state unless somebody else has changed it since it was read; says whether it did. */
  async store(partition: string, read: StoredState, next: StateChange): Promise<StoredState | undefined> {
    const key = statePrefix + partition;
    const letters = (next.bury ?? []).map((letter) => ({
      key: deadKey(partition, letter.position),
      value: letter as unknown as Json,
    }));
    try {
      const { version } = await this.#records.commit(this.partition, {
        require: [read.version === 0 ? { key, exists: false } : { key, version: read.version }],
        put: [{ key, value: next.state as unknown as Json }, ...letters],
        remove: (next.unbury ?? []).map((position) => deadKey(partition, position)),
      });
      return { state: next.state, version };
    } catch (error) {
      if (error instanceof ConditionFailed) return undefined;
      throw error;
    }
  }

  /** Changes a stream's state whatever else changes it at the same time; `undefined` leaves it alone. */
  async update(partition: string, change: (state: StreamState | undefined) => StateChange | undefined): Promise<void> {
    for (;;) {
      const read = await this.read(partition);
      const next = change(read.state);
      if (next === undefined || (await this.store(partition, read, next)) !== undefined) return;
    }
  }

  async deadLetters(): Promise<readonly DeadLetter[]> {
    const rows = await scanAll<DeadLetter>(this.#records, this.partition, { prefix: deadPrefix });
    return rows.map(({ value }) => value);
  }

  /** The streams whose state somebody changes, as it happens, with the version of the change; undefined stands for all. */
  async *changes(
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly partition: string | undefined; readonly version: number }> {
    for await (const changes of this.#records.follow(this.partition, { after, signal })) {
      for (const change of changes) {
        if (change.kind === 'reset') yield { partition: undefined, version: change.version };
        if (change.kind === 'put' && change.key.startsWith(statePrefix)) {
          yield { partition: change.key.slice(statePrefix.length), version: change.version };
        }
      }
    }
  }

  version(): Promise<number> {
    return this.#records.version(this.partition);
  }
}
