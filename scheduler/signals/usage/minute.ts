import type { ContainerUsage, TaskName } from './records.ts';

/** What a task has used over a period: CPU units, MiB, bytes a second; and bytes that its disks have read and written in it. */
export interface TaskUsage {
  readonly task: TaskName;
  readonly cpu?: number;
  readonly memory?: number;
  readonly received?: number;
  readonly sent?: number;
  readonly read?: number;
  readonly written?: number;
}

const rates = ['cpu', 'memory', 'received', 'sent'] as const;
const counters = ['read', 'written'] as const;

/** Looks at a task that are remembered. */
export const looksKept = 3;

/** Milliseconds between looks that are remembered: what comes at once says the same thing twice. */
const apart = 2_000;

/** Seconds that a look stands for at most. */
const longest = 60;

interface Mean {
  sum: number;
  /** Seconds. */
  weight: number;
}

/** Adds up looks at one task until they are taken away, and remembers what counters stood at. */
export class TaskMinute {
  /** The newest look, all containers together. */
  newest: TaskUsage;
  /** When the task came to run: milliseconds since the epoch. */
  readonly startedAt: number;
  /** Milliseconds since the epoch. */
  seenAt = 0;
  /** The task is no longer among those of its instance. */
  gone = false;
  /** The last looks that said something of each, the newest first. */
  readonly last: { [R in 'cpu' | 'memory']: readonly number[] } = { cpu: [], memory: [] };
  #keptAt = Number.NEGATIVE_INFINITY;
  readonly #means = new Map<(typeof rates)[number], Mean>();
  readonly #grown = new Map<(typeof counters)[number], number>();
  /** By container and counter; of a container that is new nobody knows what was before. */
  #stands = new Map<string, number>();
  #saidAt: number | undefined;

  constructor(task: TaskName, startedAt: number) {
    this.newest = { task };
    this.startedAt = startedAt;
  }

  /**
   * @param saidAt the time of the agent's message, by its own clock: the same message again counts once
   * @param now milliseconds since the epoch
   */
  take(task: TaskName, containers: readonly ContainerUsage[], saidAt: number | undefined, now: number): void {
    if (containers.length === 0 || (saidAt !== undefined && saidAt === this.#saidAt)) return;
    this.#saidAt = saidAt;
    // A look says what was used since the one before: those that come soon after count as little as they say.
    const weight = this.seenAt === 0 ? 1 : Math.min(Math.max((now - this.seenAt) / 1000, 1), longest);
    this.seenAt = now;
    const sums: Partial<Record<(typeof rates)[number], number>> = {};
    for (const rate of rates) {
      const sum = sumOf(containers, rate);
      if (sum === undefined) continue;
      sums[rate] = sum;
      const mean = this.#means.getOrInsertComputed(rate, () => ({ sum: 0, weight: 0 }));
      mean.sum += sum * weight;
      mean.weight += weight;
    }
    // A clock that was set back must not keep what was said last.
    if (Math.abs(now - this.#keptAt) >= apart) {
      this.#keptAt = now;
      for (const rate of ['cpu', 'memory'] as const) {
        const sum = sums[rate];
        if (sum !== undefined) this.last[rate] = newestFirst(sum, this.last[rate]);
      }
    }
    const stands = new Map<string, number>();
    for (const counter of counters)
      for (const one of containers) {
        const value = one[counter];
        if (value === undefined) continue;
        const key = `${counter} ${one.name}`;
        const before = this.#stands.get(key);
        stands.set(key, value);
        if (before === undefined) continue;
        // One that is lower began anew with its container, and what it has since is all of it.
        const more = value < before ? value : value - before;
        this.#grown.set(counter, (this.#grown.get(counter) ?? 0) + more);
      }
    this.#stands = stands;
    this.newest = { task, ...sums };
  }

  /** What was used since the last call; undefined when nothing was said. */
  cut(): TaskUsage | undefined {
    if (this.#means.size === 0) return undefined;
    const usage: TaskUsage = {
      task: this.newest.task,
      ...Object.fromEntries([...this.#means].map(([rate, { sum, weight }]) => [rate, sum / weight])),
      ...Object.fromEntries(this.#grown),
    };
    this.#means.clear();
    this.#grown.clear();
    return usage;
  }
}

/** What all containers have used of one thing together; undefined where nothing is known of any. */
function sumOf(containers: readonly ContainerUsage[], rate: (typeof rates)[number]): number | undefined {
  let sum: number | undefined;
  for (const one of containers) {
    const value = one[rate];
    if (value !== undefined) sum = (sum ?? 0) + value;
  }
  return sum;
}

function newestFirst(newest: number, before: readonly number[]): readonly number[] {
  const looks = [newest];
  for (const look of before) if (looks.length < looksKept) looks.push(look);
  return looks;
}
