/** Which tasks to end first: the strategies in reverse (developer guide, "task placement strategies" and "scale in"). */
import { SlotCandidate } from './candidate.ts';
import type { Cluster, TaskEntry } from './cluster.ts';
import { type Compiler, serviceDefault } from './compile.ts';
import type { Scorer } from './extension.ts';
import { type Level, Ranking } from './ranking.ts';
import type { StrategySpec } from './types.ts';

/** Tasks that are equal to every strategy: on one instance, of one group and size. */
interface Bundle {
  readonly sample: TaskEntry;
  /** Positions in the order given, ascending. */
  readonly positions: number[];
}

/**
 * Ends one task after the other in thought: each time the one that is worst placed by the first strategy, ties by the
 * next. `spread` ends where the group has the most tasks, `binpack` where the most of the resource is left afterwards,
 * `random` draws. What is still equal keeps the order given, so the caller can put old revisions first. Tasks of `before` have
 * ended already in thought. Cost: the number of tasks, and for each that is ended the logarithm of the number of instances; a draw looks
 * at everything that is equal.
 */
export function orderForScaleIn(
  cluster: Cluster,
  compiler: Compiler,
  tasks: readonly TaskEntry[],
  strategies: readonly StrategySpec[],
  draw: (count: number) => number,
  { enough, before }: { readonly enough: number; readonly before: readonly TaskEntry[] },
): readonly TaskEntry[] {
  const specs = strategies.length === 0 ? serviceDefault : strategies;
  const end = specs.findIndex((spec) => spec.type === 'random');
  const chain = compiler.chain(end === -1 ? specs : specs.slice(0, end));
  const ended = new Ended(cluster);
  const ranking = new Ranking();
  for (const { sample, positions } of bundled(tasks)) {
    const request = { shape: sample.shape, group: sample.group.name };
    ranking.add(
      chain.map(({ open }) => levelOf(cluster, sample, open(request), ended)),
      positions,
    );
  }
  for (const task of before) ranking.changed(ended.add(task));
  const ordered: TaskEntry[] = [];
  while (ordered.length < Math.min(enough, tasks.length)) {
    const position = end === -1 ? ranking.takeFirst() : ranking.takeDrawn(draw);
    const task = tasks[position]!;
    ordered.push(task);
    ranking.changed(ended.add(task));
  }
  return ordered;
}

function bundled(tasks: readonly TaskEntry[]): Iterable<Bundle> {
  const bundles = new Map<string, Bundle>();
  for (const [position, task] of tasks.entries()) {
    const { cpu, memory } = task.shape;
    const key = `${task.slot} ${task.group.number} ${cpu} ${memory} ${task.counts} ${task.leaving}`;
    const bundle = bundles.get(key);
    if (bundle === undefined) bundles.set(key, { sample: task, positions: [position] });
    else bundle.positions.push(position);
  }
  return bundles.values();
}

/** What the tasks ended so far, in thought, have given back. */
class Ended {
  readonly #cluster: Cluster;
  readonly #amounts = new Map<string, number>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get(key: string): number {
    return this.#amounts.get(key) ?? 0;
  }

  /** @returns the amounts that changed */
  add({ slot, shape, group, counts, leaving }: TaskEntry): readonly string[] {
    const changed = [this.#bump(`cpu ${slot}`, shape.cpu), this.#bump(`memory ${slot}`, shape.memory)];
    if (!counts || leaving) return changed;
    changed.push(this.#bump(`tasks ${group.number} ${slot}`, 1));
    for (const { column } of group.perValue)
      changed.push(this.#bump(`${column.name} ${group.number} ${column.bySlot[slot]}`, 1));
    return changed;
  }

  /** What would be free on the slot. */
  free(resource: 'cpu' | 'memory', slot: number): number {
    return Math.max(0, this.#cluster.unused(resource, slot) + this.get(`${resource} ${slot}`));
  }

  #bump(key: string, amount: number): string {
    this.#amounts.set(key, this.get(key) + amount);
    return key;
  }
}

/** How a strategy sees a task. Tasks whose levels have the same key are seen alike by it, now and later. */
function levelOf(cluster: Cluster, task: TaskEntry, scorer: Scorer, ended: Ended): Level {
  const { slot, group, shape } = task;
  const candidate = new SlotCandidate(cluster, group);
  candidate.slot = slot;
  const now = scorer.score(candidate);
  const { reads } = scorer;
  const counted = (amount: string): Level => ({
    key: amount,
    dependsOn: amount,
    score: () => now - ended.get(amount),
  });
  switch (reads.kind) {
    case 'remaining': {
      const { resource } = reads;
      const own = shape[resource];
      const dependsOn = `${resource} ${slot}`;
      return { key: `${dependsOn} ${own}`, dependsOn, score: () => ended.free(resource, slot) + own };
    }
    case 'group':
      return counted(`tasks ${group.number} ${slot}`);
    case 'spread': {
      const column = cluster.column(reads.attribute);
      return counted(`${column.name} ${group.number} ${column.bySlot[slot]}`);
    }
    case 'instance':
    case 'cluster':
    case 'random':
      return { key: String(now), dependsOn: undefined, score: () => now };
  }
}
