/**
 * Wakes waiters. Take `next()` before looking, look, and wait for it only when there was nothing: no ring is missed. Who waits for a time only
 * takes `rings` instead, and listens: what waits for `next()` is remembered until it rings.
 */
export class Bell {
  #resolve: (() => void) | undefined;
  #next: Promise<void> | undefined;
  #rings = 0;
  readonly #listeners = new Set<() => void>();

  /** How often it has rung. */
  get rings(): number {
    return this.#rings;
  }

  /** Resolves at the next ring. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#next;
  }

  /** Calls back at the next ring, at once when it has rung since it had rung so often. @returns forgets that again */
  listen(rings: number, wake: () => void): () => void {
    if (rings === this.#rings) this.#listeners.add(wake);
    else wake();
    return () => this.#listeners.delete(wake);
  }

  /** Whether anybody may be waiting. */
  get awaited(): boolean {
    return this.#next !== undefined || this.#listeners.size > 0;
  }

  ring(): void {
    this.#rings += 1;
    const resolve = this.#resolve;
    this.#next = undefined;
    this.#resolve = undefined;
    resolve?.();
    for (const wake of this.#listeners) {
      this.#listeners.delete(wake);
      wake();
    }
  }
}

/** Bells by name, of which only those are remembered that somebody waits for. */
export class Bells {
  readonly #bells = new Map<string, Bell>();

  /** Resolves when the name is rung for, or all are. */
  next(name: string): Promise<void> {
    let bell = this.#bells.get(name);
    if (bell === undefined) this.#bells.set(name, (bell = new Bell()));
    return bell.next();
  }

  /** Whether anybody may be waiting. */
  get awaited(): boolean {
    return this.#bells.size > 0;
  }

  ring(name: string): void {
    this.#bells.get(name)?.ring();
    this.#bells.delete(name);
  }

  ringAll(): void {
    for (const bell of this.#bells.values()) bell.ring();
    this.#bells.clear();
  }
}

/** Resolves when `promise` does or when the signal aborts, whichever comes first. */
export function settledOrAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
