import type { TaskRecord } from './records/tasks.ts';
import type { HookRun } from './shifts.ts';

/** Whether a hook, or a person, is still to answer. */
export const isOpenRun = ({ status }: Pick<HookRun, 'status'>): boolean =>
  status === 'IN_PROGRESS' || status === 'AWAITING_ACTION';

/** Whether the task is not over: its instance still has, or may still get, something to run for it. */
export const isLive = (task: TaskRecord): boolean => task.lastStatus !== 'STOPPED';

/** Whether the task is on its way to RUNNING. */
export const isPending = (task: TaskRecord): boolean =>
  task.lastStatus === 'PROVISIONING' || task.lastStatus === 'PENDING' || task.lastStatus === 'ACTIVATING';

/** Whether no traffic engine sends the task anything any more, nor has anything under way for it. */
export const isOut = ({ targets = [] }: Pick<TaskRecord, 'targets'>): boolean =>
  targets.every(({ quietAt }) => quietAt !== undefined);

/** Milliseconds that requests have to end on a host that is taken back: it goes with or without them. */
export const interruptedDrain = 20_000;

/** The same where nobody says how it stands: longer than any target group's deregistration delay. */
const longestDrain = 3_900_000;

/** Whether a task that is told to stop is to end now, though requests may still reach it. @param now milliseconds since the epoch */
export const isForced = (task: TaskRecord, now: number): boolean =>
  task.desiredStatus === 'STOPPED' &&
  now - (task.stoppingAt ?? now) >= (task.stopCode === 'SpotInterruption' ? interruptedDrain : longestDrain);

/**
 * Whether the order to stop is kept from the task's agent: requests may still reach it. Who looks after targets says when they do not, at
 * the latest when the longest deregistration delay of its groups is over.
 * @param now milliseconds since the epoch
 */
export const isHeld = (task: TaskRecord, now: number): boolean =>
  task.desiredStatus === 'STOPPED' && isLive(task) && !isOut(task) && !isForced(task, now);

/** Whether its agent is to keep the task running. */
export const isWanted = (task: TaskRecord, now: number): boolean =>
  isLive(task) && (task.desiredStatus === 'RUNNING' || isHeld(task, now));

/** The last status of a task that is told to stop: DEACTIVATING while requests may reach it (ECS developer guide, task lifecycle). */
export const outgoingStatus = (task: TaskRecord): TaskRecord['lastStatus'] =>
  task.lastStatus === 'RUNNING' && !isOut(task) ? 'DEACTIVATING' : task.lastStatus;
