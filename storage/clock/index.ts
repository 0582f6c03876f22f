/** Time as a parameter: everything under `storage/` and `scheduler/` takes a Clock, so that it also runs in virtual time. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. For timestamps people read; never for safety. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary origin. For time-outs and leases. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export { settling, waitAtMost } from './wait-at-most.ts';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};
