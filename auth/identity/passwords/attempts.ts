import { createHash } from 'node:crypto';
import { transact } from '@slipway/storage/records';
import { LRUCache } from 'lru-cache';
import { growingTo } from '../../kit/index.ts';
import type { IdentityPorts } from '../accounts.ts';
import { attemptsPartitionOf, keys } from '../keys.ts';

/** Wrong passwords that a user may give in a row before waiting begins. */
const freely = 5;
/** The longest wait after one more. Milliseconds. */
const longest = 900_000;
/** Wrong passwords are forgotten after this long without another one. Milliseconds. */
const forgottenAfter = 86_400_000;
/** Attempts from one address, whoever they are for, and how long it takes until one more is free. */
const fromAddress = 30;
const addressRefill = 10_000;

interface Failures {
  readonly count: number;
  readonly last: number;
}

/** The wait after so many failures: none for the first five, then 2 s, 4 s, … to 15 minutes. */
const waitAfter = (count: number): number => (count < freely ? 0 : Math.min(longest, 2 ** (count - freely + 1) * 1000));

/**
 * Counts wrong passwords. Each attempt is counted before the password is looked at, so that many at the same time are as many attempts;
 * a right one clears the count. Those of users with a password are kept in the store, for all servers and past restarts; those for names
 * that nobody has are kept in memory and answered in the same way, so that names cannot be told apart and nothing is filled up by them.
 * Nobody is locked out for good: access keys are not concerned, and the wait ends by itself after fifteen minutes.
 */
export class Attempts {
  readonly #base: IdentityPorts;
  readonly #unknown = new LRUCache<string, Failures>(growingTo(20_000));
  readonly #addresses = new LRUCache<string, { readonly left: number; readonly at: number }>(growingTo(50_000));

  constructor(base: IdentityPorts) {
    this.#base = base;
  }

  /** Takes one attempt of an address. @returns milliseconds to wait, 0 to go on */
  fromAddress(address: string): number {
    const now = this.#base.clock.monotonic();
    const before = this.#addresses.get(address) ?? { left: fromAddress, at: now };
    const left = Math.min(fromAddress, before.left + (now - before.at) / addressRefill);
    if (left < 1) return Math.ceil((1 - left) * addressRefill);
    this.#addresses.set(address, { left: left - 1, at: now });
    return 0;
  }

  /** Counts an attempt as failed, unless the user has to wait. @returns milliseconds to wait, 0 to go on */
  begin(account: string, userId: string): Promise<number> {
    return transact(this.#base.records, attemptsPartitionOf(account), async (tx) => {
      const { wait, next } = this.#count(await tx.get<Failures>(keys.failures(userId)));
      if (wait === 0) tx.put(keys.failures(userId), { ...next });
      return wait;
    });
  }

  /** As {@link begin}, for a name that no user with a password has. */
  beginUnknown(account: string, name: string): number {
    const key = createHash('sha256').update(`${account}\0${name}`).digest('base64');
    const { wait, next } = this.#count(this.#unknown.get(key));
    if (wait === 0) this.#unknown.set(key, next);
    return wait;
  }

  /** The password was right, or is gone. */
  async succeeded(account: string, userId: string): Promise<void> {
    await this.#base.records.commit(attemptsPartitionOf(account), { remove: [keys.failures(userId)] });
  }

  #count(before: Failures | undefined): { readonly wait: number; readonly next: Failures } {
    const now = this.#base.clock.now();
    const count = before === undefined || now - before.last > forgottenAfter ? 0 : before.count;
    const wait = before === undefined ? 0 : Math.max(0, before.last + waitAfter(count) - now);
    return { wait, next: { count: count + 1, last: now } };
  }
}
