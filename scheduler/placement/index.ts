/** The placement core: which instance a task goes to, and why it goes nowhere. Pure. */
export { type ClusterQuery, type Operator, parseClusterQuery, type QueryTest, type Subject } from './query-parser.ts';
export { compileQuery, type InstanceView } from './query.ts';
export { ClusterQueryError, PlacementError, placementErrorCodes } from './errors.ts';
export { type BlankHost, type HostsNeeded, hostsNeeded } from './hosts-needed.ts';
export { createPlacementIndex, restorePlacementIndex } from './placement-index.ts';
export type { Candidate, Check, Constraint, Reads, Scorer, Strategy, Use } from './extension.ts';
export { serviceDefault } from './compile.ts';
export type { Tuning } from './chooser.ts';
export { type Move, proposeMoves, type RebalanceOptions, type RebalancePlan } from './rebalance.ts';
export { loadPlacementPlugins, type PlacementPlugins } from './plugins.ts';
export { builtInExtensions } from './strategies.ts';
export { seededRandom } from './random.ts';
export type {
  ConstraintSpec,
  DaemonPlan,
  ExtensionType,
  Improvement,
  InstanceSpec,
  Placed,
  PlacedTask,
  PlacementExplanation,
  PlacementIndex,
  PlacementOptions,
  PlacementRequest,
  PlacementSnapshot,
  PlannedTask,
  PlanOutcome,
  Reservation,
  StrategySpec,
  TaskShape,
  Unplaceable,
} from './types.ts';
