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
  readonly #buckets = new LRUCache<string, Bucket>({ max: 10_000 });

  constructor(rate: Rate, clock: Pick<Clock, 'monotonic'>) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Takes one token. Returns 0 when there was one, otherwise the whole seconds until there will be. */
  take(key: string): number {
    const now = this.#clock.monotonic();
    const { perSecond, burst } = this.#rate;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, (bucket = { tokens: burst, at: now }));
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond));
    bucket.tokens -= 1;
    return 0;
  }
}
