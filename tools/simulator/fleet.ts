/** Capacity questions about a workload: how many instances, what a lost zone does, what the rebalancer saves. */
import type { StrategySpec } from '@slipway/scheduler/placement';
import { instanceOf, type InstanceType } from './capacity.ts';
import { simulate, type SimulationResult } from './simulation.ts';
import type { WorkloadTask } from './workload.ts';

export interface FleetQuestion {
  readonly workload: readonly WorkloadTask[];
  readonly type: InstanceType;
  readonly zones: readonly string[];
  readonly strategies: readonly StrategySpec[];
  readonly seed: number;
}

/** More than anybody will ask for: past this a type is reported as unable to hold the workload. */
const mostInstances = 131_072;

/** The fewest instances of the type on which no task of the workload waits; undefined when no number is enough. */
export function fewestInstances(question: FleetQuestion): number | undefined {
  const { type, workload } = question;
  const fits = workload.every(
    ({ shape }) => shape.cpu <= type.cpu && shape.memory <= type.memory && shape.gpus <= type.gpus,
  );
  if (!fits) return undefined;
  const enough = (count: number): boolean => play(question, count).delayed === 0;
  let high = 1;
  while (!enough(high)) {
    if (high >= mostInstances) return undefined;
    high *= 2;
  }
  let low = high >>> 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Plays the workload on so many instances of the type. */
export function play(
  { workload, type, zones, strategies, seed }: FleetQuestion,
  count: number,
  rebalance?: { readonly every: number; readonly sharePerHour: number },
): SimulationResult {
  const instances = Array.from({ length: count }, (_, number) => instanceOf(type, number, zones));
  return simulate({ instances, workload, strategies, seed, ...(rebalance === undefined ? {} : { rebalance }) });
}

/** As `play`, with the first zone's instances missing: how many tasks have to wait. */
export function playWithoutZone(question: FleetQuestion, count: number, zone: string): SimulationResult {
  const { workload, type, zones, strategies, seed } = question;
  const instances = Array.from({ length: count }, (_, number) => instanceOf(type, number, zones)).filter(
    (_, number) => zones[number % zones.length] !== zone,
  );
  return simulate({ instances, workload, strategies, seed });
}
