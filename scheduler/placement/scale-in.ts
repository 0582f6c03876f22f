/** Which tasks to end first: the strategies in reverse (developer guide, "task placement strategies" and "scale in"). */
import type { Cluster, TaskEntry } from './cluster.ts';
import { SlotCandidate } from './candidate.ts';
import { type Compiler, serviceDefault } from './compile.ts';
import type { Scorer } from './extension.ts';
import type { StrategySpec } from './types.ts';

/**
 * Ends one task after the other in thought: each time the one that is worst placed by the first strategy, ties by the
 * next. `spread` ends where the group has the most tasks, `binpack` where the most of the resource is left afterwards,
 * `random` draws. What is still equal keeps the order given, so the caller can put old revisions first.
 * Cost: `enough` times the number of candidates.
 */
export function orderForScaleIn(
  cluster: Cluster,
  compiler: Compiler,
  tasks: readonly TaskEntry[],
  strategies: readonly StrategySpec[],
  draw: (count: number) => number,
  enough: number,
): readonly TaskEntry[] {
  const specs = strategies.length === 0 ? serviceDefault : strategies;
  const draws = specs.findIndex((spec) => spec.type === 'random');
  const chain = compiler.chain(draws === -1 ? specs : specs.slice(0, draws));
  const released = new Released();
  const rest = tasks.map((task) => ({
    task,
    levels: chain.map(({ open }) =>
      levelOf(cluster, task, open({ shape: task.shape, group: task.group.name }), released),
    ),
  }));
  const ordered: TaskEntry[] = [];
  while (rest.length > 0 && ordered.length < enough) {
    let best: number[] = [];
    for (const [index, entry] of rest.entries()) {
      const order = best.length === 0 ? 1 : compare(entry.levels, rest[best[0]!]!.levels);
      if (order > 0) best = [index];
      else if (order === 0 && draws !== -1) best.push(index);
    }
    const chosen = best[draws === -1 ? 0 : draw(best.length)]!;
    for (const { task } of rest.splice(chosen, 1)) {
      released.add(task);
      ordered.push(task);
    }
  }
  return ordered;
}

/** What the tasks ended so far, in thought, have given back. */
class Released {
  readonly #amounts = new Map<string, number>();

  get(key: string): number {
    return this.#amounts.get(key) ?? 0;
  }

  add({ slot, shape, group, counts }: TaskEntry): void {
    this.#bump(`cpu ${slot}`, shape.cpu);
    this.#bump(`memory ${slot}`, shape.memory);
    if (!counts) return;
    this.#bump(`tasks ${group.number} ${slot}`, 1);
    for (const column of group.perValue.keys()) {
      this.#bump(`${column.name} ${group.number} ${column.bySlot[slot]}`, 1);
    }
  }

  #bump(key: string, amount: number): void {
    this.#amounts.set(key, this.get(key) + amount);
  }
}

/** More is ended first. */
function levelOf(cluster: Cluster, task: TaskEntry, scorer: Scorer, released: Released): () => number {
  const { slot, group, shape } = task;
  const candidate = new SlotCandidate(cluster, group);
  candidate.slot = slot;
  const now = scorer.score(candidate);
  const { reads } = scorer;
  switch (reads.kind) {
    case 'remaining': {
      const { resource } = reads;
      return () => now + shape[resource] + released.get(`${resource} ${slot}`);
    }
    case 'group':
      return () => now - released.get(`tasks ${group.number} ${slot}`);
    case 'spread': {
      const column = cluster.column(reads.attribute);
      const key = `${column.name} ${group.number} ${column.bySlot[slot]}`;
      return () => now - released.get(key);
    }
    case 'instance':
    case 'cluster':
    case 'random':
      return () => now;
  }
}

function compare(left: readonly (() => number)[], right: readonly (() => number)[]): number {
  for (const [index, level] of left.entries()) {
    const difference = level() - right[index]!();
    if (difference !== 0) return difference;
  }
  return 0;
}
