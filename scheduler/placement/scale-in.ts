/** Which tasks to end first: the strategies in reverse (developer guide, "task placement strategies" and "scale in"). */
import { SlotCandidate } from './candidate.ts';
import type { Cluster, TaskEntry } from './cluster.ts';
import { type Compiler, serviceDefault } from './compile.ts';
import type { Scorer } from './extension.ts';
import type { StrategySpec } from './types.ts';

/** Tasks that are equal to every strategy: on one instance, of one group and size. */
interface Bundle {
  readonly sample: TaskEntry;
  /** Positions in the order given, the next to end last. */
  readonly positions: number[];
  readonly levels: readonly (() => number)[];
}

/**
 * Ends one task after the other in thought: each time the one that is worst placed by the first strategy, ties by the
 * next. `spread` ends where the group has the most tasks, `binpack` where the most of the resource is left afterwards,
 * `random` draws. What is still equal keeps the order given, so the caller can put old revisions first. Tasks of `before` have
 * ended already in thought. Cost: `enough` times the number of instances the tasks are on.
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
  const draws = end !== -1;
  const chain = compiler.chain(draws ? specs.slice(0, end) : specs);
  const ended = new Ended(cluster);
  const bundleOf = (task: TaskEntry): Bundle => ({
    sample: task,
    positions: [],
    levels: chain.map(({ open }) => levelOf(cluster, task, open({ shape: task.shape, group: task.group.name }), ended)),
  });
  const bundles = bundled(tasks, bundleOf);
  for (const task of before) ended.add(task);
  const ordered: TaskEntry[] = [];
  while (ordered.length < Math.min(enough, tasks.length)) {
    const worst = worstOf(bundles);
    const position = draws ? drawn(worst, draw) : Math.min(...worst.map(({ positions }) => positions.at(-1)!));
    const bundle = worst.find(({ positions }) => positions.includes(position))!;
    bundle.positions.splice(bundle.positions.lastIndexOf(position), 1);
    ended.add(bundle.sample);
    ordered.push(tasks[position]!);
  }
  return ordered;
}

function bundled(tasks: readonly TaskEntry[], make: (task: TaskEntry) => Bundle): readonly Bundle[] {
  const bundles = new Map<string, Bundle>();
  for (let position = tasks.length - 1; position >= 0; position--) {
    const task = tasks[position]!;
    const key = `${task.slot} ${task.group.number} ${task.shape.cpu} ${task.shape.memory} ${task.counts} ${task.leaving}`;
    let bundle = bundles.get(key);
    if (bundle === undefined) bundles.set(key, (bundle = make(task)));
    bundle.positions.push(position);
  }
  return [...bundles.values()];
}

function worstOf(bundles: readonly Bundle[]): readonly Bundle[] {
  let worst: Bundle[] = [];
  for (const bundle of bundles) {
    if (bundle.positions.length === 0) continue;
    const order = worst.length === 0 ? 1 : compare(bundle.levels, worst[0]!.levels);
    if (order > 0) worst = [bundle];
    else if (order === 0) worst.push(bundle);
  }
  return worst;
}

function drawn(bundles: readonly Bundle[], draw: (count: number) => number): number {
  const positions = bundles.flatMap((bundle) => bundle.positions).sort((left, right) => left - right);
  return positions[draw(positions.length)]!;
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

  add({ slot, shape, group, counts, leaving }: TaskEntry): void {
    this.#bump(`cpu ${slot}`, shape.cpu);
    this.#bump(`memory ${slot}`, shape.memory);
    if (!counts || leaving) return;
    this.#bump(`tasks ${group.number} ${slot}`, 1);
    for (const { column } of group.perValue) {
      this.#bump(`${column.name} ${group.number} ${column.bySlot[slot]}`, 1);
    }
  }

  /** What would be free on the slot. */
  free(resource: 'cpu' | 'memory', slot: number): number {
    return Math.max(0, this.#cluster.unused(resource, slot) + this.get(`${resource} ${slot}`));
  }

  #bump(key: string, amount: number): void {
    this.#amounts.set(key, this.get(key) + amount);
  }
}

/** More is ended first. */
function levelOf(cluster: Cluster, task: TaskEntry, scorer: Scorer, ended: Ended): () => number {
  const { slot, group, shape } = task;
  const candidate = new SlotCandidate(cluster, group);
  candidate.slot = slot;
  const now = scorer.score(candidate);
  const { reads } = scorer;
  switch (reads.kind) {
    case 'remaining': {
      const { resource } = reads;
      return () => ended.free(resource, slot) + shape[resource];
    }
    case 'group':
      return () => now - ended.get(`tasks ${group.number} ${slot}`);
    case 'spread': {
      const column = cluster.column(reads.attribute);
      const key = `${column.name} ${group.number} ${column.bySlot[slot]}`;
      return () => now - ended.get(key);
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
