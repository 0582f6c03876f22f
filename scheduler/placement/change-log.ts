/** Which slots changed, in order. Readers keep a cursor and catch up when they are asked; nobody is notified. */
export class ChangeLog {
  /** The position after the newest entry; positions only grow. */
  end = 0;
  readonly #entries: Int32Array;
  readonly #mask: number;
  #latest: Float64Array;

  /** `size` is how many entries are kept, a power of two. */
  constructor(size: number, slots: number) {
    this.#entries = new Int32Array(size);
    this.#mask = size - 1;
    this.#latest = new Float64Array(slots).fill(-1);
  }

  append(slot: number): void {
    this.#entries[this.end & this.#mask] = slot;
    this.#latest[slot] = this.end++;
  }

  /** Whether everything after `cursor` is still there. */
  reaches(cursor: number): boolean {
    return this.end - cursor <= this.#entries.length;
  }

  /** The slot changed at a position, or -1 when a later entry names the same slot: each is visited once. */
  at(position: number): number {
    const slot = this.#entries[position & this.#mask]!;
    return this.#latest[slot] === position ? slot : -1;
  }

  grow(slots: number): void {
    const latest = new Float64Array(slots).fill(-1);
    latest.set(this.#latest);
    this.#latest = latest;
  }

  /** The slots have been renumbered: what is in the log names the wrong ones. Positions go on, so old cursors are too old. */
  restart(): void {
    this.#latest.fill(-1);
    this.end += this.#entries.length + 1;
  }
}
