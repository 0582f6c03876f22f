import {
  breakerThreshold,
  computedCount,
  type DeploymentVerdict,
  hasTaskSets,
  isHealthy,
  judgementText,
  isMoved,
  lowerBound,
  type ReconcilerOptions,
  upperBound,
  verdictOf,
} from '../deployments/index.ts';
import {
  hookName,
  isHeld,
  isOpenRun,
  isPending,
  type ServiceEventRecord,
  type ServiceRecord,
  type TaskRecord,
} from '../state/index.ts';

/** How many ended tasks are shown. */
const shownFailures = 5;

/** Why a service is as it is, for people: `slipway explain`. */
export interface ServiceExplanation {
  readonly service: string;
  readonly status: ServiceRecord['status'];
  readonly steady: boolean;
  readonly verdict?: DeploymentVerdict;
  readonly bounds: { readonly desired: number; readonly minimumHealthy: number; readonly maximum: number };
  readonly deployments: readonly {
    readonly id: string;
    readonly status: string;
    readonly taskDefinition: string;
    readonly cause: string;
    readonly rollout: string;
    readonly running: number;
    readonly pending: number;
    readonly stopping: number;
    readonly healthy: number;
    readonly failedTasks: string;
    readonly images: Readonly<Record<string, string>>;
  }[];
  /** What keeps the service from being steady, one sentence each; empty when it is steady. */
  readonly waitsFor: readonly string[];
  /** Whether a task of a service whose tasks are moved (`slipway:rebalance`) moves, and why, or when that is looked for; absent: of none. */
  readonly moves?: string;
  /** The newest ended tasks that say something, newest first. */
  readonly lastFailures: readonly { readonly at: string; readonly task: string; readonly reason: string }[];
  /** Images that are not deployed again by themselves. */
  readonly rejected: readonly string[];
  /** The newest events, newest first. */
  readonly events: readonly string[];
}

/** Pure: from the records of a service to its explanation. */
export function explainService(
  service: ServiceRecord,
  tasks: readonly TaskRecord[],
  events: readonly ServiceEventRecord[],
  now: number,
  options: ReconcilerOptions,
): ServiceExplanation {
  const { desiredCount: desired, deploymentConfiguration: configuration } = service;
  const live = tasks.filter((task) => task.lastStatus !== 'STOPPED');
  const verdict = verdictOf(service);
  return {
    service: service.name,
    status: service.status,
    steady: service.steady,
    ...(verdict === undefined ? {} : { verdict }),
    bounds: {
      desired,
      minimumHealthy: lowerBound(desired, configuration),
      maximum: upperBound(desired, configuration),
    },
    deployments: service.deployments.map((deployment) => {
      const own = live.filter((task) => task.service?.deploymentId === deployment.id);
      const wanted = own.filter((task) => task.desiredStatus === 'RUNNING');
      const breaker = configuration.circuitBreaker;
      const limit = breaker?.enable === true ? ` of ${breakerThreshold(desired, breaker)}` : ' (no circuit breaker)';
      return {
        id: deployment.id,
        status: deployment.status,
        taskDefinition: deployment.taskDefinition,
        cause: [deployment.cause.kind, deployment.cause.detail].filter((part) => part !== undefined).join(': '),
        rollout:
          deployment.taskSet === undefined
            ? `${deployment.rolloutState}: ${deployment.rolloutStateReason}`
            : standing(deployment.taskSet, desired),
        running: wanted.filter((task) => task.lastStatus === 'RUNNING').length,
        pending: wanted.filter(isPending).length,
        stopping: own.length - wanted.length,
        healthy: wanted.filter((task) => isHealthy(task, now, options)).length,
        failedTasks: `${deployment.failedTasks}${limit}`,
        images: deployment.images ?? {},
      };
    }),
    ...(isMoved(service) ? { moves: moving(service) ?? resting(service, now) } : {}),
    waitsFor: service.steady ? [] : [...waits(service, live, now, options)],
    lastFailures: tasks
      .filter((task) => task.lastStatus === 'STOPPED' && task.stopCode !== 'ServiceSchedulerInitiated')
      .sort((a, b) => (b.stoppedAt ?? 0) - (a.stoppedAt ?? 0))
      .slice(0, shownFailures)
      .map((task) => ({ at: iso(task.stoppedAt ?? task.createdAt), task: task.id, reason: reasonOf(task) })),
    rejected: (service.rejected ?? []).map(
      (image) =>
        `${image.container} ${image.digest} (deployment ${image.deploymentId}, ${iso(image.at)}): ${image.reason}`,
    ),
    events: events.map((event) => `${iso(event.createdAt)} ${event.message}`),
  };
}

/** The move that is under way. */
function moving({ moving: { move } = {} }: ServiceRecord): string | undefined {
  if (move === undefined) return undefined;
  return `Task ${move.taskId} moves from ${move.from} to ${move.to} since ${iso(move.since)}, and ends when its successor is healthy. ${move.why}.`;
}

