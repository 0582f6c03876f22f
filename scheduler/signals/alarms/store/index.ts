export { type AlarmPorts, Alarms, mostAlarms, mostHistory } from './alarms.ts';
export { AlarmInRule, AlarmMissing, AlarmOfOtherKind, RuleGoesRound, TooManyAlarms } from './errors.ts';
export { type FollowedAlarm, FollowedAlarms, standingsOf } from './followed.ts';
export { alarmKeys, alarmRows, alarmsPartition } from './keys.ts';
export type {
  ActionRecord,
  AlarmConfiguration,
  AlarmRecord,
  AlarmStanding,
  AlarmSubject,
  HistoryKind,
  HistoryRecord,
  MathQuery,
  MathSource,
  MetricSource,
} from './records.ts';
export { actionItem, changeState } from './transition.ts';
