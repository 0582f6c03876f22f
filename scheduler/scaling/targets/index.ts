export { type ActionDraft, deleteAction, putAction } from './actions.ts';
export { activitiesKept } from './activities.ts';
export { invalid, noTarget } from './errors.ts';
export {
  actionArn,
  dimension,
  isPolicyArn,
  policyArn,
  resourceId,
  scalingKeys,
  scalingRows,
  targetArn,
  targetId,
} from './keys.ts';
export { deletePolicy, dropAlarms, type PolicyDraft, type PolicyPorts, putPolicy } from './policies.ts';
export type {
  ActionRecord,
  ActivityRecord,
  PolicyRecord,
  PredictedMetric,
  PredictivePolicy,
  ForecastRecord,
  Suspended,
  TargetRecord,
  TrackedMath,
  TrackedMetric,
  TrackingPolicy,
} from './records.ts';
export type { FreshNumbers, ScalerPorts } from './commit.ts';
export { predictedNames, usualBuffer } from './forecasts.ts';
export { scaleServices } from './scaler.ts';
export { changeTags, deregisterTarget, findTarget, type Registration, registerTarget } from './targets.ts';
export { alarmNames, predefinedMetric, usualCooldown } from './tracking.ts';
