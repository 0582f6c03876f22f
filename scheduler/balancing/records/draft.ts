import type { Json, Transaction } from '@slipway/storage/records';

import { Balancing, type Table, type Versioned } from './balancing.ts';
import { balancingKeys } from './keys.ts';
import type { BalancingRecords, BalancingType, KeyPairRecord } from './records.ts';

/** What a change works on: the records as they are, and what it writes. All of it becomes one commit, or nothing. */
export class Draft extends Balancing {
  readonly now: number;
  /** Makes an id that nobody has. */
  readonly newId: () => string;
  readonly #tx: Transaction;
  readonly #written = new Map<BalancingType, Map<string, Versioned<unknown>>>();

  constructor(of: Balancing, tx: Transaction, now: number, newId: () => string) {
    super(of.account, of.generation, of.tables);
    this.#tx = tx;
    this.now = now;
    this.newId = newId;
  }

  put<T extends BalancingType>(type: T, record: BalancingRecords[T]): void {
    // The version is the commit's, which is not known yet.
    this.#table(type).set(record.id, { value: record, version: Number.POSITIVE_INFINITY });
    this.#tx.put(balancingKeys.noun(type, record.id), record as unknown as Json);
  }

  remove(type: BalancingType, id: string): void {
    this.#table(type).delete(id);
    this.#tx.remove(balancingKeys.noun(type, id));
  }

  /** Writes the key pair of a certificate, whose record is written with it. */
  putKeyPair(id: string, pair: KeyPairRecord): void {
    this.#tx.put(balancingKeys.keyPair(id), pair as unknown as Json);
  }

  removeKeyPair(id: string): void {
    this.#tx.remove(balancingKeys.keyPair(id));
  }

  get changed(): boolean {
    return this.#written.size > 0;
  }

  /** The records with what was written; to be asked for when the commit stands. */
  after(version: number): Balancing {
    const tables = new Map<BalancingType, Table>(this.tables);
    // In the order in which a server reads them that did not write them: lists are the same from all.
    for (const [type, table] of this.#written) {
      const rows = [...table].map(([id, row]) => [id, row.version === Infinity ? { ...row, version } : row] as const);
      tables.set(type, new Map(rows.sort(([a], [b]) => (a < b ? -1 : 1))));
    }
    return new Balancing(this.account, version, tables);
  }

  #table(type: BalancingType): Map<string, Versioned<unknown>> {
    this.forget(type);
    let table = this.#written.get(type);
    if (table === undefined) {
      table = new Map(this.tables.get(type));
      this.#written.set(type, table);
      this.tables.set(type, table);
    }
    return table;
  }
}
