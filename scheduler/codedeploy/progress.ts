import type { Historic } from '../services/index.ts';
import { refreshed, statusOf } from '../services/index.ts';
import {
  type DeploymentRecord,
  type HookRun,
  isOpenRun,
  type LifecycleStage,
  lifecycleStages,
  type Shifting,
} from '../state/index.ts';

import type { CodeDeployRecord, EventProgress, Progress } from './records.ts';

/** Lifecycle events of ECS in CodeDeploy's order, and the stage of the service scheduler in which each happens. */
const events: readonly { readonly name: string; readonly stage: LifecycleStage; readonly isHook: boolean }[] = [
  { name: 'BeforeInstall', stage: 'PRE_SCALE_UP', isHook: true },
  { name: 'Install', stage: 'SCALE_UP', isHook: false },
  { name: 'AfterInstall', stage: 'POST_SCALE_UP', isHook: true },
  { name: 'AllowTestTraffic', stage: 'TEST_TRAFFIC_SHIFT', isHook: false },
  { name: 'AfterAllowTestTraffic', stage: 'TEST_TRAFFIC_SHIFT', isHook: true },
  { name: 'BeforeAllowTraffic', stage: 'PRE_PRODUCTION_TRAFFIC_SHIFT', isHook: true },
  { name: 'AllowTraffic', stage: 'PRODUCTION_TRAFFIC_SHIFT', isHook: false },
  { name: 'AfterAllowTraffic', stage: 'POST_PRODUCTION_TRAFFIC_SHIFT', isHook: true },
];

/** In which stage the hook of an event is asked; of Ready: in which somebody is waited for. */
export const stageOf = (event: string): LifecycleStage =>
  events.find(({ name }) => name === event)?.stage ?? 'POST_TEST_TRAFFIC_SHIFT';

const isOver = ({ status }: Pick<Progress, 'status'>): boolean =>
  status === 'Succeeded' || status === 'Failed' || status === 'Stopped';

/** Whether a deployment and its rollback, if there is one, have ended. */
export const isDone = (progress: Progress): boolean => isOver(progress) && progress.rollback?.status !== 'InProgress';

/**
 * How far a deployment is, from what the service's own deployment says. Pure.
 * @param historic the service's deployment; undefined while that has not begun
 * @param isQueued whether it waits for what the service does already
 */
export function progressOf(record: CodeDeployRecord, historic: Historic | undefined, isQueued: boolean): Progress {
  if (record.ended !== undefined) return record.ended;
  if (historic === undefined)
    return {
      status: isQueued ? 'Queued' : 'Created',
      events: events.map(({ name }) => ({ name, status: 'Pending' })),
      weight: 0,
    };
  const { deployment } = refreshed(historic);
  const { shifting } = deployment;
  const status = wordOf(record, historic, shifting);
  const reason = shifting?.rollback?.reason ?? deployment.rolloutStateReason;
  const rollback = rollbackOf(historic);
  const endedAt =
    status === 'Succeeded'
      ? (deployment.completedAt ?? deployment.updatedAt)
      : (shifting?.rollback?.at ?? deployment.updatedAt);
  return {
    status,
    startedAt: deployment.createdAt,
    ...(isOver({ status }) ? { endedAt } : {}),
    ...(status === 'Failed' || status === 'Stopped' ? { error: errorOf(status, deployment, reason) } : {}),
    events: shifting === undefined ? [] : eventsOf(record, shifting, status),
    weight: shifting?.wanted.production ?? 0,
    ...(status === 'InProgress' && shifting?.stage === 'BAKE_TIME' ? { isBaking: true as const } : {}),
    ...(rollback === undefined ? {} : { rollback }),
  };
}

function wordOf(record: CodeDeployRecord, historic: Historic, shifting: Shifting | undefined): Progress['status'] {
  const status = statusOf(historic);
  if (status === 'SUCCESSFUL') return 'Succeeded';
  if (status === 'IN_PROGRESS') return shifting !== undefined && readyRun(record, shifting) ? 'Ready' : 'InProgress';
  const isGivenUp = shifting?.rollback !== undefined || status === 'STOPPED';
  if (!isGivenUp) return 'InProgress';
  const { triggered, missing } = refreshed(historic).deployment.alarms ?? {};
  if (triggered !== undefined || missing !== undefined) return 'Stopped';
  const isStopped = shifting?.stop !== undefined || unanswered(record, shifting) || shifting?.rollback === undefined;
  return isStopped ? 'Stopped' : 'Failed';
}

