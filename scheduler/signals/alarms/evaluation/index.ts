export { type Evaluation, evaluate, isBreaching, rangeOf, strideOf, windowOf } from './evaluate.ts';
export { type Measured, reasonDataOf, reasonOf, zonedTime } from './reason.ts';
export {
  type AlarmPoint,
  type AlarmRule,
  type AlarmState,
  alarmStates,
  type Comparison,
  comparisons,
  missingTreatments,
  type MissingTreatment,
} from './types.ts';
