import type { Clock } from '@slipway/storage/clock';

const epoch = Date.UTC(2024, 0, 1);

/** Time that stands still until somebody moves it to the next sleeper's. */
export class SteppedClock implements Clock {
  #now = 0;
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): number {
    return epoch + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      // Whole milliseconds, as timers have them.
      const sleeper = { at: this.#now + Math.ceil(ms), wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
  }

  /** Goes on to the next moment at which somebody wakes, at most to `limit`, and wakes everybody of that moment. */
  step(limit: number): void {
    const at = Math.min(limit, ...this.#sleepers.map((one) => one.at));
    this.#now = Math.max(this.#now, at);
    const due = this.#sleepers.filter((one) => one.at <= this.#now);
    this.#sleepers = this.#sleepers.filter((one) => one.at > this.#now);
    for (const { wake } of due) wake();
  }
}
