import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

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
    while (!signal.aborted) {
      try {
        let after = await this.#list(account, partition);
        listed();
        for await (const changes of this.#records.follow(partition, { after, signal })) {
          for (const change of changes) {
            if (change.kind === 'reset') after = await this.#list(account, partition);
            else if (change.key.startsWith(accountKeys.clusters)) {
              this.#report(account, change.key.slice(accountKeys.clusters.length), change.kind === 'put');
            }
          }
        }
      } catch (error) {
        if (signal.aborted) break;
        this.#log.warn({ account, err: error }, 'cannot follow the account; trying again');
        await this.#clock.sleep(retryAfter, signal).catch(() => {});
      }
    }
    listed();
  }

  async #list(account: string, partition: string): Promise<number> {
    const version = await this.#records.version(partition);
    for await (const { key } of scan(this.#records, partition, accountKeys.clusters))
      this.#report(account, key.slice(accountKeys.clusters.length), true);
    return version;
  }
}
