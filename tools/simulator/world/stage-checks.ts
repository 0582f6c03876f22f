import { isHealthy } from '@slipway/scheduler/deployments';
import { clusterKeys, type HookResultRecord } from '@slipway/scheduler/state';
import type {
  DeploymentRecord,
  ServiceRecord,
  ShiftLiveRecord,
  ShiftRecord,
  Shifting,
  TaskRecord,
} from '@slipway/scheduler/state';
import { Violation } from './invariants.ts';
import type { Changed, Mirror } from './mirror.ts';
import { tuning } from './server.ts';
import type { SeenCommit } from './store.ts';

/**
 * In ECS's order. Written out again on purpose, not taken from the scheduler's list: a mistake there must not hide itself here. With each
 * next step of production traffic a deployment comes back to the stage before it.
 */
const order: readonly Shifting['stage'][] = [
  'RECONCILE_SERVICE',
  'PRE_SCALE_UP',
  'SCALE_UP',
  'POST_SCALE_UP',
  'TEST_TRAFFIC_SHIFT',
  'POST_TEST_TRAFFIC_SHIFT',
  'PRE_PRODUCTION_TRAFFIC_SHIFT',
  'PRODUCTION_TRAFFIC_SHIFT',
  'POST_PRODUCTION_TRAFFIC_SHIFT',
  'BAKE_TIME',
  'CLEAN_UP',
];

export interface StageCheckPorts {
  readonly mirror: Mirror;
  /** Whether a webhook has agreed to an execution. */
  readonly hasAgreed: (execution: string) => boolean;
  readonly now: () => number;
  /** How late, at the most, servers may have heard of changes lately; milliseconds. */
  readonly lag: () => number;
}

/** Checks each commit of a leader against what deployments that shift traffic promise. */
export class StageChecks {
  readonly #ports: StageCheckPorts;
  /** How many stages deployments went on to. */
  left = 0;
  /** What the rules of each service were told, and up to which number engines have acknowledged it. */
  readonly #told = new Map<string, ShiftRecord>();
  readonly #live = new Map<string, number>();
  #lost = false;

  constructor(ports: StageCheckPorts) {
    this.#ports = ports;
  }

  /** The store lost commits: nobody knows any more what was acknowledged. */
  rewound(): void {
    this.#lost = true;
  }

  /** @throws Violation */
  check({ batch, process }: SeenCommit, changed: readonly Changed[]): void {
    for (const { key, value } of batch.put ?? []) {
      const name = key.slice(key.indexOf('/') + 1);
      if (key.startsWith('shifted/')) this.#live.set(name, (value as unknown as ShiftLiveRecord).sequence);
      if (key.startsWith('shift/')) this.#weights(name, value as unknown as ShiftRecord);
    }
    for (const key of batch.remove ?? [])
      if (key.startsWith('shift/')) this.#told.delete(key.slice(key.indexOf('/') + 1));
    if (batch.fence === undefined) return;
    for (const change of changed) if (change.kind === 'service') this.#stages(change.before, change.after);
    for (const { key, value } of batch.put ?? []) if (key.startsWith(clusterKeys.hookResults)) this.#answer(value);
    const now = process.clock.now();
    const stopped = changed.flatMap((change) =>
      change.kind === 'task' && change.before?.desiredStatus === 'RUNNING' && change.after?.desiredStatus === 'STOPPED'
        ? [{ before: change.before, after: change.after }]
        : [],
    );
    for (const { before, after } of stopped) this.#old(before, after, now);
  }

  #answer(value: unknown): void {
    const { id, status } = value as HookResultRecord;
    if (status !== 'SUCCEEDED' || this.#ports.hasAgreed(id)) return;
    throw new Violation('stages', `hook ${id} is said to have agreed, and has not`);
  }

  /** Traffic goes to a new revision only when that has all of its tasks. */
  #weights(name: string, after: ShiftRecord): void {
    const { mirror, lag, now } = this.#ports;
    const before = this.#told.get(name);
    this.#told.set(name, after);
    const service = mirror.services.get(name);
    const primary = primaryOf(service);
    if (before === undefined || service === undefined || primary?.shifting === undefined || this.#lost) return;
    const { rollback, stage } = primary.shifting;
    if (rollback !== undefined || stage === 'RECONCILE_SERVICE' || primary.cause.kind === 'rollback') return;
    const [own = ''] = (primary.loadBalancers ?? []).map(({ targetGroupArn }) => targetGroupArn);
    if (shareOf(after, own) <= shareOf(before, own)) return;
    const since = now() - lag();
    const healthy = mirror
      .tasksOf(name)
      .filter(({ id, service: of }) => of?.deploymentId === primary.id && this.#wasHealthy(id, since)).length;
    const wanted = Math.min(...mirror.serviceDuring(name, since).map((one) => one?.desiredCount ?? 0));
    if (healthy < wanted)
      throw new Violation('stages', `${name} sends traffic to ${own}, which has ${healthy} of ${wanted} tasks healthy`);
  }

  #wasHealthy(id: string, since: number): boolean {
    return this.#ports.mirror
      .taskDuring(id, since)
      .some((task) => task?.targets?.length !== 0 && task?.targets?.every(({ health }) => health?.state === 'healthy'));
  }

