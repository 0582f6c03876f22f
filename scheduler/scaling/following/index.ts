/** What has Auto Scaling groups follow times and metrics. */
export {
  dropGroupStrays,
  groupAlarmNames,
  groupPolicyArn,
  parseGroupPolicyArn,
  predefinedGroupMetric,
} from './alarms.ts';
export { followSchedules, type FollowPorts } from './follow.ts';
export { followGroupPolicies, type FollowPolicyPorts } from './follow-policies.ts';
export {
  deleteGroupPolicy,
  executeGroupPolicy,
  type GroupPolicyDraft,
  type GroupPolicyPorts,
  putGroupPolicy,
} from './policies.ts';
export type { GroupMetric, GroupPolicyRecord, ScheduleRecord } from './records.ts';
export { deleteSchedule, putSchedule, type ScheduleDraft } from './schedules.ts';
