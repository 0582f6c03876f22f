import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

import { MetricsThrottled, type MetricStore, type Sample, TooManySeries } from './store/index.ts';

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

const minute = 60_000;

/**
 * Calls back when a minute is over, with the time that it began (milliseconds since the epoch), until the signal aborts. When the
 * clock is set back, the next minute of the new time is the next one. What `over` throws ends the loop.
 */
export async function everyMinute(
  clock: Clock,
  signal: AbortSignal,
  over: (at: number) => Promise<void>,
): Promise<void> {
  let current = Math.floor(clock.now() / minute);
  while (!signal.aborted) {
    await clock.sleep(Math.max(0, (current + 1) * minute - clock.now()), signal).catch(() => undefined);
    if (signal.aborted) return;
    const now = Math.floor(clock.now() / minute);
    // Timers are early at times.
    const isOver = now > current;
    current = now;
    if (isOver) await over((now - 1) * minute);
  }
}
