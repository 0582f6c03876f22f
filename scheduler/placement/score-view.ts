/**
 * The scores of one class of tasks on every instance, renewed where instances changed, with the best of every 32 and of
 * every 1024 instances. Any strategy that looks at one instance at a time is served, and `spread` over attributes before
 * it: the instances are then parted by the attributes' values. A change costs a few steps, a decision O(n / 1024).
 */
import type { Cluster } from './cluster.ts';
import type { Scorer } from './extension.ts';
import type { Partition } from './partition.ts';
import type { Request } from './request.ts';
import { pick } from './scan.ts';

/** The instances that share the values of all attributes the class spreads over. */
interface Part {
  /** The best slot of each 32 and of each 1024, or -1, with its first score (Infinity): read in a row, not slot by slot. */
  readonly best: Int32Array;
  readonly bestScore: Float64Array;
  readonly bestOfMany: Int32Array;
  readonly bestOfManyScore: Float64Array;
}

/** One number made of the scores of one or more strategies. */
type Plane = readonly { readonly scorer: Scorer; readonly factor: number }[];

/** Scores of different strategies share a number as long as it stays exact. */
const exact = 2 ** 53;

export class ScoreView {
  readonly #cluster: Cluster;
  readonly #request: Request;
  readonly #partition: Partition | undefined;
  readonly #planes: readonly Plane[];
  #cursor = 0;
  #partVersion = 0;
  #generation = -1;
  /** Scores by slot, a plane an array; Infinity in the first where the instance cannot take the task. */
  #scores: readonly Float64Array[] = [];
  #parts: Part[] = [];

  /** `partition` is by the attributes of the chain's leading spreads, `scorers` are what follows them. */
  constructor(cluster: Cluster, request: Request, partition: Partition | undefined, scorers: readonly Scorer[]) {
    this.#cluster = cluster;
    this.#request = request;
    this.#partition = partition;
    this.#planes = planesOf(scorers);
  }

  /** Bytes this view keeps. */
  get bytes(): number {
    return this.#cluster.capacity * 8 * Math.max(1, this.#planes.length);
  }

