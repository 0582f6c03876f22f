export {
  calmFor,
  type CapacityHost,
  type CapacityPlan,
  type CapacityRule,
  type CapacityState,
  decideCapacity,
  restFor,
} from './capacity.ts';
export {
  daySlots,
  type Forecast,
  forecast,
  forecastFloor,
  forecastSlots,
  historyDays,
  type Shift,
  slotLength,
  tasksFor,
} from './forecast.ts';
export { ScheduleError } from './cron.ts';
export { shiftIn } from './zone-shift.ts';
export { type Bounds, lastMissed, longestSchedule, nextRun, parseSchedule, type Schedule } from './schedule.ts';
export { believedSide, judge, type Judged, looks, type Readings } from './evidence.ts';
export { type Ran, type Range, runScheduled } from './scheduled.ts';
export {
  type Change,
  decide,
  type Decision,
  type Floor,
  type TargetStanding,
  type Trigger,
  type Wish,
} from './decide.ts';
export {
  type AdjustmentType,
  adjustmentTypes,
  inOrder,
  mostSteps,
  type Step,
  stepCapacity,
  type StepRule,
  stepsProblem,
} from './steps.ts';
export { noRequestLabel, requestMetric } from './request-label.ts';
export { decideGroup, type GroupDecision, type GroupStanding, type GroupWish } from './group-policies.ts';
