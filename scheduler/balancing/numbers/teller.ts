import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

import { everyMinute, type MetricStore, putSamples } from '../../signals/metrics/index.ts';
import type { Balancers } from '../records/index.ts';

import type { TrafficNumbers } from './numbers.ts';
import { sumsOf, trafficSamples, type TrafficSums } from './samples.ts';

export interface TrafficTellerOptions {
  readonly account: string;
  readonly balancers: Pick<Balancers, 'read'>;
  readonly numbers: Pick<TrafficNumbers, 'groups' | 'balancers' | 'loaded'>;
  readonly metrics: Pick<MetricStore, 'put'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Tells the metric store once a minute what an account's load balancers did. One server does that for all, as it knows what every
 * engine has counted. What was counted before it began is left out, so that nothing is told twice.
 */
export class TrafficTeller {
  readonly #options: TrafficTellerOptions;

  constructor(options: TrafficTellerOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, account, numbers } = this.#options;
    const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([numbers.loaded, ended]);
    let before = sumsOf(numbers);
    await everyMinute(clock, signal, async (at) => {
      const after = sumsOf(numbers);
      await this.#tell(before, after, at, signal).catch((err: unknown) =>
        log.warn({ account, err }, 'cannot tell what load balancers did in a minute'),
      );
      before = after;
    });
  }

  async #tell(before: TrafficSums, after: TrafficSums, at: number, signal: AbortSignal): Promise<void> {
    const { account, balancers } = this.#options;
    const samples = trafficSamples(await balancers.read(account), before, after, at);
    await putSamples(this.#options, account, samples, signal);
  }
}