  choose(draw: (count: number) => number): number {
    this.#sync();
    const partition = this.#partition;
    if (partition === undefined) {
      const slot = this.#bestOf(this.#parts[0]!);
      return slot === -1 || !this.#request.draws ? slot : pick(this.#equals(slot, undefined), true, draw);
    }
    const counts = partition.columns.map((column) => this.#cluster.countsByValue(this.#request.group, column));
    let best = -1;
    let bestParts: number[] = [];
    for (let number = 0; number < this.#parts.length; number++) {
      const order = best === -1 ? -1 : this.#compareParts(counts, number, bestParts[0]!);
      if (order > 0) continue;
      const slot = this.#bestOf(this.#parts[number]!);
      if (slot === -1) continue;
      if (order < 0) bestParts = [number];
      else bestParts.push(number);
      if (order < 0 || this.#less(slot, best)) best = slot;
    }
    if (best === -1 || !this.#request.draws) return best;
    return pick(this.#equals(best, bestParts), true, draw);
  }

  /** All slots (of the parts) that score as `best` does, in order. */
  #equals(best: number, parts: readonly number[] | undefined): readonly number[] {
    const equal: number[] = [];
    for (let slot = 0; slot < this.#cluster.slots; slot++) {
      if (parts !== undefined && !parts.includes(this.#partition!.partOf[slot]!)) continue;
      if (this.#scores.every((plane) => plane[slot] === plane[best])) equal.push(slot);
    }
    return equal;
  }

  #compareParts(counts: readonly (readonly number[])[], left: number, right: number): number {
    const { values } = this.#partition!;
    for (let column = 0; column < counts.length; column++) {
      const byValue = counts[column]!;
      const difference = (byValue[values[left]![column]!] ?? 0) - (byValue[values[right]![column]!] ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  #bestOf(part: Part): number {
    return this.#least(part.bestOfMany, part.bestOfManyScore, 0, part.bestOfMany.length);
  }

  /** The best of some slots given with their first scores. */
  #least(slots: Int32Array, scores: Float64Array, from: number, end: number): number {
    const several = this.#scores.length > 1;
    let winner = -1;
    let least = Infinity;
    for (let index = from; index < end; index++) {
      const score = scores[index]!;
      // In order of slots, so among equals the first stays.
      if (score < least || (several && score === least && winner !== -1 && this.#less(slots[index]!, winner))) {
        winner = slots[index]!;
        least = score;
      }
    }
    return winner;
  }

  #sync(): void {
    const cluster = this.#cluster;
    const log = cluster.changes;
    this.#partition?.sync();
    if (
      this.#generation !== cluster.generation ||
      this.#scores[0]!.length !== cluster.capacity ||
      this.#partVersion !== (this.#partition?.version ?? 0)
    ) {
      this.#rebuild();
    } else {
      // A plug-in may throw half-way: until everything is done the view is void.
      this.#generation = -1;
      this.#addParts();
      for (let slot = log.newest; slot !== -1 && log.changedAt[slot]! >= this.#cursor; slot = log.older[slot]!) {
        this.#renew(slot);
      }
    }
    this.#cursor = log.end;
    this.#partVersion = this.#partition?.version ?? 0;
    this.#generation = cluster.generation;
  }

  #rebuild(): void {
    const { capacity, slots } = this.#cluster;
    this.#generation = -1;
    this.#scores = Array.from({ length: Math.max(1, this.#planes.length) }, () =>
      new Float64Array(capacity).fill(Infinity),
    );
    this.#parts = [];
    this.#addParts();
    for (let slot = 0; slot < slots; slot++) {
      if (this.#request.causes(slot) !== 0) continue;
      this.#write(slot);
      this.#offer(this.#parts[this.#partition === undefined ? 0 : this.#partition.partOf[slot]!]!, slot);
    }
  }

  #renew(slot: number): void {
    const part = this.#partition === undefined ? 0 : this.#partition.partOf[slot]!;
    if (this.#request.causes(slot) === 0) {
      if (this.#write(slot)) this.#offer(this.#parts[part]!, slot);
      else this.#withdraw(part, slot);
    } else if (this.#scores[0]![slot] !== Infinity) {
      this.#scores[0]![slot] = Infinity;
      this.#withdraw(part, slot);
    }
  }

  /** Writes the scores; returns whether the slot is at least as good as before. */
  #write(slot: number): boolean {
    const scores = this.#scores;
    const planes = this.#planes;
    if (planes.length === 1) {
      const score = this.#evaluate(planes[0]!, slot);
      const before = scores[0]![slot]!;
      scores[0]![slot] = score;
      return score <= before;
    }
    let order = planes.length === 0 ? -1 : 0;
    for (let index = 0; index < planes.length; index++) {
      const score = this.#evaluate(planes[index]!, slot);
      if (order === 0) order = score - scores[index]![slot]!;
      scores[index]![slot] = score;
    }
    if (planes.length === 0) scores[0]![slot] = 0;
    return order <= 0;
  }

  #evaluate(plane: Plane, slot: number): number {
    const { candidate } = this.#request;
    candidate.slot = slot;
    let sum = 0;
    for (let index = 0; index < plane.length; index++) {
      const { scorer, factor } = plane[index]!;
      sum += scorer.score(candidate) * factor;
    }
    return sum;
  }

  /** The slot may have become the best of its block. */
  #offer(part: Part, slot: number): void {
    const block = slot >>> 5;
    const score = this.#scores[0]![slot]!;
    const best = part.best[block]!;
    if (best !== slot) {
      if (best !== -1 && !this.#less(slot, best)) return;
      part.best[block] = slot;
    }
    part.bestScore[block] = score;
    const many = slot >>> 10;
    const bestOfMany = part.bestOfMany[many]!;
    if (bestOfMany !== slot) {
      if (bestOfMany !== -1 && !this.#less(slot, bestOfMany)) return;
      part.bestOfMany[many] = slot;
    }
    part.bestOfManyScore[many] = score;
  }

  /** The slot may no longer be the best of its block. */
  #withdraw(number: number, slot: number): void {
    const part = this.#parts[number]!;
    const block = slot >>> 5;
    if (part.best[block] !== slot) return;
    const first = this.#scores[0]!;
    const best = this.#bestInBlock(number, block);
    part.best[block] = best;
    part.bestScore[block] = best === -1 ? Infinity : first[best]!;
    const many = slot >>> 10;
    if (part.bestOfMany[many] !== slot) return;
    const end = Math.min((many + 1) << 5, part.best.length);
    const bestOfMany = this.#least(part.best, part.bestScore, many << 5, end);
    part.bestOfMany[many] = bestOfMany;
    part.bestOfManyScore[many] = bestOfMany === -1 ? Infinity : first[bestOfMany]!;
  }

  #bestInBlock(number: number, block: number): number {
    const first = this.#scores[0]!;
    const several = this.#scores.length > 1;
    const partOf = this.#partition?.partOf;
    let winner = -1;
    let least = Infinity;
    const end = (block + 1) << 5;
    for (let slot = block << 5; slot < end; slot++) {
      const score = first[slot]!;
      if (score > least || score === Infinity) continue;
      if (partOf !== undefined && partOf[slot] !== number) continue;
      // In order of slots, so among equals the first stays.
      if (score < least || (several && this.#less(slot, winner))) {
        winner = slot;
        least = score;
      }
    }
    return winner;
  }

  #less(left: number, right: number): boolean {
    const first = this.#scores[0]!;
    const difference = first[left]! - first[right]!;
    if (difference !== 0) return difference < 0;
    for (let plane = 1; plane < this.#scores.length; plane++) {
      const scores = this.#scores[plane]!;
      if (scores[left] !== scores[right]) return scores[left]! < scores[right]!;
    }
    return left < right;
  }

  #addParts(): void {
    const { capacity } = this.#cluster;
    const count = this.#partition?.values.length ?? 1;
    while (this.#parts.length < count) {
      const [blocks, many] = [capacity >>> 5, Math.max(1, capacity >>> 10)];
      this.#parts.push({
        best: new Int32Array(blocks).fill(-1),
        bestScore: new Float64Array(blocks).fill(Infinity),
        bestOfMany: new Int32Array(many).fill(-1),
        bestOfManyScore: new Float64Array(many).fill(Infinity),
      });
    }
  }
}

/** Puts scores with known bounds into one number, as long as it stays exact. */
function planesOf(scorers: readonly Scorer[]): readonly Plane[] {
  const planes: { scorer: Scorer; factor: number }[][] = [];
  let room = 0;
  for (const scorer of scorers.toReversed()) {
    const bound = scorer.bound ?? Infinity;
    const plane = planes[0];
    if (plane === undefined || bound * room > exact) {
      planes.unshift([{ scorer, factor: 1 }]);
      room = bound;
    } else {
      plane.unshift({ scorer, factor: room });
      room *= bound;
    }
  }
  return planes;
}