/** Whether nobody has let production traffic go in time. */
const unanswered = (record: CodeDeployRecord, shifting: Shifting | undefined): boolean =>
  shifting?.runs.some(({ hook, status }) => record.hookEvents[hook] === 'Ready' && status === 'TIMED_OUT') === true;

/** The pause that somebody is to end before production traffic is shifted. */
export const readyRun = (record: CodeDeployRecord, { runs }: Shifting): HookRun | undefined =>
  runs.find(({ hook, status }) => record.hookEvents[hook] === 'Ready' && status === 'AWAITING_ACTION');

function errorOf(
  status: 'Failed' | 'Stopped',
  { alarms: { triggered, missing } = {}, shifting }: Pick<DeploymentRecord, 'alarms' | 'shifting'>,
  message: string,
): NonNullable<Progress['error']> {
  if (triggered !== undefined)
    return {
      code: 'ALARM_ACTIVE',
      message: `One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the affected deployments have been stopped. Activated alarms: <${triggered.join(', ')}>`,
    };
  if (missing !== undefined)
    return {
      code: 'CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND',
      message: `${message}. Create it, or set alarmConfiguration.ignorePollAlarmFailure.`,
    };
  if (status === 'Stopped') return { code: 'MANUAL_STOP', message };
  if (shifting?.runs.some((run) => run.status === 'TIMED_OUT') === true) return { code: 'TIMEOUT', message };
  if (shifting?.runs.some((run) => run.status === 'FAILED' && message.includes('lifecycle hook')) === true)
    return { code: 'HOOK_EXECUTION_FAILURE', message };
  return { code: 'ECS_UPDATE_ERROR', message };
}

function rollbackOf(historic: Historic): Progress['rollback'] {
  const status = statusOf(historic);
  const { deployment, rollback } = refreshed(historic);
  const begun = deployment.shifting?.rollback;
  if (begun === undefined) return undefined;
  const startedAt = begun.at;
  // It was begun, and may have been asked for by its id: that it cannot go on does not take it away.
  if (begun.impossible !== undefined)
    return { status: 'Failed', startedAt, endedAt: Math.max(startedAt, deployment.updatedAt) };
  if (rollback === undefined && status !== 'ROLLBACK_IN_PROGRESS') return undefined;
  const endedAt = Math.max(startedAt, rollback?.failed.updatedAt ?? startedAt);
  if (rollback?.state === 'COMPLETED') return { status: 'Succeeded', startedAt, endedAt };
  return rollback?.state === 'FAILED' ? { status: 'Failed', startedAt, endedAt } : { status: 'InProgress', startedAt };
}

function eventsOf(record: CodeDeployRecord, shifting: Shifting, status: Progress['status']): EventProgress[] {
  const over = isOver({ status }) && status !== 'Succeeded';
  const now = lifecycleStages.indexOf(shifting.stage);
  return events.map(({ name, stage, isHook }): EventProgress => {
    const at = lifecycleStages.indexOf(stage);
    const isReached = now >= at || (name === 'AllowTraffic' && shifting.step > 0);
    const isPast = now > at && !(name === 'AllowTraffic' && now < at);
    if (isHook) {
      const run = shifting.runs.find(({ hook, isRollback }) => record.hookEvents[hook] === name && !isRollback);
      if (run !== undefined) return hookEvent(name, run);
      return { name, status: (isReached && isPast) || over || status === 'Succeeded' ? 'Skipped' : 'Pending' };
    }
    if (name === 'AllowTestTraffic' && record.group.testListener === undefined)
      return { name, status: isReached || over ? 'Skipped' : 'Pending' };
    if (!isReached) return { name, status: over ? 'Skipped' : 'Pending' };
    const isLive = name === 'AllowTestTraffic' && shifting.live.test >= 100;
    if (isPast || isLive) return { name, status: 'Succeeded' };
    const since = shifting.stage === stage ? { startedAt: shifting.stageSince } : {};
    return { name, status: over ? 'Failed' : 'InProgress', ...since };
  });
}

function hookEvent(name: string, run: HookRun): EventProgress {
  const { startedAt, endedAt, reason } = run;
  const times = { startedAt, ...(endedAt === undefined ? {} : { endedAt }) };
  if (isOpenRun(run)) return { name, status: 'InProgress', ...times };
  if (run.status === 'SUCCEEDED') return { name, status: 'Succeeded', ...times };
  return { name, status: 'Failed', ...times, ...(reason === undefined ? {} : { reason }) };
}
