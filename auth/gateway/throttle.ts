import type { Rates } from '../rates/index.ts';
import type { Exchange } from './exchange.ts';
import { GatewayError } from '../contract/index.ts';

/** The rate limits of the front door. */
export class Throttle {
  readonly #rates: Rates;

  constructor(rates: Rates) {
    this.#rates = rates;
  }

  /**
   * Counts a request once its caller is known. Only where another process has to be asked is there something to wait for.
   * @throws GatewayError `throttled` with the seconds to wait
   */
  admit(exchange: Exchange): void | Promise<void> {
    const { principal, sourceIp } = exchange;
    // The caller's own limit first, so that one who is over it does not use up everybody's.
    const own = this.#rates.take('principal', principal.id === '' ? sourceIp : principal.id);
    const wait = typeof own === 'number' ? own || this.#rates.take('global', 'everybody') : this.#both(own);
    if (typeof wait === 'number') return refuse(wait, 'Rate exceeded');
    return wait.then((seconds) => refuse(seconds, 'Rate exceeded'));
  }

  async #both(own: Promise<number>): Promise<number> {
    return (await own) || this.#rates.take('global', 'everybody');
  }

  /**
   * Counts a failed authentication, by address and claimed name: right credentials keep working, from there and elsewhere.
   * @throws GatewayError `throttled` instead of the failure, once there were too many
   */
  async failed(exchange: Exchange, claimed: string): Promise<void> {
    const wait = await this.#rates.take('failures', `${exchange.sourceIp} ${claimed.slice(0, 128)}`);
    refuse(wait, 'Too many failed attempts to authenticate');
  }
}

function refuse(seconds: number, message: string): void {
  if (seconds > 0) throw new GatewayError('throttled', message, seconds);
}
