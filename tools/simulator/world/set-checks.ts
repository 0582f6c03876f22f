import { isLive, type DeploymentRecord, type ServiceRecord, type TaskRecord } from '@slipway/scheduler/state';
import { Violation } from './invariants.ts';
import type { Mirror } from './mirror.ts';

/** How many tasks a deployment is to have: the desired count, or of a task set its share of that. Percentages of users here are whole. */
export function shareOf({ desiredCount }: ServiceRecord, deployment: DeploymentRecord | undefined): number {
  const { taskSet } = deployment ?? {};
  if (taskSet === undefined) return desiredCount;
  return taskSet.ends === true ? 0 : Math.ceil((desiredCount * taskSet.scale) / 100);
}

/**
 * What a leader may not do to task sets.
 * @param mayBeLost whether the host of a task may count as lost
 * @throws Violation
 */
export function checkSets(
  mirror: Mirror,
  before: ServiceRecord,
  after: ServiceRecord,
  mayBeLost: (task: TaskRecord) => boolean,
): void {
  if (after.status !== 'ACTIVE') return;
  for (const was of before.deployments) {
    if (was.taskSet === undefined) continue;
    const now = after.deployments.find(({ id }) => id === was.id);
    if (now === undefined) {
      if (was.taskSet.ends !== true) throw new Violation('sets', `nobody deleted ${was.id}, and it has gone`);
      const own = mirror.tasksOf(after.name).filter((task) => task.service?.deploymentId === was.id);
      const left = own.filter((task) => isLive(task) && !mayBeLost(task));
      if (left.length > 0) throw new Violation('sets', `${was.id} has gone before ${left.length} of its tasks`);
      continue;
    }
    const said = ({ taskDefinition, status, taskSet }: DeploymentRecord): string =>
      JSON.stringify([taskDefinition, status, taskSet?.scale, taskSet?.ends]);
    if (said(was) !== said(now))
      throw new Violation('sets', `${was.id} went from ${said(was)} to ${said(now)} by itself`);
    if (now.rolloutState !== 'IN_PROGRESS') throw new Violation('sets', `${now.id} is ${now.rolloutState}`);
  }
}

/** Why a service of task sets is not at rest; undefined when it is, or says what it waits for. */
export function unsettledSets(mirror: Mirror, service: ServiceRecord): string | undefined {
  const { name, deployments } = service;
  const live = mirror.tasksOf(name).filter((task) => isLive(task));
  const stray = live.find((task) => deployments.every(({ id }) => id !== task.service?.deploymentId));
  if (stray !== undefined) return `task ${stray.id} of ${name} belongs to no task set`;
  for (const set of deployments) {
    const own = live.filter((task) => task.service?.deploymentId === set.id);
    const share = shareOf(service, set);
    if (set.taskSet?.ends === true) return `${set.id} of ${name} is deleted and has ${own.length} tasks`;
    if (set.unplaceable !== undefined || set.failedTasks > 0 || (set.crashes ?? 0) > 0) continue;
    if (service.said !== undefined && 'deadlock' in service.said) continue;
    const isChecked = own.some(({ containers }) => containers.some(({ checksHealth }) => checksHealth));
    const isWhole = own.length === share && own.every(({ lastStatus }) => lastStatus === 'RUNNING');
    if (isWhole && (set.taskSet?.steady === true || isChecked)) continue;
    if (isWhole) return `${set.id} of ${name} has its ${share} tasks and is not steady`;
    return `${set.id} of ${name} has ${own.length} tasks of ${share} and says nothing of a failure`;
  }
  return undefined;
}

/** Why a repaired service of task sets is not as wanted yet. */
export function unsteadySets(mirror: Mirror, service: ServiceRecord): string | undefined {
  const unsettled = unsettledSets(mirror, service);
  if (unsettled !== undefined) return unsettled;
  const waiting = service.deployments.find(({ taskSet }) => taskSet?.steady !== true);
  if (waiting === undefined) return undefined;
  return `${waiting.id} of ${service.name} is not steady: ${waiting.unplaceable?.message ?? waiting.lastFailure ?? ''}`;
}
