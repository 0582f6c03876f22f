/** Time as a parameter: everything under `storage/` and `scheduler/` takes a Clock, so that it also runs in virtual time. */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. For timestamps people read; never for safety. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary origin. For time-outs and leases. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A sleep that whoever waits ends by hand, for {@link waitAtMost}: without a signal it costs a fraction, which counts in virtual time. A clock without it is asked to sleep. */
  nap?(ms: number): Nap;
}

/** `over` resolves when its time has come, or somebody wakes it. */
export interface Nap {
  readonly over: Promise<void>;
  wake(): void;
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
