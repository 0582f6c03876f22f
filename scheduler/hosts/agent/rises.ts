import type { TaskMetrics } from './sampler.ts';

/** Looks that follow soon after one at which a task was found to use much more than before. */
const followUps = 2;

/** Milliseconds from one of them to the next: whoever is told believes looks in a row, and not one alone. */
const soon = 3_000;

/** What a task has to use more, of what it used before; and at least: per cent of the host's processors, MiB. */
const share = 0.2;
const least = { cpu: 1, memory: 16 } as const;

interface Use {
  readonly cpu: number | undefined;
  readonly memory: number;
}

/** When tasks are measured next: regularly, and sooner while it looks as if there was more to do for one of them. */
export class Rises {
  readonly #regular: number;
  #last = new Map<string, Use>();
  #left = 0;

  /** @param regular milliseconds between looks when nothing rises */
  constructor(regular: number) {
    this.#regular = regular;
  }

  /** Takes in what was measured. @returns milliseconds until the next look */
  next(tasks: TaskMetrics): number {
    const now = new Map(tasks.map((task) => [task.taskArn, useOf(task)]));
    // Of a task that is new nobody knows what it uses otherwise.
    const rises = [...now].some(([arn, use]) => hasRisen(this.#last.get(arn), use));
    this.#last = now;
    this.#left = rises ? followUps : Math.max(0, this.#left - 1);
    return this.#left > 0 ? Math.min(soon, this.#regular) : this.#regular;
  }
}

function useOf({ containerMetrics = [] }: TaskMetrics[number]): Use {
  const cpus = containerMetrics.flatMap(({ cpuStatsSet }) => cpuStatsSet?.sum ?? []);
  return {
    cpu: cpus.length === 0 ? undefined : sum(cpus),
    memory: sum(containerMetrics.flatMap(({ memoryStatsSet }) => memoryStatsSet?.sum ?? [])),
  };
}

const sum = (all: readonly number[]): number => all.reduce((total, value) => total + value, 0);

const hasRisen = (before: Use | undefined, { cpu, memory }: Use): boolean =>
  before !== undefined &&
  ((cpu !== undefined && before.cpu !== undefined && isMore(before.cpu, cpu, least.cpu)) ||
    isMore(before.memory, memory, least.memory));

const isMore = (before: number, after: number, atLeast: number): boolean =>
  after - before >= Math.max(atLeast, before * share);
