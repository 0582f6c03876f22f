export { schedulerGauges } from './gauges.ts';
export { openScheduler, type SchedulerPart } from './open-scheduler.ts';
export type { SchedulerPorts } from './ports.ts';