  #stages(before: ServiceRecord | undefined, after: ServiceRecord | undefined): void {
    const was = primaryOf(before);
    const is = primaryOf(after);
    if (was?.shifting === undefined || is?.shifting === undefined || was.id !== is.id) return;
    const [from, to] = [was.shifting, is.shifting];
    if (from.stage === to.stage && from.step === to.step) return;
    this.left += 1;
    const say = `deployment ${is.id} of ${after?.name} went from ${from.stage} ${from.step} to ${to.stage} ${to.step}`;
    const place = (one: Shifting): number => one.step * order.length + order.indexOf(one.stage);
    const isLive = this.#lost || from.sequence === 0 || this.#live.get(after?.name ?? '') === to.sequence;
    if (hasReached(from, to, 'POST_PRODUCTION_TRAFFIC_SHIFT') && !isLive)
      throw new Violation('stages', `${say} before its traffic had shifted`);
    if (place(to) < place(from)) throw new Violation('stages', say);
    const waited = to.runs.filter(({ status, isRollback }) => !isRollback && isOpen(status));
    if (waited.some(({ stage, step }) => stage !== to.stage || step !== to.step))
      throw new Violation('stages', `${say} before its hooks had answered`);
  }

  /** A task of the old revision that was ended for the new one. */
  #old(before: TaskRecord, { stopCode, stoppedReason = '', service: own }: TaskRecord, now: number): void {
    const { mirror, lag, now: trueNow } = this.#ports;
    const service = mirror.services.get(own?.name ?? '');
    const primary = primaryOf(service);
    if (service?.status !== 'ACTIVE' || primary?.shifting === undefined || primary.rolloutState !== 'IN_PROGRESS')
      return;
    if (primary.cause.kind === 'rollback' || primary.shifting.stage === 'CLEAN_UP') return;
    const old = service.deployments
      .filter(({ status, completedAt }) => status !== 'PRIMARY' && completedAt !== undefined)
      .sort((a, b) => (b.completedAt ?? 0) - (a.completedAt ?? 0))[0];
    if (old === undefined || own?.deploymentId !== old.id) return;
    // On hosts that tasks move away from, the bounds of the service decide as ever.
    if (mirror.instances.get(before.instanceId ?? '')?.status !== 'ACTIVE') return;
    const chosen = stopCode === 'ServiceSchedulerInitiated' && stoppedReason.startsWith('Scaling activity');
    if (!chosen || !isHealthy(before, now, { ...tuning, repeatEventsAfter: 0 })) return;
    const left = mirror
      .tasksOf(service.name)
      .filter((task) => task.service?.deploymentId === old.id && task.desiredStatus === 'RUNNING').length;
    const wanted = Math.min(
      ...mirror.serviceDuring(service.name, trueNow() - lag()).map((one) => one?.desiredCount ?? 0),
    );
    if (left < wanted)
      throw new Violation(
        'stages',
        `task ${before.id} of the old revision of ${service.name} was ended in ${primary.shifting.stage}: ${left} of ${wanted} are left`,
      );
  }
}

const isOpen = (status: string): boolean => status === 'IN_PROGRESS' || status === 'AWAITING_ACTION';

const primaryOf = (service: ServiceRecord | undefined): DeploymentRecord | undefined =>
  service?.deployments.find(({ status }) => status === 'PRIMARY');

/** Whether a stage was reached on the way from one to the other. */
const hasReached = (from: Shifting, to: Shifting, stage: Shifting['stage']): boolean =>
  order.indexOf(from.stage) < order.indexOf(stage) && order.indexOf(to.stage) >= order.indexOf(stage);

/** What part of traffic a group is to have. */
function shareOf({ rules }: ShiftRecord, group: string): number {
  const groups = rules.flatMap((rule) => rule.groups);
  const sum = groups.reduce((total, { weight }) => total + weight, 0);
  return (groups.find(({ targetGroupArn }) => targetGroupArn === group)?.weight ?? 0) / sum;
}
