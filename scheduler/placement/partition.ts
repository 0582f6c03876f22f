import type { Column } from './attributes.ts';
import { type Cluster, removed } from './cluster.ts';

/**
 * The instances parted by the values of one or two attributes, for all the score views that spread over them. A part's
 * number is found by slot; an instance that is gone keeps its part, as nobody can choose it.
 */
export class Partition {
  readonly columns: readonly Column[];
  partOf = new Uint16Array(0);
  /** The value numbers of each part, one a column. */
  values: (readonly number[])[] = [];
  /** Grows when an instance changes its part: what was derived from parts before is void. */
  version = 0;
  readonly #cluster: Cluster;
  readonly #numbers = new Map<number, number>();
  #cursor = 0;
  #generation = -1;
  /** Slots below this had a part before the current `sync`. */
  #seen = 0;

  constructor(cluster: Cluster, columns: readonly Column[]) {
    this.#cluster = cluster;
    this.columns = columns;
  }

  sync(): void {
    const { attributeChanges: log, generation, capacity, slots } = this.#cluster;
    if (this.#generation === generation && this.#cursor === log.end) return;
    if (this.#generation !== generation || this.partOf.length !== capacity) {
      this.version++;
      this.values = [];
      this.#numbers.clear();
      this.partOf = new Uint16Array(capacity);
      for (let slot = 0; slot < slots; slot++) this.partOf[slot] = this.#partNow(slot);
    } else {
      for (let slot = log.newest; slot !== -1 && log.changedAt[slot]! >= this.#cursor; slot = log.older[slot]!) {
        if (this.#cluster.status[slot] !== removed) this.#renew(slot);
      }
    }
    this.#seen = slots;
    this.#cursor = log.end;
    this.#generation = generation;
  }

  #renew(slot: number): void {
    const part = this.#partNow(slot);
    if (this.partOf[slot] === part) return;
    this.partOf[slot] = part;
    if (slot < this.#seen) this.version++;
  }

  #partNow(slot: number): number {
    // Different for different values: there are at most `widest` of them a column, and two columns.
    let key = 0;
    for (const column of this.columns) key = key * widest + column.bySlot[slot]!;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.values.push(this.columns.map((column) => column.bySlot[slot]!)) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }
}

/** An attribute with more values than this is not parted by: each part costs a bit of memory for every 32 instances. */
export const widest = 256;
