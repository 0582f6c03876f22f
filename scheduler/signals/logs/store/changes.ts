import type { EventDraft, Fence, Json, RecordStore, Stored } from '@slipway/storage/records';
import { eventOverhead } from './checks.ts';
import type { FileStream } from './event-file.ts';
import { logKeys } from './keys.ts';
import type { EventsRecord, GarbageRecord, SeenRecord, SegmentRecord, UsageRecord } from './records.ts';
import type { Row } from './rows.ts';

/** What one commit changes of the files of an account: some go, others take their place or none do, and what is said of groups and streams. */
export class Changes {
  readonly #usage = new Map<string, { bytes: number; stored: number }>();
  readonly #seen = new Map<string, SeenRecord>();
  readonly #gone: readonly Stored<EventsRecord>[];
  readonly #at: number;
  readonly #put: { readonly key: string; readonly value: Json }[] = [];

  /** @param gone files that no record names any more */
  constructor(gone: readonly Stored<EventsRecord>[], at: number) {
    this.#gone = gone;
    this.#at = at;
  }

  /** A group gets a segment. */
  segment(key: string, group: string, segment: SegmentRecord): void {
    this.#put.push({ key, value: { ...segment } as unknown as Json });
    this.#count(group, segment, 1);
  }

  /** One that goes was a segment of this group. */
  lost(group: string, segment: EventsRecord): void {
    this.#count(group, segment, -1);
  }

  /** Another row, that only belongs to what goes. */
  add(rows: readonly { readonly key: string; readonly value: Json }[]): void {
    this.#put.push(...rows);
  }

  saw(group: string, streams: readonly FileStream[], rows: readonly Row[]): void {
    for (const { stream, timestamp, ingestionTime } of rows) {
      const key = logKeys.seen(group, streams[stream]!.id);
      this.#seen.set(key, joined(this.#seen.get(key), { first: timestamp, last: timestamp, ingested: ingestionTime }));
    }
  }

  /** @throws ConditionFailed when somebody else replaced a file; StaleEpoch, StoreUnavailable */
  async commit(
    records: RecordStore,
    partition: string,
    fence: Fence,
    announce: readonly EventDraft[] = [],
  ): Promise<void> {
    const usage = await records.getMany<UsageRecord>(partition, [...this.#usage.keys()].map(logKeys.usage));
    const seen = await records.getMany<SeenRecord>(partition, [...this.#seen.keys()]);
    for (const [group, { bytes, stored }] of this.#usage) {
      const key = logKeys.usage(group);
      const before = usage.get(key)?.value ?? { bytes: 0, stored: 0 };
      const value = { bytes: Math.max(0, before.bytes + bytes), stored: Math.max(0, before.stored + stored) };
      this.#put.push({ key, value });
    }
    for (const [key, value] of this.#seen) this.#put.push({ key, value: { ...joined(seen.get(key)?.value, value) } });
    await records.commit(partition, {
      // Retention, or a leader before this one, may have been here.
      require: this.#gone.map(({ key, version }) => ({ key, version })),
      put: [...this.#put, ...this.#gone.map(({ value }) => garbageRow(value, this.#at))],
      remove: this.#gone.map(({ key }) => key),
      announce,
      fence,
    });
  }

  #count(group: string, { raw, events, blob }: EventsRecord, sign: 1 | -1): void {
    const usage = this.#usage.get(group) ?? { bytes: 0, stored: 0 };
    usage.bytes += sign * (raw + eventOverhead * events);
    usage.stored += sign * blob.size;
    this.#usage.set(group, usage);
  }
}

/** The row that has a blob removed later. */
export function garbageRow(
  { blob }: Pick<EventsRecord, 'blob'>,
  at: number,
): { readonly key: string; readonly value: Json } {
  const { digest, generation } = blob;
  const garbage: GarbageRecord = { blob: { digest, generation }, at };
  return { key: logKeys.garbageOf(generation), value: { ...garbage } as unknown as Json };
}

function joined(one: SeenRecord | undefined, other: SeenRecord): SeenRecord {
  if (one === undefined) return other;
  return {
    first: Math.min(one.first, other.first),
    last: Math.max(one.last, other.last),
    ingested: Math.max(one.ingested, other.ingested),
  };
}
