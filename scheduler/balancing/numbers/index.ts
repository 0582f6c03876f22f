/** What traffic engines have counted: added up by whoever drives an engine, kept in memory by every process. */
export { balancingMetrics } from './metrics.ts';
export {
  type BalancerNumbers,
  type GroupNumbers,
  type GroupRates,
  type NumbersOptions,
  TrafficNumbers,
} from './numbers.ts';
export { NumbersRecorder } from './recorder.ts';
export { TrafficTeller } from './teller.ts';
export { numbersKeys, numbersPartition, numbersRows } from './keys.ts';
export type { GroupSample } from './records.ts';
