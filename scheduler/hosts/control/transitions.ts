import {
  type ContainerRecord,
  type HealthStatus,
  type InstanceRecord,
  isolationAttribute,
  type NetworkBinding,
  sameRecord,
  type TaskRecord,
  type TaskStatus,
} from '../../state/index.ts';

/** What an agent says about one container. */
export interface ContainerChange {
  readonly name: string;
  readonly status: ContainerRecord['lastStatus'];
  readonly imageDigest?: string;
  readonly runtimeId?: string;
  readonly exitCode?: number;
  readonly reason?: string;
  readonly networkBindings?: readonly NetworkBinding[];
}

/** What an agent says about a task (SubmitTaskStateChange), times in milliseconds since the epoch. */
export interface TaskChange {
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED';
  readonly reason?: string;
  readonly containers: readonly ContainerChange[];
  readonly pullStartedAt?: number;
  readonly pullStoppedAt?: number;
  readonly executionStoppedAt?: number;
}

const order: readonly TaskStatus[] = [
  'PROVISIONING',
  'PENDING',
  'ACTIVATING',
  'RUNNING',
  'DEACTIVATING',
  'STOPPING',
  'DEPROVISIONING',
  'STOPPED',
];
const rank = (status: TaskStatus): number => order.indexOf(status);

/** Whether its agent has said all there is to say of a task. */
const isOver = ({ lastStatus }: TaskRecord): boolean => rank(lastStatus) >= rank('DEPROVISIONING');

/** Longest reason that is kept; the protocol's own limit. */
const reasonLimit = 1024;

/**
 * The record after an agent's report, or undefined when the report says nothing new: duplicates and late messages
 * change nothing. A status never moves back, and STOPPED is final. A task with a network interface whose containers have
 * stopped is DEPROVISIONING until the interface is given back ({@link deprovisioned}; developer guide, task lifecycle). Times that
 * no honest agent can mean (before the task was created, after `now`) are moved into that span. Stop codes follow the ECS developer guide, "stopped task
 * error codes": what the control plane wrote first (UserInitiated, …) stays.
 */
export function applyTaskChange(task: TaskRecord, change: TaskChange, now: number): TaskRecord | undefined {
  if (isOver(task)) return undefined;
  const ended = change.status === 'STOPPED';
  const reported = ended && task.attachment !== undefined ? 'DEPROVISIONING' : change.status;
  const status = rank(reported) > rank(task.lastStatus) ? reported : task.lastStatus;
  const reports = new Map(change.containers.map((container) => [container.name, container]));
  const containers = task.containers.map((container) =>
    applyContainerChange(container, reports.get(container.name), ended),
  );
  const within = (time: number): number => Math.min(Math.max(time, task.createdAt), now);
  const next: TaskRecord = {
    ...task,
    lastStatus: status,
    containers,
    ...firstTime('pullStartedAt', task.pullStartedAt, change.pullStartedAt, within),
    ...firstTime('pullStoppedAt', task.pullStoppedAt, change.pullStoppedAt, within),
    ...firstTime('executionStoppedAt', task.executionStoppedAt, change.executionStoppedAt, within),
    ...(change.status === 'RUNNING' && task.startedAt === undefined ? { startedAt: now } : {}),
    ...(ended ? stopped(task, change, containers, now, within) : {}),
    ...(status === 'STOPPED' ? { stoppedAt: now } : {}),
  };
  return revised(task, next);
}

/** The record of a task whose interface was given back; undefined for one that is not DEPROVISIONING. */
export function deprovisioned(task: TaskRecord, now: number): TaskRecord | undefined {
  if (task.lastStatus !== 'DEPROVISIONING') return undefined;
  return { ...task, lastStatus: 'STOPPED', stoppedAt: now, version: task.version + 1 };
}

/**
 * The record of a task that is not to be started any more though its agent may have been told of it, or undefined when it is over.
 * Only the agent's word ends it: until then its address is not free.
 */
export function giveUp(task: TaskRecord, reason: string, now: number): TaskRecord | undefined {
  if (task.attachment === undefined) return applyTaskChange(task, { status: 'STOPPED', reason, containers: [] }, now);
  if (task.desiredStatus === 'STOPPED') return undefined;
  return {
    ...task,
    desiredStatus: 'STOPPED',
    stopCode: task.stopCode ?? 'TaskFailedToStart',
    stoppedReason: task.stoppedReason ?? reason.slice(0, reasonLimit),
    stoppingAt: task.stoppingAt ?? now,
    version: task.version + 1,
  };
}

/**
 * A task with what isolates it, once the first of its containers was made: a host that is set up otherwise later says so of its later
 * tasks alone.
 */
