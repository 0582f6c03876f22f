/** Which task of a service is worst placed by its own strategies, and what it would gain elsewhere. */
import { SlotCandidate } from './candidate.ts';
import type { Cluster, TaskEntry } from './cluster.ts';
import type { Scorer } from './extension.ts';
import type { Improvement, PlacementRequest, StrategySpec } from './types.ts';

/** A strategy that reads amounts, or has scores of its own, must gain so much of them: less is not worth a restart. */
const leastShare = 0.1;

/** What a search needs of the index. */
export interface Search {
  readonly cluster: Cluster;
  /** The strategies that decide, in order, those after a `random` left out, opened for the request. */
  readonly chain: readonly { readonly spec: StrategySpec; readonly scorer: Scorer }[];
  /** Runs `work` as if the task were gone. */
  readonly without: <T>(task: TaskEntry, work: () => T) => T;
  /** Where a task of the request would go; -1 when nowhere. */
  readonly place: () => number;
}

/**
 * Looks at one task of each instance, in the order of scale-in, and places it anew in thought. Strategies are compared as they decide:
 * the first one that sees a difference says whether the move pays. Each move brings the task's own service nearer to its strategies by at
 * least what they must gain, so that moves come to an end while nothing else changes, and none is ever taken back.
 * @param tasks worst placed first, one of an instance
 */
export function bestImprovement(
  { cluster, chain, without, place }: Search,
  tasks: readonly TaskEntry[],
): Improvement | undefined {
  let best: Gained | undefined;
  for (const task of tasks) {
    // As it is now: one that is gone is nowhere.
    const there = { ...task };
    const found = without(task, () => gainOf(cluster, chain, there, place()));
    if (found === undefined) continue;
    if (best === undefined || found.level < best.level || (found.level === best.level && found.gain > best.gain))
      best = found;
    // Nothing is worse placed by the first strategy than the first in its order.
    if (best.level === 0) break;
  }
  return best?.improvement;
}

/** A move, the place of the strategy that it pays by, and how much. */
interface Gained {
  readonly level: number;
  readonly gain: number;
  readonly improvement: Improvement;
}

function gainOf(cluster: Cluster, chain: Search['chain'], task: TaskEntry, slot: number): Gained | undefined {
  if (slot === -1 || slot === task.slot) return undefined;
  const candidate = new SlotCandidate(cluster, task.group);
  const scoreAt = (scorer: Scorer, at: number): number => {
    candidate.slot = at;
    return scorer.score(candidate);
  };
  for (const [level, { spec, scorer }] of chain.entries()) {
    const before = scoreAt(scorer, task.slot);
    const after = scoreAt(scorer, slot);
    if (before === after) continue;
    const gain = before - after;
    if (!(gain >= leastGain(cluster, scorer, task, { before, after }))) return undefined;
    const [from, to] = [cluster.specs[task.slot]!.id, cluster.specs[slot]!.id];
    return { level, gain, improvement: { taskId: task.id, from, to, strategy: spec, before, after } };
  }
  return undefined;
}

function leastGain(
  cluster: Cluster,
  { reads }: Scorer,
  { slot, shape }: TaskEntry,
  { before, after }: { readonly before: number; readonly after: number },
): number {
  switch (reads.kind) {
    // Of two that differ by one, each would be as crowded as the other was.
    case 'spread':
    case 'group':
      return 1;
    case 'remaining':
      return Math.max(1, shape[reads.resource], leastShare * cluster.specs[slot]![reads.resource]);
    case 'instance':
    case 'cluster':
    case 'random':
      return Math.max(Number.MIN_VALUE, leastShare * Math.max(Math.abs(before), Math.abs(after)));
  }
}

/** A request's strategies up to the first that draws. */
export function decisive(
  { strategies, kind }: PlacementRequest,
  ofServices: readonly StrategySpec[],
): readonly StrategySpec[] {
  const specs = strategies.length > 0 ? strategies : kind === 'service' ? ofServices : [];
  const end = specs.findIndex(({ type }) => type === 'random');
  return end === -1 ? specs : specs.slice(0, end);
}
