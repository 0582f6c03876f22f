/** Alarms: over metrics and over each other; what they tell webhooks, and what deployments ask of them. */
export { alarmOperations, alarmSchemas, type AlarmsOptions, createAlarms, readQueries } from './api/index.ts';
export { alarmArn, alarmSecret, createAlarmAdministration, type DeliveryPorts } from './actions/index.ts';
export { type AlarmState } from './evaluation/index.ts';
export { AlarmKeeper, type AskedPoints, type KeeperPorts, type PointReader, StoredPoints } from './keeper/index.ts';
export {
  type AlarmConfiguration,
  AlarmInRule,
  AlarmMissing,
  type AlarmRecord,
  alarmRows,
  Alarms,
  type AlarmPorts,
  type MathQuery,
} from './store/index.ts';
