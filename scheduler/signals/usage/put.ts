import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

import { MetricsThrottled, type MetricStore, type Sample, TooManySeries } from '../metrics/index.ts';

/** Samples in one call of the store. */
const together = 500;
/** Times that a part is tried while the store has no room for it. */
const attempts = 5;

/**
 * Tells samples to the store, in parts: an account that may have no more series loses those parts alone. A part that the store has no
 * room for is tried again; one whose fate is unknown is not, as nothing is to count twice.
 */
export async function putSamples(
  { metrics, clock, log }: { readonly metrics: Pick<MetricStore, 'put'>; readonly clock: Clock; readonly log: Log },
  account: string,
  samples: readonly Sample[],
  signal: AbortSignal,
): Promise<void> {
  for (let from = 0; from < samples.length; from += together) {
    const part = samples.slice(from, from + together);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await metrics.put(account, part);
        break;
      } catch (err) {
        if (err instanceof MetricsThrottled && attempt < attempts && !signal.aborted) {
          await clock.sleep(err.retryAfter, signal).catch(() => undefined);
          continue;
        }
        const why = err instanceof TooManySeries ? 'the account has too many series' : 'the store did not take it';
        log.warn({ account, samples: part.length, err }, `numbers of a minute are lost: ${why}`);
        break;
      }
    }
  }
}