export function withIsolation(
  before: TaskRecord,
  after: TaskRecord,
  { attributes }: Pick<InstanceRecord, 'attributes'>,
): TaskRecord {
  const made = ({ containers }: TaskRecord): boolean => containers.some(({ runtimeId }) => runtimeId !== undefined);
  if (after.launchType !== 'FARGATE' || made(before) || !made(after)) return after;
  const isolation = attributes.find(({ name }) => name === isolationAttribute)?.value;
  return isolation === undefined || isolation === 'none' ? after : { ...after, isolation };
}

/** The record after a report about one container alone (SubmitContainerStateChange), or undefined when nothing is new. */
export function applyOneContainer(task: TaskRecord, change: ContainerChange): TaskRecord | undefined {
  if (isOver(task)) return undefined;
  const containers = task.containers.map((container) =>
    container.name === change.name ? applyContainerChange(container, change, false) : container,
  );
  return revised(task, { ...task, containers });
}

/**
 * The record after health reports, or undefined when nothing changed. The task's health follows its essential
 * containers that have a check: one UNHEALTHY decides, then one UNKNOWN, otherwise HEALTHY.
 */
export function applyHealth(task: TaskRecord, health: ReadonlyMap<string, HealthStatus>): TaskRecord | undefined {
  if (task.lastStatus === 'STOPPED') return undefined;
  const containers = task.containers.map((container) => {
    const status = container.checksHealth ? health.get(container.name) : undefined;
    return status === undefined || status === container.healthStatus
      ? container
      : { ...container, healthStatus: status };
  });
  const deciding = containers.filter((container) => container.essential && container.checksHealth);
  const healthStatus: HealthStatus =
    deciding.length === 0
      ? 'UNKNOWN'
      : ((['UNHEALTHY', 'UNKNOWN'] as const).find((status) =>
          deciding.some((container) => container.healthStatus === status),
        ) ?? 'HEALTHY');
  // Agents repeat what they said every few seconds, for every task: finding that it is nothing new must cost next to nothing.
  const same = healthStatus === task.healthStatus && containers.every((one, index) => one === task.containers[index]);
  return same ? undefined : { ...task, containers, healthStatus, version: task.version + 1 };
}

function applyContainerChange(
  container: ContainerRecord,
  change: ContainerChange | undefined,
  taskStopped: boolean,
): ContainerRecord {
  if (container.lastStatus === 'STOPPED') return container;
  if (change === undefined) return taskStopped ? { ...container, lastStatus: 'STOPPED' } : container;
  const reported = taskStopped ? 'STOPPED' : change.status;
  const late = rank(reported) < rank(container.lastStatus);
  return {
    ...container,
    lastStatus: late ? container.lastStatus : reported,
    ...known('imageDigest', change.imageDigest),
    ...known('runtimeId', change.runtimeId),
    // Of one that runs it is what it exited with before its restart policy started it again.
    ...known('exitCode', late ? undefined : change.exitCode),
    ...known('reason', change.reason?.slice(0, reasonLimit)),
    // A report that arrives late must not bring back ports the container no longer has.
    ...(late || change.networkBindings === undefined || change.networkBindings.length === 0
      ? {}
      : { networkBindings: change.networkBindings }),
  };
}

function stopped(
  task: TaskRecord,
  change: TaskChange,
  containers: readonly ContainerRecord[],
  now: number,
  within: (time: number) => number,
): Partial<TaskRecord> {
  const ran =
    task.startedAt !== undefined ||
    containers.some((container) => container.essential && container.exitCode !== undefined);
  const stopCode = task.stopCode ?? (ran ? 'EssentialContainerExited' : 'TaskFailedToStart');
  const said = change.reason?.slice(0, reasonLimit) || undefined;
  const fallback = ran
    ? 'Essential container in task exited'
    : (containers.find((container) => container.reason !== undefined)?.reason ?? 'Task failed to start');
  return {
    desiredStatus: 'STOPPED',
    stopCode,
    stoppedReason: task.stoppedReason ?? said ?? fallback,
    stoppingAt: task.stoppingAt ?? now,
    executionStoppedAt: task.executionStoppedAt ?? within(change.executionStoppedAt ?? now),
  };
}

function firstTime<Name extends string>(
  name: Name,
  have: number | undefined,
  said: number | undefined,
  within: (time: number) => number,
): { [N in Name]?: number } {
  if (have !== undefined || said === undefined || !Number.isFinite(said)) return {};
  return { [name]: within(said) } as { [N in Name]?: number };
}

const known = <Name extends string, T>(name: Name, value: T | undefined): { [N in Name]?: T } =>
  value === undefined ? {} : ({ [name]: value } as { [N in Name]?: T });

/** `next` with the version after `task`'s, or undefined when they say the same. */
function revised(task: TaskRecord, next: TaskRecord): TaskRecord | undefined {
  if (sameRecord(next, task)) return undefined;
  return { ...next, version: task.version + 1 };
}
