import type { TaskRecord } from './records.ts';

/** Whether the task is not over: its instance still has, or may still get, something to run for it. */
export const isLive = (task: TaskRecord): boolean => task.lastStatus !== 'STOPPED';

/** Whether the task is on its way to RUNNING. */
export const isPending = (task: TaskRecord): boolean =>
  task.lastStatus === 'PROVISIONING' || task.lastStatus === 'PENDING' || task.lastStatus === 'ACTIVATING';
