import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

import { MetricsThrottled, type MetricStore, type Sample, TooManySeries } from './store/index.ts';

/** Samples in one call of the store. */
const together = 500;
/** Times that a part is tried while the store has no room for it. */
const attempts = 5;

interface Told {
  readonly metrics: Pick<MetricStore, 'put'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Tells samples to the store, in parts: an account that may have no more series loses those that would be new, and no others. A part that
 * the store has no room for is tried again; one whose fate is unknown is not, as nothing is to count twice.
 */
export async function putSamples(
  ports: Told,
  account: string,
  samples: readonly Sample[],
  signal: AbortSignal,
): Promise<void> {
  let refused = 0;
  for (let from = 0; from < samples.length; from += together)
    refused += await putPart(ports, account, samples.slice(from, from + together), signal);
  if (refused > 0)
    ports.log.warn({ account, samples: refused }, 'numbers of a minute are lost: the account has too many series');
}

/** @returns how many samples were refused, as the account may have no more series */
async function putPart(ports: Told, account: string, part: readonly Sample[], signal: AbortSignal): Promise<number> {
  const { metrics, clock, log } = ports;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await metrics.put(account, part);
      return 0;
    } catch (err) {
      if (err instanceof TooManySeries) {
        if (part.length === 1) return 1;
        // Nothing was taken: what is known is not to be lost with what is new.
        const middle = Math.ceil(part.length / 2);
        const halves = [part.slice(0, middle), part.slice(middle)];
        const refused = await Promise.all(halves.map((half) => putPart(ports, account, half, signal)));
        return refused.reduce((sum, one) => sum + one, 0);
      }
      if (err instanceof MetricsThrottled && attempt < attempts && !signal.aborted) {
        await clock.sleep(err.retryAfter, signal).catch(() => undefined);
        continue;
      }
      log.warn({ account, samples: part.length, err }, 'numbers of a minute are lost: the store did not take it');
      return 0;
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
