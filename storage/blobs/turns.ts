interface Turn {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/**
 * One call at a time for each upload. A newer call stops an older one that is still taking its body: the client has given the
 * older one up, or it would not have sent another.
 */
export class Turns {
  readonly #current = new Map<string, Turn>();

  async take<T>(id: string, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const before = this.#current.get(id);
    before?.stop.abort(new Error('a newer request for the same upload came in'));
    const stop = new AbortController();
    const mine = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
    const result = (before?.done ?? Promise.resolve()).then(() => work(mine));
    const turn: Turn = { stop, done: settled(result) };
    this.#current.set(id, turn);
    try {
      return await result;
    } finally {
      if (this.#current.get(id) === turn) this.#current.delete(id);
    }
  }

  /** Stops what is under way and waits for its end. */
  async all(): Promise<void> {
    for (const turn of this.#current.values()) turn.stop.abort(new Error('the store is closing'));
    await Promise.all(Array.from(this.#current.values(), (turn) => turn.done));
  }
}

async function settled(work: Promise<unknown>): Promise<void> {
  await work.catch(() => {});
}
