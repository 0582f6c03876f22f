/**
 * What the placement core is measured against, each in its own words and all on the same data: a plain scan over typed
 * arrays, and schedulers that look at a sample of the instances, in the style of Nomad and of Kubernetes.
 */
import type { InstanceSpec, TaskShape } from '@slipway/scheduler/placement';

/** Places without an index: the arrays, and a task's room taken where it goes. */
export class Peer {
  readonly cpu: Int32Array;
  readonly memory: Int32Array;
  readonly totalCpu: Int32Array;
  readonly totalMemory: Int32Array;
  readonly #random: () => number;
  #next = 0;

  constructor(instances: readonly InstanceSpec[], random: () => number) {
    this.totalCpu = Int32Array.from(instances, (instance) => instance.cpu);
    this.totalMemory = Int32Array.from(instances, (instance) => instance.memory);
    this.cpu = this.totalCpu.slice();
    this.memory = this.totalMemory.slice();
    this.#random = random;
  }

  take(slot: number, shape: TaskShape, sign: 1 | -1 = 1): void {
    this.cpu[slot]! -= sign * shape.cpu;
    this.memory[slot]! -= sign * shape.memory;
  }

  /** Every instance, the least memory left. */
  scan({ cpu, memory }: TaskShape): number {
    const { cpu: freeCpu, memory: freeMemory } = this;
    let best = -1;
    let least = 2 ** 31 - 1;
    for (let slot = 0; slot < freeMemory.length; slot++) {
      const left = freeMemory[slot]!;
      if (left >= memory && left < least && freeCpu[slot]! >= cpu) {
        best = slot;
        least = left;
      }
    }
    return best;
  }

  /** Every instance, the least of Nomad's bin-packing score. */
  scanByScore(shape: TaskShape): number {
    let best = -1;
    let least = Infinity;
    for (let slot = 0; slot < this.memory.length; slot++) {
      if (this.memory[slot]! < shape.memory || this.cpu[slot]! < shape.cpu) continue;
      const score = this.nomadScore(slot, shape);
      if (score < least) {
        best = slot;
        least = score;
      }
    }
    return best;
  }

  /** In the style of Nomad: instances in random order until `enough` are feasible (2 for batch jobs, log2 n for services). */
  nomad(shape: TaskShape, enough: number): number {
    let best = -1;
    let least = Infinity;
    let found = 0;
    for (let tries = 0; tries < this.memory.length && found < enough; tries++) {
      const slot = Math.floor(this.#random() * this.memory.length);
      if (this.memory[slot]! < shape.memory || this.cpu[slot]! < shape.cpu) continue;
      found++;
      const score = this.nomadScore(slot, shape);
      if (score < least) {
        best = slot;
        least = score;
      }
    }
    return best;
  }

  /** In the style of kube-scheduler: from where the last search ended until a percentage of the nodes is feasible; MostAllocated. */
  kubernetes(shape: TaskShape): number {
    const count = this.memory.length;
    const percentage = Math.max(5, 50 - count / 125);
    const enough = Math.max(100, Math.floor((count * percentage) / 100));
    let best = -1;
    let most = -1;
    let found = 0;
    for (let tries = 0; tries < count && found < enough; tries++) {
      const slot = this.#next;
      this.#next = slot + 1 === count ? 0 : slot + 1;
      if (this.memory[slot]! < shape.memory || this.cpu[slot]! < shape.cpu) continue;
      found++;
      const used =
        2 -
        (this.cpu[slot]! - shape.cpu) / this.totalCpu[slot]! -
        (this.memory[slot]! - shape.memory) / this.totalMemory[slot]!;
      if (used > most) {
        best = slot;
        most = used;
      }
    }
    return best;
  }

  nomadScore(slot: number, shape: TaskShape): number {
    return nomadScore(
      (this.cpu[slot]! - shape.cpu) / this.totalCpu[slot]!,
      (this.memory[slot]! - shape.memory) / this.totalMemory[slot]!,
    );
  }
}

/** Less is better: 10 to the share left of each resource, summed. */
export const nomadScore = (freeCpu: number, freeMemory: number): number => 10 ** freeCpu + 10 ** freeMemory;
