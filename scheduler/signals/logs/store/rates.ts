/** Bytes a second for each of many names, saved up for two seconds. */
export class Rates {
  readonly #perSecond: number;
  readonly #monotonic: () => number;
  /** When the allowance of a name will be full again. Names whose allowance is full are not kept. */
  readonly #fullAt = new Map<string, number>();
  #swept = 0;

  constructor(perSecond: number, monotonic: () => number) {
    this.#perSecond = perSecond;
    this.#monotonic = monotonic;
  }

  /** Takes an amount; what is larger than the allowance goes when it is full. @returns 0, or milliseconds after which it may be had */
  take(name: string, amount: number): number {
    const now = this.#monotonic();
    this.#sweep(now);
    const full = Math.max(now, this.#fullAt.get(name) ?? now);
    const cost = (amount / this.#perSecond) * 1000;
    const wait = full + Math.min(cost, saved) - (now + saved);
    if (wait > 0) return Math.ceil(wait);
    this.#fullAt.set(name, full + cost);
    return 0;
  }

  #sweep(now: number): void {
    if (now - this.#swept < 10_000) return;
    this.#swept = now;
    for (const [name, full] of this.#fullAt) if (full <= now) this.#fullAt.delete(name);
  }
}

const saved = 2000;
