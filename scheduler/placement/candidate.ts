import type { Cluster, Group } from './cluster.ts';
import type { Candidate } from './extension.ts';

/** A window on one slot at a time; one object serves all calls of a request, so scoring allocates nothing. */
export class SlotCandidate implements Candidate {
  slot = 0;
  readonly #cluster: Cluster;
  readonly #group: Group;

  constructor(cluster: Cluster, group: Group) {
    this.#cluster = cluster;
    this.#group = group;
  }

  get id(): string {
    return this.#cluster.specs[this.slot]!.id;
  }

  get totalCpu(): number {
    return this.#cluster.specs[this.slot]!.cpu;
  }

  get totalMemory(): number {
    return this.#cluster.specs[this.slot]!.memory;
  }

  get totalGpus(): number {
    return this.#cluster.specs[this.slot]!.gpus;
  }

  get freeCpu(): number {
    return this.#cluster.freeCpu[this.slot]!;
  }

  get freeMemory(): number {
    return this.#cluster.freeMemory[this.slot]!;
  }

  get freeGpus(): number {
    return this.#cluster.freeGpus[this.slot]!;
  }

  get runningTasks(): number {
    return this.#cluster.running[this.slot]!;
  }

  get groupTasks(): number {
    return this.#group.staying(this.slot);
  }

  groupTasksWithSame(attribute: string): number {
    const column = this.#cluster.column(attribute);
    return this.#cluster.countsByValue(this.#group, column)[column.bySlot[this.slot]!] ?? 0;
  }

  attribute(name: string): string | undefined {
    return this.#cluster.specs[this.slot]!.attributes.get(name);
  }

  holdsLayer(digest: string): boolean {
    return this.#cluster.specs[this.slot]!.layers?.has(digest) === true;
  }
}
