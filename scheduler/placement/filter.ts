/**
 * Which instances a request's attributes and expressions admit, as a bitset over slots. Simple expressions become one
 * bitset each; `and`, `or` and `not` combine 32 slots at a time. Kept up to date from the change log, word by word.
 */
import type { Cluster } from './cluster.ts';
import { removed } from './cluster.ts';
import type { ClusterQuery, QueryTest } from './query-parser.ts';
import { testGroups, testValue } from './query.ts';

/** One bit a slot for something that can be asked of a single instance. */
interface Leaf {
  readonly test: (slot: number) => boolean;
  bits: Int32Array;
}

type WordProgram = (word: number) => number;

/** One reason of the filter to rule an instance out. */
export interface FilterPart {
  /** The code of `Unplaceable`. */
  readonly code: string;
  /** The expression or the attribute, for people. */
  readonly label: string;
  readonly condition: ClusterQuery | PartTest;
}

/** A part that is asked slot by slot: a plug-in's check. */
export interface PartTest {
  readonly kind: 'check';
  readonly reads: 'instance' | 'tasks';
  readonly test: (slot: number) => boolean;
}

export class Filter {
  readonly parts: readonly FilterPart[];
  /** Distinguishes it from every other filter of the cluster. */
  readonly number: number;
  readonly #cluster: Cluster;
  readonly #leaves: Leaf[] = [];
  readonly #programs: readonly WordProgram[];
  #bits = new Int32Array(0);
  /** Whether an answer can change with the tasks on an instance. */
  #readsTasks = false;
  #cursor = 0;
  #generation = -1;

  constructor(cluster: Cluster, parts: readonly FilterPart[], number: number) {
    this.#cluster = cluster;
    this.number = number;
    this.parts = parts;
    this.#programs = parts.map((part) => this.#program(part.condition));
  }

  /** Brings the bits up to date; call before `admits`. Costs a word for each instance that changed since the last call. */
  sync(): void {
    const log = this.#readsTasks ? this.#cluster.changes : this.#cluster.attributeChanges;
    if (this.#generation === this.#cluster.generation && this.#cursor === log.end) return;
    const words = this.#cluster.capacity >>> 5;
    if (this.#generation !== this.#cluster.generation || this.#bits.length !== words) {
      this.#rebuild(words);
    } else {
      for (let slot = log.newest; slot !== -1 && log.changedAt[slot]! >= this.#cursor; slot = log.older[slot]!) {
        this.#renew(slot);
      }
    }
    this.#generation = this.#cluster.generation;
    this.#cursor = log.end;
  }

  admits(slot: number): boolean {
    return (this.#bits[slot >>> 5]! & (1 << (slot & 31))) !== 0;
  }

  /** Whether one part admits the slot, for reasons. */
  partAdmits(part: number, slot: number): boolean {
    return (this.#programs[part]!(slot >>> 5) & (1 << (slot & 31))) !== 0;
  }

  #rebuild(words: number): void {
    this.#bits = new Int32Array(words);
    for (const leaf of this.#leaves) {
      leaf.bits = new Int32Array(words);
      for (let slot = 0; slot < this.#cluster.slots; slot++) {
        if (this.#cluster.status[slot] !== removed && leaf.test(slot)) leaf.bits[slot >>> 5]! |= 1 << (slot & 31);
      }
    }
    for (let word = 0; word < words; word++) this.#bits[word] = this.#evaluate(word);
  }

  #renew(slot: number): void {
    const word = slot >>> 5;
    const bit = 1 << (slot & 31);
    const present = this.#cluster.status[slot] !== removed;
    for (const leaf of this.#leaves) {
      if (present && leaf.test(slot)) leaf.bits[word]! |= bit;
      else leaf.bits[word]! &= ~bit;
    }
    this.#bits[word] = this.#evaluate(word);
  }

  #evaluate(word: number): number {
    let bits = -1;
    for (const program of this.#programs) bits &= program(word);
    return bits;
  }

  #program(condition: ClusterQuery | PartTest): WordProgram {
    if (condition.kind === 'check') {
      if (condition.reads === 'tasks') this.#readsTasks = true;
      return this.#leaf(condition.test);
    }
    if (condition.kind === 'test') return this.#leaf(this.#slotTest(condition));
    if (condition.kind === 'not') {
      const inner = this.#program(condition.term);
      return (word) => ~inner(word);
    }
    const [first, ...others] = condition.terms.map((term) => this.#program(term));
    const { kind } = condition;
    return others.reduce<WordProgram>(
      (left, right) => (kind === 'and' ? (word) => left(word) & right(word) : (word) => left(word) | right(word)),
      first!,
    );
  }

  #leaf(test: (slot: number) => boolean): WordProgram {
    const leaf: Leaf = { test, bits: new Int32Array(0) };
    this.#leaves.push(leaf);
    return (word) => leaf.bits[word]!;
  }

  #slotTest(test: QueryTest): (slot: number) => boolean {
    const cluster = this.#cluster;
    const { subject } = test;
    if (subject.kind === 'task:group') return this.#groupTest(test);
    const holds = testValue(test);
    switch (subject.kind) {
      case 'attribute': {
        const column = cluster.column(subject.name);
        const known: boolean[] = [];
        return (slot) => {
          const number = column.bySlot[slot]!;
          return (known[number] ??= holds(column.values[number]));
        };
      }
      case 'runningTasksCount':
        this.#readsTasks = true;
        return (slot) => holds(cluster.running[slot]);
      case 'agentConnected':
        return (slot) => holds(String(cluster.specs[slot]!.agentConnected));
      case 'agentVersion':
      case 'ec2InstanceId':
      case 'registeredAt': {
        const { kind } = subject;
        return (slot) => holds(cluster.specs[slot]![kind]);
      }
    }
  }

  #groupTest(test: QueryTest): (slot: number) => boolean {
    this.#readsTasks = true;
    const cluster = this.#cluster;
    const holds = testGroups(test);
    return (slot) => holds({ taskGroups: groupsOn(cluster, slot) });
  }
}

/** The groups of the tasks with desired status RUNNING on a slot. */
function* groupsOn(cluster: Cluster, slot: number): Generator<string> {
  for (const task of cluster.tasksOn(slot)) if (task.counts) yield task.group.name;
}