function resting({ moving: { restUntil = 0 } = {}, steady }: ServiceRecord, now: number): string {
  if (!steady) return 'No task moves while the service is not steady.';
  return restUntil > now
    ? `No task moves before ${iso(restUntil)}.`
    : 'No task moves: its placement strategies gain too little by any, or there is no room for one more.';
}

function* waits(
  service: ServiceRecord,
  live: readonly TaskRecord[],
  now: number,
  options: ReconcilerOptions,
): Generator<string> {
  const primary = service.deployments.find(({ status }) => status === 'PRIMARY');
  if (service.status === 'DRAINING') yield `Deleted: ${live.length} tasks are still stopping.`;
  if (hasTaskSets(service)) {
    yield* setsWaitedFor(service, live, now, options);
    return;
  }
  if (primary === undefined) return;
  if (primary.rolloutState === 'FAILED')
    yield 'The newest deployment failed and was not rolled back: update the service to go on.';
  for (const deployment of service.deployments) yield* hooksWaitedFor(deployment);
  yield* verdictWaitedFor(primary, service.judge);
  if (primary.bakingSince !== undefined && primary.rolloutState === 'IN_PROGRESS')
    yield `Deployment ${primary.id} has all of its tasks since ${iso(primary.bakingSince)}, and is watched for a while: it fails when one of these alarms goes into ALARM: ${alarmsOf(service)}.`;
  const moves = moving(service);
  if (moves !== undefined) yield moves;
  const { move } = service.rebalancing ?? {};
  if (move !== undefined)
    yield `Zones are evened out since ${iso(move.since)}: when a task in ${move.to} is healthy, one of the most crowded zone ends.`;
  yield* tasksWaitedFor(primary, service.desiredCount, live, now, options);
  for (const task of live) if (isHeld(task, now)) yield* requestsWaitedFor(task, now);
  const others = live.filter((task) => task.service?.deploymentId !== primary.id);
  if (others.length > 0) yield `${others.length} tasks of older deployments are still there: ${ids(others)}.`;
  yield* standingCauses(service);
}

/** Of one deployment: what its tasks lack. */
function* tasksWaitedFor(
  deployment: ServiceRecord['deployments'][number],
  wanted: number,
  live: readonly TaskRecord[],
  now: number,
  options: ReconcilerOptions,
): Generator<string> {
  if (deployment.unplaceable !== undefined)
    yield `No instance has room since ${iso(deployment.unplaceable.since)}: ${deployment.unplaceable.message}`;
  if (deployment.startNotBefore !== undefined && deployment.startNotBefore > now)
    yield `Tasks failed to start; the next attempt is at ${iso(deployment.startNotBefore)}: ${deployment.lastFailure ?? ''}`;
  const own = live.filter((task) => task.service?.deploymentId === deployment.id && task.desiredStatus === 'RUNNING');
  const pending = own.filter(isPending);
  if (pending.length > 0) yield `${pending.length} tasks are on their way to RUNNING: ${ids(pending)}.`;
  for (const task of pending) yield* containersWaitedFor(task);
  const unproven = own.filter((task) => task.lastStatus === 'RUNNING' && !isHealthy(task, now, options));
  if (unproven.length > 0)
    yield `${unproven.length} tasks run but do not count as healthy yet (checks, or ${options.healthyAfterRunning / 1000} s without any): ${ids(unproven)}.`;
  for (const task of unproven) yield* targetsWaitedFor(task);
  if (own.length < wanted) yield `${own.length} of ${wanted} tasks have been started.`;
}

type TaskSet = NonNullable<ServiceRecord['deployments'][number]['taskSet']>;

const standing = (set: TaskSet, desired: number): string =>
  `${set.ends === true ? 'deleted, ends' : set.steady ? 'STEADY_STATE' : 'STABILIZING'} since ${iso(set.steadyAt)}: ${set.scale} % of ${desired} are ${computedCount(desired, set)} tasks`;

/** Of a service whose deployments are task sets: what each of them lacks. */
function* setsWaitedFor(
  service: ServiceRecord,
  live: readonly TaskRecord[],
  now: number,
  options: ReconcilerOptions,
): Generator<string> {
  if (service.status === 'ACTIVE' && service.deployments.length === 0)
    yield 'The service has no task set yet: its controller makes them (CreateTaskSet).';
  for (const deployment of service.deployments) {
    const { id, taskSet } = deployment;
    if (taskSet === undefined || taskSet.steady) continue;
    const own = live.filter((task) => task.service?.deploymentId === id);
    if (taskSet.ends === true) yield `Task set ${id} is deleted: ${own.length} tasks are still stopping.`;
    else
      for (const why of tasksWaitedFor(deployment, computedCount(service.desiredCount, taskSet), live, now, options))
        yield `Task set ${id}: ${why}`;
  }
  for (const task of live) if (isHeld(task, now)) yield* requestsWaitedFor(task, now);
  yield* standingCauses(service);
}

