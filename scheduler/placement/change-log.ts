/**
 * Which slots changed, the latest change of each: a list of slots in order of their last change. Readers keep a cursor and
 * catch up when they are asked, visiting each changed slot once, however often it changed; nothing is ever too old.
 *
 *     for (let slot = log.newest; slot !== -1 && log.changedAt[slot]! >= cursor; slot = log.older[slot]!) ...
 */
export class ChangeLog {
  /** The position the next change gets; positions only grow. */
  end = 0;
  /** The slot that changed last, or -1. */
  newest = -1;
  /** Per slot: the slot that changed before it, or -1. */
  older: Int32Array;
  /** Per slot: the position of its last change, or -1. */
  changedAt: Float64Array;
  #newer: Int32Array;

  constructor(slots: number) {
    this.older = new Int32Array(slots).fill(-1);
    this.#newer = new Int32Array(slots).fill(-1);
    this.changedAt = new Float64Array(slots).fill(-1);
  }

  append(slot: number): void {
    const { newest } = this;
    const position = this.end++;
    if (newest !== slot) {
      if (this.changedAt[slot] !== -1) this.#unlink(slot);
      this.older[slot] = newest;
      this.#newer[slot] = -1;
      if (newest !== -1) this.#newer[newest] = slot;
      this.newest = slot;
    }
    this.changedAt[slot] = position;
  }

  grow(slots: number): void {
    const wider = <T extends Int32Array | Float64Array>(array: T, fresh: T): T => {
      fresh.fill(-1).set(array);
      return fresh;
    };
    this.older = wider(this.older, new Int32Array(slots));
    this.#newer = wider(this.#newer, new Int32Array(slots));
    this.changedAt = wider(this.changedAt, new Float64Array(slots));
  }

  /** The slots have been renumbered: readers start over, by the cluster's `generation`. */
  restart(): void {
    this.newest = -1;
    this.older.fill(-1);
    this.#newer.fill(-1);
    this.changedAt.fill(-1);
  }

  /** Takes a slot that is not the newest out of the list. */
  #unlink(slot: number): void {
    const older = this.older[slot]!;
    const newer = this.#newer[slot]!;
    this.older[newer] = older;
    if (older !== -1) this.#newer[older] = newer;
  }
}
