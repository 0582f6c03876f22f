import { type Clock, waitAtMost } from '@slipway/storage/clock';

/** Something that happens now and then, and those who wait for it. */
export class Bell {
  readonly #waiting = new Set<() => void>();
  #rung = false;

  /** Wakes everybody who waits; who comes next does not wait. */
  ring(): void {
    this.#rung = true;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Waits until it rings, or rang since the last wait, at most so many milliseconds. Resolves when the signal aborts too. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && ms > 0) {
      const listen = (wake: () => void): (() => void) => {
        this.#waiting.add(wake);
        return () => this.#waiting.delete(wake);
      };
      await waitAtMost(ms, listen, clock, signal);
    }
    this.#rung = false;
  }
}
