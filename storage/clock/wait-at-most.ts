import type { Clock, Nap } from './index.ts';

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
  let nap: Nap | undefined;
  let woken = false;
  const wake = (): void => {
    woken = true;
    nap?.wake();
  };
  const forget = listen(wake);
  signal?.addEventListener('abort', wake, { once: true });
  const over = (): void => {
    forget?.();
    signal?.removeEventListener('abort', wake);
  };
  if (woken) return Promise.resolve().then(over);
  nap = ms === Infinity ? endless() : (clock.nap?.(ms) ?? nappingBy(clock, ms));
  return nap.over.then(over, over);
}

/** A nap of a clock that only sleeps. */
function nappingBy(clock: Clock, ms: number): Nap {
  const sleep = new AbortController();
  return { over: clock.sleep(ms, sleep.signal), wake: () => sleep.abort(calledOff) };
}

function endless(): Nap {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { over: promise, wake: resolve };
}

/** What {@link waitAtMost} listens to where a promise settles; for one that is not waited for again and again, as it cannot forget. */
export const settling =
  (promise: Promise<unknown>) =>
  (wake: () => void): void => {
    promise.then(wake, wake);
  };
