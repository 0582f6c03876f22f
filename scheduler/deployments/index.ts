export { alarmsOf } from './alarms.ts';
export { crashDelay, startDelay } from './backoff.ts';
export { breakerThreshold, lowerBound, upperBound } from './bounds.ts';
export { newestCompleted } from './completed.ts';
export { eventTexts } from './events.ts';
export { interruption } from './interrupt.ts';
export { isHealthy } from './health.ts';
export { isMeasured } from './judged-steps.ts';
export { judgementText } from './judgement.ts';
export { isMoved, rebalanceTag } from './moves.ts';
export { defaultReconcilerOptions, type ReconcilerOptions } from './options.ts';
export { countProviders, nextProviders, type ProviderCounts, sharesOf, tasksOn } from './providers.ts';
export { reconcileService } from './reconcile.ts';
export {
  type Blocked,
  blockedKey,
  type Decision,
  decisionKinds,
  type Gain,
  type HostCondition,
  missingDefinition,
  type ServicePlan,
  type ServiceState,
  type Start,
  type TargetPlace,
  type WatchedAlarm,
} from './types.ts';
export { unhealthyTarget } from './targets.ts';
export { computedCount, hasTaskSets, startedAs } from './task-sets.ts';
export { type DeploymentVerdict, verdictOf } from './verdict.ts';
export { inOtherGroup } from './weights.ts';
