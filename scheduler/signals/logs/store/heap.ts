/** Values of which the least is at hand. */
export class Heap<T> {
  readonly #values: T[] = [];
  readonly #order: (value: T) => number;

  /** @param order the least first */
  constructor(order: (value: T) => number) {
    this.#order = order;
  }

  peek(): T | undefined {
    return this.#values[0];
  }

  /** Some of the least, the least among them; the others are likely to be the next ones. */
  near(count: number): readonly T[] {
    return this.#values.slice(0, count);
  }

  push(value: T): void {
    const values = this.#values;
    let at = values.length;
    values.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#order(values[parent]!) <= this.#order(value)) break;
      values[at] = values[parent]!;
      at = parent;
    }
    values[at] = value;
  }

  pop(): T | undefined {
    const values = this.#values;
    const least = values[0];
    const last = values.pop();
    if (values.length === 0 || last === undefined) return least;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= values.length) break;
      if (child + 1 < values.length && this.#order(values[child + 1]!) < this.#order(values[child]!)) child++;
      if (this.#order(last) <= this.#order(values[child]!)) break;
      values[at] = values[child]!;
      at = child;
    }
    values[at] = last;
    return least;
  }
}
