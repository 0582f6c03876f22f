/** The placement core: which instance a task goes to, and why it goes nowhere. Pure. */
export { type ClusterQuery, type Operator, parseClusterQuery, type QueryTest, type Subject } from './query-parser.ts';
export { compileQuery, type InstanceView } from './query.ts';
export { ClusterQueryError, PlacementError, placementErrorCodes } from './errors.ts';
export { createPlacementIndex } from './placement-index.ts';
export type { Candidate, Check, Constraint, Reads, Scorer, Strategy, Use } from './extension.ts';
export { seededRandom } from './random.ts';
export type {
  ConstraintSpec,
  ExtensionType,
  InstanceSpec,
  Placed,
  PlacedTask,
  PlacementIndex,
  PlacementOptions,
  PlacementRequest,
  StrategySpec,
  TaskShape,
  Unplaceable,
} from './types.ts';
