import type { Clock } from './index.ts';

/** Tells a sleep that nobody waits for it any more; nobody ever sees it. One for all: an error of its own for each would cost more than the wait. */
const calledOff = new Error('nobody waits any more');

/**
 * Waits until something happens, at most so many milliseconds (`Infinity`: as long as it takes), and no longer than until the signal aborts. It never
 * rejects: whoever waits looks at what is so then.
 * @param listen is given what to call when it happens, and may return what forgets that again: what is listened to for long must not keep everybody
 * who once waited
 */
export function waitAtMost(
  ms: number,
  listen: (wake: () => void) => (() => void) | void,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  const sleep = new AbortController();
  const wake = (): void => sleep.abort(calledOff);
  const forget = listen(wake);
  signal?.addEventListener('abort', wake, { once: true });
  const over = (): void => {
    forget?.();
    signal?.removeEventListener('abort', wake);
  };
  return (ms === Infinity ? aborted(sleep.signal) : clock.sleep(ms, sleep.signal)).then(over, over);
}

/** What {@link waitAtMost} listens to where a promise settles; for one that is not waited for again and again, as it cannot forget. */
export const settling =
  (promise: Promise<unknown>) =>
  (wake: () => void): void => {
    promise.then(wake, wake);
  };

/** Resolves when the signal aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
