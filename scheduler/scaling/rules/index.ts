export { ScheduleError } from './cron.ts';
export { type Bounds, lastMissed, longestSchedule, nextRun, parseSchedule, type Schedule } from './schedule.ts';
export { type Ran, type Range, runScheduled } from './scheduled.ts';
