import { LRUCache } from 'lru-cache';
import type { Clock } from '@slipway/storage/clock';
import { type Lease, type Rate, RateLimiter } from './rate.ts';

/** What is limited: requests of one caller, of everybody together, failed authentications from one address for one name. */
export type LimitName = 'principal' | 'global' | 'failures';

/** Rates by what they limit; what has none is not limited. */
export type RateTable = Readonly<Partial<Record<LimitName, Rate | undefined>>>;

/** Counts requests against rates. */
export interface Rates {
  /**
   * Takes one token of a key's.
   * @returns 0 when there was one, otherwise the whole seconds until there will be; a promise when another process must be asked
   */
  take(limit: LimitName, key: string): number | Promise<number>;
}

/** The buckets of one process, and of those that take their tokens from it. */
export class LocalRates implements Rates {
  readonly #limiters: ReadonlyMap<LimitName, RateLimiter>;
  /** All that was ever taken, by `<limit> <key>`. */
  readonly #used = new LRUCache<string, number>({ max: 10_000 });

  constructor(table: RateTable, clock: Pick<Clock, 'monotonic'>) {
    const limits = Object.entries(table) as [LimitName, Rate | undefined][];
    this.#limiters = new Map(
      limits.flatMap(([name, rate]) => (rate === undefined ? [] : [[name, new RateLimiter(rate, clock)] as const])),
    );
  }

  take(limit: LimitName, key: string): number {
    return this.lease(limit, key, 1).wait;
  }

  /** Hands tokens to another process of this machine: at most `most`, and never more than it may keep in hand. */
  lease(limit: LimitName, key: string, most: number): Lease {
    const limiter = this.#limiters.get(limit);
    if (limiter === undefined) return { granted: most, wait: 0 };
    const lease = limiter.lease(key, Math.min(most, limiter.leaseSize));
    this.#count(limit, key, lease.granted);
    return lease;
  }

  /** Takes tokens back that a process did not use; negative: counts what it used beyond them. */
  giveBack(limit: LimitName, key: string, count: number): void {
    this.#limiters.get(limit)?.give(key, count);
    this.#count(limit, key, -count);
  }

  /** Another server's callers used tokens of the same key. */
  usedElsewhere(limit: LimitName, key: string, count: number): void {
    this.#limiters.get(limit)?.give(key, -count);
  }

  /** What was taken here since the start, by `<limit> <key>`, the keys used last first. */
  used(): Iterable<readonly [string, number]> {
    return this.#used.entries();
  }

  /** Whether anything is limited. */
  get limits(): boolean {
    return this.#limiters.size > 0;
  }

  #count(limit: LimitName, key: string, count: number): void {
    if (count === 0) return;
    const name = `${limit} ${key}`;
    this.#used.set(name, (this.#used.get(name) ?? 0) + count);
  }
}
