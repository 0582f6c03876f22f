/** How many tasks of one group each slot holds: a map while few slots hold any, an array once many do. */
export class SlotCounts {
  #few: Map<number, number> | undefined = new Map();
  #many = new Int32Array(0);

  get(slot: number): number {
    if (this.#few !== undefined) return this.#few.get(slot) ?? 0;
    return slot < this.#many.length ? this.#many[slot]! : 0;
  }

  /** `slots` is how many slots there are; an array of that size is made once 1 in 32 is in use. */
  add(slot: number, difference: number, slots: number): void {
    if (this.#few === undefined) {
      if (slot >= this.#many.length) this.#widen(slots);
      this.#many[slot]! += difference;
      return;
    }
    const count = (this.#few.get(slot) ?? 0) + difference;
    if (count === 0) this.#few.delete(slot);
    else this.#few.set(slot, count);
    if (this.#few.size > 16 && this.#few.size * 32 > slots) {
      this.#widen(slots);
      for (const [key, value] of this.#few) this.#many[key] = value;
      this.#few = undefined;
    }
  }

  clear(): void {
    this.#few = new Map();
    this.#many = new Int32Array(0);
  }

  #widen(slots: number): void {
    const wider = new Int32Array(slots);
    wider.set(this.#many);
    this.#many = wider;
  }
}
