import type { Clock } from '@slipway/storage/clock';

/** Milliseconds for which one look at the targets of a cluster may make forecasts: a history of four weeks takes a while to read, and whoever is to be scaled now waits meanwhile. */
const atMost = 2_000;
/** Milliseconds after which one that failed is made again. */
const retryAfter = 300_000;

/** Whose forecast a leader makes next: some in each look, the others in the next ones, and those that failed after all others. */
export class ForecastTurns {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #left = atMost;
  /** Until when those that failed wait, by the ids of their policies. */
  readonly #failed = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Another look begins. */
  begin(): void {
    const now = this.#clock.monotonic();
    this.#left = atMost;
    for (const [policy, until] of this.#failed) if (until <= now) this.#failed.delete(policy);
  }

  /**
   * Makes the forecast of a policy, if it is its turn: the first of a look always is.
   * @throws what `make` throws; the policy waits for some minutes then
   */
  async take(policy: string, make: () => Promise<void>): Promise<void> {
    if (this.#left <= 0 || this.#failed.has(policy)) return;
    const began = this.#clock.monotonic();
    try {
      await make();
    } catch (error) {
      this.#failed.set(policy, began + retryAfter);
      throw error;
    } finally {
      this.#left -= this.#clock.monotonic() - began;
    }
  }
}
