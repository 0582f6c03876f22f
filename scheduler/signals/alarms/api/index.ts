export { alarmOperations, alarmSchemas, type AlarmsOptions, createAlarms } from './create-alarms.ts';
export { readQueries } from './queries.ts';
