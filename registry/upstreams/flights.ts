/** Work that several callers want at the same time is done once, and goes on when they go away. */
export class Flights {
  readonly #under = new Map<string, Promise<unknown>>();

  share<T>(name: string, work: () => Promise<T>): Promise<T> {
    const present = this.#under.get(name) as Promise<T> | undefined;
    if (present) return present;
    const begun = work().finally(() => this.#under.delete(name));
    this.#under.set(name, begun);
    return begun;
  }

  /** Waits for what is under way, whatever comes of it. */
  async settled(): Promise<void> {
    while (this.#under.size > 0) await Promise.allSettled(this.#under.values());
  }
}
