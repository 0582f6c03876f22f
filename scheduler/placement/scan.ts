import type { Cluster } from './cluster.ts';
import type { Request } from './request.ts';

/**
 * Decides by looking at every instance: right for every request, and the fallback for strategies no index can serve.
 * Returns the slot, or -1 when no instance can take the request.
 */
export function chooseByScan(cluster: Cluster, request: Request, draw: (count: number) => number): number {
  const { scorers } = request;
  const best: number[] = [];
  let chosen: number[] = [];
  for (let slot = 0; slot < cluster.slots; slot++) {
    if (request.causes(slot) !== 0) continue;
    const order = chosen.length === 0 ? -1 : compare(request, slot, best);
    if (order === 0) {
      if (request.draws) chosen.push(slot);
      continue;
    }
    if (order > 0) continue;
    for (const [level, scorer] of scorers.entries()) best[level] = request.score(scorer, slot);
    chosen = [slot];
  }
  return pick(chosen, request.draws, draw);
}

function compare(request: Request, slot: number, best: readonly number[]): number {
  for (let level = 0; level < best.length; level++) {
    const score = request.score(request.scorers[level]!, slot);
    if (score !== best[level]) return score < best[level]! ? -1 : 1;
  }
  return 0;
}

/** The first of equal candidates, or one drawn from them. */
export function pick(slots: readonly number[], draws: boolean, draw: (count: number) => number): number {
  if (slots.length === 0) return -1;
  return draws ? slots[draw(slots.length)]! : slots[0]!;
}
