import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

export interface StoreWatchPorts {
  /** A small read of the record store. */
  readonly ask: () => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
  /** The store has not answered for a while: whoever depends on this server is better off with another. */
  readonly onAway: () => void;
}

/** Milliseconds between looks, and how many of them in a row go without an answer before a server is no longer ready. */
const every = 1000;
const patience = 4;

/**
 * Knows whether the record store answers. It counts looks rather than time, so that a process that was held up itself does not
 * take that for the store's silence.
 */
export class StoreWatch {
  readonly #ports: StoreWatchPorts;
  readonly #stopped = new AbortController();
  #silent = 0;
  #asking = false;

  constructor(ports: StoreWatchPorts) {
    this.#ports = ports;
  }

  /** Whether the store has answered within the last few seconds. */
  get answers(): boolean {
    return this.#silent < patience;
  }

  /** Looks until {@link stop}. */
  async run(): Promise<void> {
    const { clock, log, onAway } = this.#ports;
    while (!this.#stopped.signal.aborted) {
      this.#ask();
      await clock.sleep(every, this.#stopped.signal).catch(() => undefined);
      // An answer sets it back to nothing.
      this.#silent += 1;
      if (this.#silent !== patience || this.#stopped.signal.aborted) continue;
      log.error({ seconds: (every * patience) / 1000 }, 'the record store does not answer: this server is not ready');
      onAway();
    }
  }

  stop(): void {
    this.#stopped.abort();
  }

  #ask(): void {
    // One that hangs is not asked again.
    if (this.#asking) return;
    this.#asking = true;
    const answered = (): void => {
      if (!this.answers) this.#ports.log.info({}, 'the record store answers again: this server is ready');
      this.#silent = 0;
    };
    this.#ports
      .ask()
      .then(answered, () => undefined)
      .finally(() => (this.#asking = false));
  }
}
