import { type Clock, systemClock } from '../clock/index.ts';

/** How often a sleeper looks at the clock, and how much of the time since the last look counts at most, in milliseconds. */
const [step, most] = [10, 20];

/**
 * The machine's clock, but for the time in which nobody of this process got to run: of that a moment counts. What waits on it waits as long
 * as on {@link systemClock}, and no lease ends because a busy machine let a test stand for a second.
 */
export function patientClock(): Clock {
  let [passed, seen] = [0, performance.now()];
  const monotonic = (): number => {
    const now = performance.now();
    passed += Math.min(now - seen, most);
    seen = now;
    return passed;
  };
  return {
    now: () => systemClock.now(),
    monotonic,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      const until = monotonic() + ms;
      for (let left = ms; left > 0; left = until - monotonic()) await systemClock.sleep(Math.min(left, step), signal);
    },
  };
}
