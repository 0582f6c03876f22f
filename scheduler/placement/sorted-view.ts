/**
 * Instances in the order of what is left of one resource, in blocks of a few dozen; each block knows the most that is left
 * of the other resource in it, so whole blocks are skipped. One view serves every task that packs by this resource under
 * the same constraints, whatever its size. Finding and moving cost O(log n + blocks skipped).
 */
import { type Cluster, placeable } from './cluster.ts';
import type { Filter } from './filter.ts';
import type { Request } from './request.ts';

/** Slots fit into the low bits of a key, the amount into the bits above: order by amount, then by slot. */
const slotLimit = 2 ** 21;
const absent = -1;

export class SortedView {
  readonly #cluster: Cluster;
  readonly #filter: Filter | undefined;
  readonly #resource: 'cpu' | 'memory';
  readonly #size: number;
  #cursor = 0;
  #generation = -1;
  /** The key of each slot, or `absent`. */
  #keyOf = new Float64Array(0);
  /** Blocks lie at `block * size` in these. */
  #keys = new Float64Array(0);
  #others = new Int32Array(0);
  #lengths = new Int32Array(0);
  #free: number[] = [];
  /** Per place in the order: the block, its first key, and no less than the most it has of the other resource. */
  #order = new Int32Array(0);
  #first = new Float64Array(0);
  #most = new Int32Array(0);
  #blocks = 0;

  constructor(cluster: Cluster, filter: Filter | undefined, resource: 'cpu' | 'memory', blockSize: number) {
    this.#cluster = cluster;
    this.#filter = filter;
    this.#resource = resource;
    this.#size = blockSize;
  }

  /** The instance with the least of the resource that can still take the request, or -1. */
  choose(request: Request): number {
    this.#sync();
    const [need, needOther] =
      this.#resource === 'memory'
        ? [request.shape.memory, request.shape.cpu]
        : [request.shape.cpu, request.shape.memory];
    const least = need * slotLimit;
    for (let place = this.#placeOf(least); place < this.#blocks; place++) {
      if (this.#most[place]! < needOther) continue;
      const start = this.#order[place]! * this.#size;
      const length = this.#lengths[this.#order[place]!]!;
      let most = -1;
      for (let at = start; at < start + length; at++) {
        const other = this.#others[at]!;
        if (other > most) most = other;
        if (other < needOther || this.#keys[at]! < least) continue;
        return this.#keys[at]! % slotLimit;
      }
      // Nothing here: from now on the block says how little it has.
      this.#most[place] = most;
    }
    return -1;
  }

  #sync(): void {
    const cluster = this.#cluster;
    const log = cluster.changes;
    if (this.#generation !== cluster.generation || this.#keyOf.length !== cluster.capacity) {
      this.#rebuild();
    } else {
      for (let slot = log.newest; slot !== -1 && log.changedAt[slot]! >= this.#cursor; slot = log.older[slot]!) {
        this.#renew(slot);
      }
    }
    this.#cursor = log.end;
    this.#generation = cluster.generation;
  }

  #rebuild(): void {
    const cluster = this.#cluster;
    const half = this.#size >>> 1;
    const room = 2 * Math.ceil(cluster.capacity / half) + 2;
    this.#keyOf = new Float64Array(cluster.capacity).fill(absent);
    this.#keys = new Float64Array(room * this.#size);
    this.#others = new Int32Array(room * this.#size);
    this.#lengths = new Int32Array(room);
    this.#order = new Int32Array(room);
    this.#first = new Float64Array(room);
    this.#most = new Int32Array(room);
    const keys = new Float64Array(cluster.slots);
    let members = 0;
    for (let slot = 0; slot < cluster.slots; slot++) {
      const key = this.#keyNow(slot);
      this.#keyOf[slot] = key;
      if (key !== absent) keys[members++] = key;
    }
    const sorted = keys.subarray(0, members).sort();
    this.#blocks = Math.max(1, Math.ceil(members / half));
    for (let block = 0; block < this.#blocks; block++) {
      const part = sorted.subarray(block * half, (block + 1) * half);
      this.#order[block] = block;
      this.#lengths[block] = part.length;
      this.#keys.set(part, block * this.#size);
      for (const [at, key] of part.entries()) this.#others[block * this.#size + at] = this.#otherOf(key % slotLimit);
      this.#summarize(block);
    }
    this.#free = [];
    for (let block = room - 1; block >= this.#blocks; block--) this.#free.push(block);
  }

  #keyNow(slot: number): number {
    if (this.#cluster.status[slot] !== placeable || this.#filter?.admits(slot) === false) return absent;
    const amounts = this.#resource === 'memory' ? this.#cluster.freeMemory : this.#cluster.freeCpu;
    return amounts[slot]! * slotLimit + slot;
  }

  #otherOf(slot: number): number {
    return this.#resource === 'memory' ? this.#cluster.freeCpu[slot]! : this.#cluster.freeMemory[slot]!;
  }