function* standingCauses(service: ServiceRecord): Generator<string> {
  for (const [cause, { message, at }] of Object.entries(service.said ?? {}))
    if (
      cause === 'deadlock' ||
      cause === 'protected' ||
      cause === 'unreachable' ||
      cause === 'interrupted' ||
      cause === 'registration'
    )
      yield `${iso(at)}: ${message}`;
}

/** Of a deployment that waits for hooks: for which, at what stage, and what ends the waiting. */
function* hooksWaitedFor({ id, rolloutState, shifting }: ServiceRecord['deployments'][number]): Generator<string> {
  if (rolloutState !== 'IN_PROGRESS') return;
  for (const { hook: index, stage, startedAt, status, id: run } of shifting?.runs.filter(isOpenRun) ?? []) {
    const hook = shifting?.hooks[index];
    if (hook === undefined) continue;
    const end = startedAt + hook.timeoutInMinutes * 60_000;
    const late = hook.onTimeout === 'CONTINUE' ? 'goes on' : 'goes back';
    const who = status === 'AWAITING_ACTION' ? 'a person (ContinueServiceDeployment)' : hookName(hook);
    yield `Deployment ${id} waits at ${stage} for ${who} since ${iso(startedAt)} (hook ${run}); without an answer it ${late} at ${iso(end)}.`;
  }
}

/** Of a step whose revision is judged: what engines have counted so far, and what comes of it without a verdict. */
function* verdictWaitedFor(
  { id, rolloutState, shifting }: ServiceRecord['deployments'][number],
  rule: ServiceRecord['judge'],
): Generator<string> {
  const judged = shifting?.judged?.findLast(({ step }) => step === shifting.step);
  if (rolloutState !== 'IN_PROGRESS' || rule === undefined || judged?.verdict !== 'open') return;
  const end =
    rule.otherwise === 'wait'
      ? 'it is waited for'
      : `the deployment ${rule.otherwise === 'continue' ? 'goes on' : 'goes back'} without one at ${iso((shifting?.live.since ?? 0) + rule.within * 60_000)}`;
  yield `Deployment ${id} is judged with ${judged.percent} % of production traffic, and there is no verdict yet: ${judgementText(judged)}; ${end}.`;
}

/** Of a task that runs behind load balancers: how it stands in its target groups, and where it is looked for. */
function* targetsWaitedFor({ id, targets }: TaskRecord): Generator<string> {
  if (targets?.length === 0) yield `Task ${id}: not registered with its target groups yet.`;
  for (const { targetGroupArn, address, port, health } of targets ?? []) {
    if (health?.state === 'healthy') continue;
    const why = health?.description ?? 'no health check has answered yet; a listener or rule must forward to the group';
    yield `Task ${id}: ${health?.state ?? 'initial'} in (target-group ${targetGroupArn}) at ${address}:${port}: ${why}.`;
  }
}

/** Of a task whose order to stop waits: for what. */
function* requestsWaitedFor({ id, targets = [], stoppingAt = 0 }: TaskRecord, now: number): Generator<string> {
  const places = targets.flatMap((one) => (one.quietAt === undefined ? [`${one.address}:${one.port}`] : []));
  yield `Task ${id}: gets no new requests, and is told to stop when those at ${places.join(', ')} are done or the deregistration delay is over (${Math.round((now - stoppingAt) / 1000)} s so far).`;
}

/** Of a task that has begun to start: which containers do not run yet, and how those stand that they can wait for. */
function* containersWaitedFor({ id, containers }: TaskRecord): Generator<string> {
  const waiting = containers.filter(({ lastStatus }) => lastStatus === 'PENDING').map(({ name }) => name);
  const begun = containers.filter(({ lastStatus }) => lastStatus !== 'PENDING');
  if (waiting.length === 0 || begun.length === 0) return;
  const stand = begun.map(
    ({ name, lastStatus, checksHealth, healthStatus }) =>
      `${name} is ${lastStatus}${checksHealth && lastStatus === 'RUNNING' ? ` and ${healthStatus}` : ''}`,
  );
  yield `Task ${id}: ${waiting.join(', ')} not started yet; ${stand.join(', ')}.`;
}

const alarmsOf = ({ deploymentConfiguration: { alarms } }: ServiceRecord): string =>
  (alarms?.alarmNames ?? []).join(', ');

const ids = (tasks: readonly TaskRecord[]): string => tasks.map((task) => task.id).join(', ');

const iso = (time: number): string => new Date(time).toISOString();

function reasonOf(task: TaskRecord): string {
  const containers = task.containers.flatMap(({ name, exitCode, reason }) => {
    // Mostly the task ended for what the container did: it is said once.
    const own = reason === undefined || task.stoppedReason?.includes(reason) === true ? undefined : reason;
    if (exitCode === undefined && own === undefined) return [];
    return [`${name} exit ${exitCode ?? '?'}${own === undefined ? '' : `: ${own}`}`];
  });
  return [task.stopCode, task.stoppedReason, ...containers].filter((part) => part !== undefined).join('; ');
}
