import type { Clock } from '@slipway/storage/clock';
import { project, type Projection, type RecordStore } from '@slipway/storage/records';

import type { Log } from '@slipway/auth/contract';
import { scan } from '../cluster/index.ts';
import { accountKeys, accountPartition } from '../state/index.ts';

import { listAccounts } from './accounts.ts';

/** Milliseconds between looks for accounts that this server has not heard of. */
const accountInterval = 10_000;

/** Milliseconds before an account's feed is tried again after the store failed. */
const retryAfter = 500;

/** Reports the clusters of every account, those that exist and those that appear, and those that are deleted. */
export class ClusterWatcher {
  readonly #records: RecordStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #report: (account: string, name: string, exists: boolean) => void;
  readonly #accounts = new Set<string>();
  readonly #ready = Promise.withResolvers<void>();

  constructor(
    records: RecordStore,
    clock: Clock,
    log: Log,
    report: (account: string, name: string, exists: boolean) => void,
  ) {
    this.#records = records;
    this.#clock = clock;
    this.#log = log;
    this.#report = report;
  }

  /** Resolves when the clusters of the accounts given at the start have been reported once. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Watches until the signal aborts. */
  async run(accounts: readonly string[], signal: AbortSignal): Promise<void> {
    const following: Promise<void>[] = [];
    const add = (account: string): Promise<void> => {
      if (this.#accounts.has(account)) return Promise.resolve();
      this.#accounts.add(account);
      const listed = Promise.withResolvers<void>();
      following.push(this.#follow(account, signal, listed.resolve));
      return listed.promise;
    };
    void Promise.all(accounts.map(add)).then(() => this.#ready.resolve());
    while (!signal.aborted) {
      try {
        for (const account of await listAccounts(this.#records)) void add(account);
      } catch (error) {
        if (!signal.aborted) this.#log.warn({ err: error }, 'cannot look for accounts; trying again');
      }
      await this.#clock.sleep(accountInterval, signal).catch(() => {});
    }
    await Promise.all(following);
  }

  async #follow(account: string, signal: AbortSignal, listed: () => void): Promise<void> {
    const partition = accountPartition(account);
    const report = (key: string, exists: boolean): void =>
      this.#report(account, key.slice(accountKeys.clusters.length), exists);
    const projection: Projection = {
      load: async () => {
        for await (const { key } of scan(this.#records, partition, accountKeys.clusters)) report(key, true);
        listed();
      },
      apply: (changes) => {
        for (const { key, kind } of changes) if (key.startsWith(accountKeys.clusters)) report(key, kind === 'put');
      },
      interrupted: (err) => this.#log.warn({ account, err }, 'cannot follow the account; trying again'),
      retryAfter,
    };
    await project(this.#records, partition, projection, { clock: this.#clock, signal });
    listed();
  }
}
