import { type ListOptions, scan, scanAll, type Stored, type Transaction } from '@slipway/storage/records';
import type { Operations } from '../../contract/index.ts';
import type { Accounts } from '../accounts.ts';
import type { PolicyAuthorizer } from '../authorizer.ts';
import type { PrincipalBinding } from '../bind-principals.ts';
import type { Pages } from '../../kit/index.ts';
import { type Key, partitionOf } from '../keys.ts';
import type { LastUses } from '../last-uses.ts';
import type { Attempts } from '../passwords/index.ts';

/** The SDK client module whose operations are served. */
export type IamModule = typeof import('@aws-sdk/client-iam');
export type IamOperations = Operations<IamModule>;

/** What the IAM operations work with. Administration reads the store itself, so that what was just written is seen on every server. */
export class Iam {
  readonly accounts: Accounts;
  readonly authorizer: PolicyAuthorizer;
  readonly binding: PrincipalBinding;
  readonly pages: Pages;
  readonly uses: LastUses;
  readonly attempts: Attempts;
  /** See `Identity.guardServerCertificates`. */
  releaseServerCertificate: (account: string, arn: string) => Promise<readonly string[]> = () => Promise.resolve([]);

  constructor(
    accounts: Accounts,
    authorizer: PolicyAuthorizer,
    binding: PrincipalBinding,
    pages: Pages,
    uses: LastUses,
    attempts: Attempts,
  ) {
    this.accounts = accounts;
    this.authorizer = authorizer;
    this.binding = binding;
    this.pages = pages;
    this.uses = uses;
    this.attempts = attempts;
  }

  async find<T>(account: string, key: Key<T>): Promise<T | undefined> {
    return (await this.accounts.ports.records.get<T>(partitionOf(account), key))?.value;
  }

  /** The records under a prefix, in order. */
  scan<T>(account: string, options: ListOptions & { readonly prefix: Key<T> }): AsyncIterable<Stored<T>> {
    return scan<T>(this.accounts.ports.records, partitionOf(account), options);
  }

  /** All values under a prefix. For relations of one entity, which quotas keep few. */
  all<T>(account: string, prefix: Key<T>): Promise<{ key: string; value: T }[]> {
    return scanAll<T>(this.accounts.ports.records, partitionOf(account), { prefix });
  }

  transact<T>(account: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.accounts.transact(account, work);
  }

  now(): number {
    return this.accounts.ports.clock.now();
  }
}
