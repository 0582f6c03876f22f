import type { Clock } from '@slipway/storage/clock';
import { type RecordStore, StoreUnavailable, transact, type Transaction } from '@slipway/storage/records';
import { keys, partitionOf } from './keys.ts';
import type { RandomBytes } from './ids.ts';
import { Mirror } from './mirror.ts';
import type { Seal } from './seal.ts';

/** What everything in this room works with. */
export interface IdentityPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly seal: Seal;
  readonly region: string;
}

/** The accounts' records: read from memory for decisions, from the store for administration, written by transactions. */
export class Accounts {
  readonly ports: IdentityPorts;
  readonly #mirrors = new Map<string, Mirror>();
  #closed = false;

  constructor(ports: IdentityPorts) {
    this.ports = ports;
  }

  /**
   * The account's mirror, current to within five seconds. Undefined when there is no such account: anybody can invent the access keys of
   * a million million accounts, and none of them may cost more than a look.
   * @throws StoreUnavailable
   */
  mirror(account: string): Mirror | Promise<Mirror | undefined> | undefined {
    if (this.#closed) throw new StoreUnavailable('the identity store is closed', 'not-committed');
    const known = this.#mirrors.get(account);
    if (known === undefined) return /^\d{12}$/.test(account) ? this.#open(account) : undefined;
    const wait = known.ready();
    return wait === undefined ? known : wait.then(() => known);
  }

  async #open(account: string): Promise<Mirror | undefined> {
    const partition = partitionOf(account);
    if ((await this.ports.records.get(partition, keys.account)) === undefined) return undefined;
    let mirror = this.#mirrors.get(account);
    if (mirror === undefined) {
      if (this.#closed) throw new StoreUnavailable('the identity store is closed', 'not-committed');
      mirror = new Mirror(this.ports.records, this.ports.clock, partition);
      this.#mirrors.set(account, mirror);
    }
    await mirror.ready();
    return mirror;
  }

  /** Changes the account; when it resolves, this process decides by the new state. */
  async transact<T>(account: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const result = await transact(this.ports.records, partitionOf(account), work);
    await this.#mirrors.get(account)?.verify();
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#mirrors.values()].map((mirror) => mirror.close()));
  }
}
