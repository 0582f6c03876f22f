/** A ceiling on the bytes that all uploads of a store hold in memory together. */
export class BufferBudget {
  readonly #ceiling: number;
  #held = 0;
  #waiting: (() => void)[] = [];

  constructor(ceiling: number) {
    this.#ceiling = ceiling;
  }

  take(bytes: number): void {
    this.#held += bytes;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    while (!this.exhausted && this.#waiting.length > 0) this.#waiting.shift()!();
  }

  /** An upload that finds the budget exhausted writes out what it holds, then waits for room before it takes more. */
  get exhausted(): boolean {
    return this.#held >= this.#ceiling;
  }

  /** Call with nothing held, or two uploads may wait for each other. */
  async room(): Promise<void> {
    while (this.exhausted) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
