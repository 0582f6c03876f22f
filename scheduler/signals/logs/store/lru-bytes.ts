/** Values by name that together weigh no more than a limit; those that were not asked for the longest go first. */
export class LruBytes<T> {
  readonly #limit: number;
  readonly #entries = new Map<string, { readonly value: T; weight: number }>();
  #weight = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(name: string): T | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    return entry.value;
  }

  /** Keeps a value that weighs nothing yet. */
  keep(name: string, value: T): void {
    this.drop(name);
    this.#entries.set(name, { value, weight: 0 });
  }

  /** Says what a value weighs, when it is still there. */
  weigh(name: string, weight: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#weight += weight - entry.weight;
    entry.weight = weight;
    for (const oldest of this.#entries.keys()) {
      if (this.#weight <= this.#limit) return;
      this.drop(oldest);
    }
  }

  drop(name: string): void {
    this.#weight -= this.#entries.get(name)?.weight ?? 0;
    this.#entries.delete(name);
  }
}
