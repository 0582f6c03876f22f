import { LRUCache } from 'lru-cache';
import type { Clock } from '@slipway/storage/clock';

/** A token bucket: `burst` at once, `perSecond` in the long run. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Token buckets by key; only the most recently used 10,000 keys are remembered, a forgotten one starts full. */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Made when somebody takes the first token: it holds places for all its keys from its beginning, and most limits are never used. */
  #buckets: LRUCache<string, Bucket> | undefined;

  constructor(rate: Rate, clock: Pick<Clock, 'monotonic'>) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** The most that one process may keep in hand for others: a quarter of a second's worth, or of the burst. */
  get leaseSize(): number {
    const { perSecond, burst } = this.#rate;
    return Math.max(1, Math.floor(Math.min(perSecond, burst) / 4));
  }

  /** Takes one token. Returns 0 when there was one, otherwise the whole seconds until there will be. */
  take(key: string): number {
    return this.lease(key, 1).wait;
  }

  /**
   * Takes an amount at once; what is larger than the burst goes when the bucket is full, and is paid for later.
   * @returns 0 when it was taken, otherwise the whole milliseconds until it may be
   */
  spend(key: string, amount: number): number {
    const bucket = this.#bucket(key);
    const missing = Math.min(amount, this.#rate.burst) - bucket.tokens;
    if (missing > 0) return Math.ceil((missing / this.#rate.perSecond) * 1000);
    bucket.tokens -= amount;
    return 0;
  }

  /** Takes as many whole tokens as there are, at most `most`; when there is none, `wait` is the whole seconds until there will be. */
  lease(key: string, most: number): Lease {
    const bucket = this.#bucket(key);
    const granted = Math.max(0, Math.min(most, Math.floor(bucket.tokens)));
    bucket.tokens -= granted;
    return granted > 0
      ? { granted, wait: 0 }
      : { granted, wait: Math.max(1, Math.ceil((1 - bucket.tokens) / this.#rate.perSecond)) };
  }

  /** Puts tokens back that were taken and not used; negative: takes what was used elsewhere, so that it is paid for later. */
  give(key: string, count: number): void {
    const bucket = this.#bucket(key);
    const { burst } = this.#rate;
    bucket.tokens = Math.max(-10 * burst, Math.min(burst, bucket.tokens + count));
  }

  #bucket(key: string): Bucket {
    const now = this.#clock.monotonic();
    const { perSecond, burst } = this.#rate;
    const buckets = (this.#buckets ??= new LRUCache<string, Bucket>({ max: 10_000 }));
    let bucket = buckets.get(key);
    if (bucket === undefined) buckets.set(key, (bucket = { tokens: burst, at: now }));
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    return bucket;
  }
}

/** Tokens that were handed out. */
export interface Lease {
  readonly granted: number;
  /** Whole seconds until there will be a token; 0 when some were granted. */
  readonly wait: number;
}
