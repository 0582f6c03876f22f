/** Lets so many do something at the same time; the others wait for their turn, first come first served. */
export class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(most: number) {
    this.#free = most;
  }

  /** @returns gives the turn back, once; rejects with the signal's reason when it aborts first */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = this.#waiting;
      if (next === undefined) this.#free += 1;
      else next();
    };
  }

  /** Resolves when somebody has given up a turn for this one. */
  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        this.#waiting.delete(mine);
        signal.removeEventListener('abort', aborted);
      };
      const mine = (): void => {
        forget();
        resolve();
      };
      const aborted = (): void => {
        forget();
        reject(signal.reason as Error);
      };
      this.#waiting.add(mine);
      signal.addEventListener('abort', aborted, { once: true });
    });
  }
}
