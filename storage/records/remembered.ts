/** Remembers so many values, and forgets those first that were learnt first. For what can be worked out or read again. */
export class Remembered<V> {
  readonly #most: number;
  readonly #values = new Map<string, V>();

  /** @param most values at once, at least 1: names that callers choose are as many as they like */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#values.size;
  }

  get(name: string): V | undefined {
    return this.#values.get(name);
  }

  /** The newest afterwards, also when it was there. */
  set(name: string, value: V): void {
    this.#values.delete(name);
    if (this.#values.size >= this.#most) this.#values.delete(this.#values.keys().next().value!);
    this.#values.set(name, value);
  }

  clear(): void {
    this.#values.clear();
  }

  /** Those learnt first come first. */
  names(): readonly string[] {
    return Array.from(this.#values.keys());
  }
}