  #renew(slot: number): void {
    const before = this.#keyOf[slot]!;
    const now = this.#keyNow(slot);
    if (before !== absent && before !== now) this.#remove(before);
    this.#keyOf[slot] = now;
    if (now === absent) return;
    if (before === now) this.#update(now, this.#otherOf(slot));
    else this.#insert(now, this.#otherOf(slot));
  }

  /** The last place whose first key is at most `key`; 0 when there is none. */
  #placeOf(key: number): number {
    let low = 0;
    let high = this.#blocks - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#first[middle]! <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where in `#keys` the key is, or belongs, in a block. */
  #indexOf(block: number, key: number): number {
    let low = block * this.#size;
    let high = low + this.#lengths[block]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #update(key: number, other: number): void {
    const place = this.#placeOf(key);
    this.#others[this.#indexOf(this.#order[place]!, key)] = other;
    if (this.#most[place]! < other) this.#most[place] = other;
  }

  #insert(key: number, other: number): void {
    let place = this.#placeOf(key);
    if (this.#lengths[this.#order[place]!] === this.#size) {
      this.#split(place);
      if (this.#first[place + 1]! <= key) place++;
    }
    const block = this.#order[place]!;
    const at = this.#indexOf(block, key);
    const end = block * this.#size + this.#lengths[block]!;
    for (let index = end; index > at; index--) {
      this.#keys[index] = this.#keys[index - 1]!;
      this.#others[index] = this.#others[index - 1]!;
    }
    this.#keys[at] = key;
    this.#others[at] = other;
    this.#lengths[block]!++;
    if (this.#most[place]! < other) this.#most[place] = other;
    this.#first[place] = this.#keys[block * this.#size]!;
  }

  #remove(key: number): void {
    const place = this.#placeOf(key);
    const block = this.#order[place]!;
    const at = this.#indexOf(block, key);
    const end = block * this.#size + this.#lengths[block]! - 1;
    for (let index = at; index < end; index++) {
      this.#keys[index] = this.#keys[index + 1]!;
      this.#others[index] = this.#others[index + 1]!;
    }
    this.#lengths[block]!--;
    this.#first[place] = this.#keys[block * this.#size]!;
    if (this.#lengths[block]! * 4 < this.#size) this.#merge(place);
  }

  /** Moves the upper half of a full block into a new one behind it. */
  #split(place: number): void {
    const from = this.#order[place]!;
    const to = this.#free.pop()!;
    const half = this.#size >>> 1;
    const start = from * this.#size;
    this.#keys.copyWithin(to * this.#size, start + half, start + this.#size);
    this.#others.copyWithin(to * this.#size, start + half, start + this.#size);
    this.#lengths[from] = half;
    this.#lengths[to] = this.#size - half;
    this.#order.copyWithin(place + 2, place + 1, this.#blocks);
    this.#first.copyWithin(place + 2, place + 1, this.#blocks);
    this.#most.copyWithin(place + 2, place + 1, this.#blocks);
    this.#order[place + 1] = to;
    this.#blocks++;
    this.#summarize(place);
    this.#summarize(place + 1);
  }

  /** Moves a block that has become small into the one before it, when both fit into three quarters. */
  #merge(place: number): void {
    const left = place === 0 ? 0 : place - 1;
    if (left + 1 >= this.#blocks) return;
    const into = this.#order[left]!;
    const from = this.#order[left + 1]!;
    const together = this.#lengths[into]! + this.#lengths[from]!;
    if (together * 4 > this.#size * 3) return;
    const source = from * this.#size;
    const target = into * this.#size + this.#lengths[into]!;
    this.#keys.copyWithin(target, source, source + this.#lengths[from]!);
    this.#others.copyWithin(target, source, source + this.#lengths[from]!);
    this.#lengths[into] = together;
    this.#free.push(from);
    this.#order.copyWithin(left + 1, left + 2, this.#blocks);
    this.#first.copyWithin(left + 1, left + 2, this.#blocks);
    this.#most.copyWithin(left + 1, left + 2, this.#blocks);
    this.#blocks--;
    this.#summarize(left);
  }

  #summarize(place: number): void {
    const block = this.#order[place]!;
    const start = block * this.#size;
    let most = -1;
    for (let at = start; at < start + this.#lengths[block]!; at++) most = Math.max(most, this.#others[at]!);
    this.#most[place] = most;
    this.#first[place] = this.#keys[start]!;
  }
}
