import type { Clock } from '@slipway/storage/clock';
import type { Exchange } from './exchange.ts';
import type { Limits } from './options.ts';
import { RateLimiter } from './rate.ts';
import { GatewayError } from './service.ts';

/** The rate limits of the front door. */
export class Throttle {
  readonly #everybody: RateLimiter | undefined;
  readonly #principal: RateLimiter | undefined;
  readonly #failures: RateLimiter;

  constructor(limits: Limits, clock: Pick<Clock, 'monotonic'>) {
    this.#everybody = limits.global && new RateLimiter(limits.global, clock);
    this.#principal = limits.perPrincipal && new RateLimiter(limits.perPrincipal, clock);
    this.#failures = new RateLimiter(limits.failures, clock);
  }

  /**
   * Counts a request once its caller is known.
   * @throws GatewayError `throttled` with the seconds to wait
   */
  admit(exchange: Exchange): void {
    const { principal, sourceIp } = exchange;
    // The caller's own limit first, so that one who is over it does not use up everybody's.
    const wait =
      this.#principal?.take(principal.id === '' ? sourceIp : principal.id) || this.#everybody?.take('everybody') || 0;
    if (wait > 0) throw new GatewayError('throttled', 'Rate exceeded', wait);
  }

  /**
   * Counts a failed authentication, by address and claimed name: right credentials keep working, from there and elsewhere.
   * @throws GatewayError `throttled` instead of the failure, once there were too many
   */
  failed(exchange: Exchange, claimed: string): void {
    const wait = this.#failures.take(`${exchange.sourceIp} ${claimed.slice(0, 128)}`);
    if (wait > 0) throw new GatewayError('throttled', 'Too many failed attempts to authenticate', wait);
  }
}
