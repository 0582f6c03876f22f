import { type RecordChange, type RecordStore, scan } from '@slipway/storage/records';

import { logKeys, logsPartition } from '../store/keys.ts';
import type { ChunkRecord, EventsRecord } from '../store/records.ts';

import type { DeliveryRecord, OwedRecord, SubscriptionRecord } from './records.ts';

/** A filter, and how far it is. */
export interface Standing {
  /** The group's id. */
  readonly group: string;
  readonly name: string;
  readonly filter: SubscriptionRecord;
  readonly delivery: DeliveryRecord;
}

/** What one attempt tells: what is owed longest, else chunks. */
export interface Work {
  readonly files: readonly EventsRecord[];
  /** Of the row that is done with then. */
  readonly owed?: string | undefined;
  /** The keys of the chunks. */
  readonly chunks: readonly string[];
  /** The version that all is told up to then. */
  readonly version: number;
}

/** Chunks, and bytes of messages in them, of one attempt. */
const mostChunks = 64;
const mostBytes = 4 * 1024 * 1024;

const kept = [logKeys.subscriptions, logKeys.deliveries, logKeys.owed, logKeys.chunks];

/** The rows of an account that deliveries are worked out from, in memory, as they change. */
export class Standings {
  readonly #rows = new Map<string, { readonly value: unknown; readonly version: number }>();
  readonly #filters = new Map<string, SubscriptionRecord>();
  readonly #chunks = new Map<string, { readonly value: ChunkRecord; readonly version: number }>();
  /** By filter, oldest first. */
  readonly #owed = new Map<string, Map<string, OwedRecord>>();

  async load(records: RecordStore, account: string): Promise<void> {
    const found: RecordChange[] = [];
    for (const prefix of kept)
      for await (const { key, value, version } of scan(records, logsPartition(account), { prefix }))
        found.push({ kind: 'put', key, value, version });
    for (const all of [this.#rows, this.#filters, this.#chunks, this.#owed]) all.clear();
    for (const change of found) this.take(change);
  }

  take(change: RecordChange): void {
    const { key, version } = change;
    const value: unknown = change.kind === 'put' ? change.value : undefined;
    if (key.startsWith(logKeys.subscriptions)) put(this.#filters, key, value as SubscriptionRecord | undefined);
    else if (key.startsWith(logKeys.owed)) this.#owes(key, value as OwedRecord | undefined);
    else if (key.startsWith(logKeys.chunks)) put(this.#chunks, key, value && { value: value as ChunkRecord, version });
    // Our own commits are known before they are reported.
    else if (key.startsWith(logKeys.deliveries) && version >= (this.#rows.get(key)?.version ?? 0))
      put(this.#rows, key, value && { value, version });
  }

  /** How all filters stand. */
  *all(): Generator<Standing, void> {
    for (const [key, filter] of this.#filters) {
      const [group = ''] = key.slice(logKeys.subscriptions.length).split('/', 1);
      const delivery = this.#rows.get(logKeys.delivery(filter.id))?.value as DeliveryRecord | undefined;
      const name = key.slice(logKeys.subscriptionsOf(group).length);
      if (delivery !== undefined) yield { group, name, filter, delivery };
    }
  }

  /** What a filter is to be told next; undefined when there is nothing. */
  workOf({ group, filter, delivery }: Standing): Work | undefined {
    const [owed] = this.#owed.get(filter.id) ?? [];
    if (owed !== undefined) return { files: [owed[1]], owed: owed[0], chunks: [], version: delivery.version };
    const waiting = [...this.#chunks]
      .filter(([, { value, version }]) => version > delivery.version && group in value.groups)
      .sort(([, one], [, other]) => one.version - other.version);
    let bytes = 0;
    const taken = waiting.filter(
      ([, { value }], at) => at < mostChunks && ((bytes += value.raw) <= mostBytes || at === 0),
    );
    const last = taken.at(-1);
    if (last === undefined) return undefined;
    const files = taken.map(([, { value }]) => value);
    return { files, chunks: taken.map(([key]) => key), version: last[1].version };
  }

  /** Whether what an attempt began with is still to be told, and nothing before it. */
  isCurrent({ owed, chunks }: Work): boolean {
    return owed === undefined
      ? chunks.every((key) => this.#chunks.has(key))
      : this.#owed.get(filterOf(owed))?.has(owed) === true;
  }

  /** What is owed, of all filters, oldest first; with the filter, unless that is gone. */
  owed(): { readonly key: string; readonly record: OwedRecord; readonly standing: Standing | undefined }[] {
    const standings = new Map([...this.all()].map((standing) => [standing.filter.id, standing]));
    return [...this.#owed]
      .flatMap(([id, rows]) => [...rows].map(([key, record]) => ({ key, record, standing: standings.get(id) })))
      .sort((one, other) => one.record.at - other.record.at);
  }

  #owes(key: string, value: OwedRecord | undefined): void {
    const id = filterOf(key);
    const rows = this.#owed.get(id) ?? new Map<string, OwedRecord>();
    put(rows, key, value);
    if (rows.size === 0) this.#owed.delete(id);
    else this.#owed.set(id, rows);
  }
}

const filterOf = (owed: string): string => owed.split('/', 2)[1] ?? '';

function put<T>(rows: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) rows.delete(key);
  else rows.set(key, value);
}
