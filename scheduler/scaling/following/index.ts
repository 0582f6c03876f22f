/** What has Auto Scaling groups follow times and metrics. */
export { followSchedules, type FollowPorts } from './follow.ts';
export type { ScheduleRecord } from './records.ts';
export { deleteSchedule, putSchedule, type ScheduleDraft } from './schedules.ts';
