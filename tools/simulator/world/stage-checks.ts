import { isHealthy } from '@slipway/scheduler/deployments';
import type { DeploymentRecord, ServiceRecord, Shifting, TaskRecord } from '@slipway/scheduler/state';
import { Violation } from './invariants.ts';
import type { Changed, Mirror } from './mirror.ts';
import { tuning } from './server.ts';
import type { SeenCommit } from './store.ts';

/** In ECS's order; those two alternate while there are steps. */
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
  readonly now: () => number;
  /** How late, at the most, servers may have heard of changes lately; milliseconds. */
  readonly lag: () => number;
}

/** Checks each commit of a leader against what deployments that shift traffic promise. */
export class StageChecks {
  readonly #ports: StageCheckPorts;
  /** How many stages deployments went on to. */
  left = 0;

  constructor(ports: StageCheckPorts) {
    this.#ports = ports;
  }

  /** @throws Violation */
  check({ batch, process }: SeenCommit, changed: readonly Changed[]): void {
    if (batch.fence === undefined) return;
    for (const change of changed) if (change.kind === 'service') this.#stages(change.before, change.after);
    const now = process.clock.now();
    const stopped = changed.flatMap((change) =>
      change.kind === 'task' && change.before?.desiredStatus === 'RUNNING' && change.after?.desiredStatus === 'STOPPED'
        ? [{ before: change.before, after: change.after }]
        : [],
    );
    for (const { before, after } of stopped) this.#old(before, after, now);
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
