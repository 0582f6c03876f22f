import type { Clock } from '@slipway/storage/clock';

/** As amazon-ecs-agent limits its task metadata endpoint by default; here each address has its own share. */
const perSecond = 40;
const burst = 60;
/** Addresses remembered at most; a host has far fewer containers. */
const mostAddresses = 4096;

/** A token bucket for each address. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more request of this address may be answered now. */
  allows(address: string): boolean {
    const now = this.#clock.monotonic();
    const before = this.#buckets.get(address) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, before.tokens + ((now - before.at) / 1000) * perSecond);
    this.#buckets.delete(address);
    this.#buckets.set(address, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    const oldest = this.#buckets.keys().next().value;
    if (this.#buckets.size > mostAddresses && oldest !== undefined) this.#buckets.delete(oldest);
    return tokens >= 1;
  }
}
