/** One attribute over all slots: values interned to small numbers, 0 where the instance does not have it. */
export class Column {
  readonly name: string;
  /** `values[0]` stands for "absent". */
  readonly values: (string | undefined)[] = [undefined];
  readonly #numbers = new Map<string, number>();
  bySlot: Int32Array;

  constructor(name: string, slots: number) {
    this.name = name;
    this.bySlot = new Int32Array(slots);
  }

  /** Returns whether the slot's value changed. */
  set(slot: number, value: string | undefined): boolean {
    const number = value === undefined ? 0 : this.#intern(value);
    if (this.bySlot[slot] === number) return false;
    this.bySlot[slot] = number;
    return true;
  }

  valueAt(slot: number): string | undefined {
    return this.values[this.bySlot[slot]!];
  }

  grow(slots: number): void {
    const wider = new Int32Array(slots);
    wider.set(this.bySlot);
    this.bySlot = wider;
  }

  #intern(value: string): number {
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.values.push(value) - 1;
      this.#numbers.set(value, number);
    }
    return number;
  }
}
