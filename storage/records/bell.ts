/** Wakes waiters. Take `next()` before looking, look, and wait for it only when there was nothing: no ring is missed. */
export class Bell {
  #resolve: (() => void) | undefined;
  #next: Promise<void> | undefined;

  /** Resolves at the next ring. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#next;
  }

  /** Whether anybody may be waiting. */
  get awaited(): boolean {
    return this.#next !== undefined;
  }

  ring(): void {
    const resolve = this.#resolve;
    this.#next = undefined;
    this.#resolve = undefined;
    resolve?.();
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
