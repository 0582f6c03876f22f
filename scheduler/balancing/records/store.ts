import type { Clock } from '@slipway/storage/clock';
import { type Fence, type RecordStore, scanAll, transact } from '@slipway/storage/records';

import type { RandomBytes } from '../../state/index.ts';

import { Balancing, type Versioned } from './balancing.ts';
import { Draft } from './draft.ts';
import { balancingKeys, balancingPartition } from './keys.ts';
import type { BalancingType, EngineRecord, KeyPairRecord } from './records.ts';

/** What load balancing is kept with. */
export interface BalancersOptions {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** A change that stands, and the records with it. */
export interface Changed<T> {
  readonly result: T;
  readonly balancing: Balancing;
}

/** How many records a change writes at the most where there may be any number; others follow. A commit takes 10,000. */
export const mostInChange = 5_000;
/** How often a change is tried again when other servers change the same account's load balancing. */
const attempts = 100;
/** A page of a scan; the records are small. */
const limit = 10_000;

/**
 * The load balancing of all accounts. An account's records are read whole and kept while nobody changes them; reading them again costs
 * one look at `revision`. Changes of one account go one after another.
 */
export class Balancers {
  readonly #options: BalancersOptions;
  readonly #known = new Map<string, Balancing>();
  /** The end of each account's queue of changes on this server: they would only make each other try again. */
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(options: BalancersOptions) {
    this.#options = options;
  }

  /** The records of an account, everything committed before the call included. */
  async read(account: string): Promise<Balancing> {
    const { records } = this.#options;
    const partition = balancingPartition(account);
    for (;;) {
      const generation = (await records.get(partition, balancingKeys.revision))?.version ?? 0;
      const known = this.#known.get(account);
      if (known?.generation === generation) return known;
      const tables = new Map<BalancingType, Map<string, Versioned<unknown>>>();
      for (const { key, value, version } of await scanAll(records, partition, { prefix: balancingKeys.nouns, limit })) {
        const [, type, id] = key.split('/') as ['noun', BalancingType, string];
        tables.getOrInsertComputed(type, () => new Map()).set(id, { value, version });
      }
      const after = await records.get(partition, balancingKeys.revision);
      if ((after?.version ?? 0) !== generation) continue;
      const loaded = new Balancing(account, generation, tables);
      this.#known.set(account, loaded);
      return loaded;
    }
  }

  /**
   * Changes the records of an account in one commit.
   * @param work reads and writes through the draft alone: it runs again when another server was faster. What it throws ends the change
   * @param fence of whoever does it as the leader of something
   */
  async change<T>(account: string, work: (draft: Draft) => T | Promise<T>, fence?: Fence): Promise<Changed<T>> {
    const before = this.#queues.get(account) ?? Promise.resolve();
    const turn = before.then(() => this.#change(account, work, fence));
    const end = turn.catch(() => undefined);
    this.#queues.set(account, end);
    try {
      return await turn;
    } finally {
      if (this.#queues.get(account) === end) this.#queues.delete(account);
    }
  }

  /** Gives what engines are told another generation, where something else than the records changed of it. */
  async touch(account: string, fence: Fence): Promise<void> {
    const put = [{ key: balancingKeys.revision, value: {} }];
    await this.#options.records.commit(balancingPartition(account), { put, fence });
  }

  /** The key pair of a certificate, its key sealed; undefined when it is gone. */
  async keyPair(account: string, id: string): Promise<KeyPairRecord | undefined> {
    const stored = await this.#options.records.get(balancingPartition(account), balancingKeys.keyPair(id));
    return stored?.value as unknown as KeyPairRecord | undefined;
  }

  /** What every engine has said of itself, also those that have not been heard of for long. */
  async engines(account: string): Promise<readonly EngineRecord[]> {
    const options = { prefix: balancingKeys.engines, limit };
    const rows = await scanAll<EngineRecord>(this.#options.records, balancingPartition(account), options);
    return rows.map(({ value }) => value);
  }

  async #change<T>(account: string, work: (draft: Draft) => T | Promise<T>, fence?: Fence): Promise<Changed<T>> {
    const { clock, random, records } = this.#options;
    const newId = (): string => Buffer.from(random(8)).toString('hex');
    let draft: Draft | undefined;
    let balancing = await this.read(account);
    const result = await transact(
      records,
      balancingPartition(account),
      async (tx) => {
        balancing = await this.read(account);
        draft = new Draft(balancing, tx, clock.now(), newId);
        const made = await work(draft);
        if (draft.changed) {
          const { generation } = balancing;
          const { revision } = balancingKeys;
          tx.require(generation === 0 ? { key: revision, exists: false } : { key: revision, version: generation });
          tx.put(revision, {});
        }
        return made;
      },
      {
        attempts,
        ...(fence === undefined ? {} : { fence }),
        committed: (version) => {
          balancing = (draft as Draft).after(version);
          this.#known.set(account, balancing);
        },
      },
    );
    return { result, balancing };
  }
}
