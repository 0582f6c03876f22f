import { isHealthy } from '@slipway/scheduler/deployments';
import { isLive, type DeploymentRecord, type ServiceRecord, type TaskRecord } from '@slipway/scheduler/state';
import type { Changed, Mirror } from './mirror.ts';
import type { SeenCommit } from './store.ts';
import { tuning } from './server.ts';

/** What must hold at every commit, by name; the sentences stand in the README. */
export const invariants = {
  room: 'The tasks on an instance never reserve more than it has.',
  'one-leader': "Only the holder of the cluster's newest epoch starts and stops tasks of services.",
  maximum:
    'Starting tasks never takes a service above the floor of desiredCount * maximumPercent / 100, lost hosts left out.',
  minimum:
    'Stopping tasks by choice never takes a service below the ceiling of desiredCount * minimumHealthyPercent / 100 healthy tasks.',
  'one-daemon': 'A daemon service never gets a second task on an instance.',
  'no-return':
    'A task that was told to stop, or that is STOPPED, never comes back, and no task goes back to an earlier status.',
  'started-once': 'No container of a task is started twice, and no task gets two containers of one name.',
  pinned: 'Every container of a deployment runs the digest that the deployment pinned.',
  verdict:
    'A deployment that failed stays failed, and one that completed only begins again when a rollback returns to it.',
  acknowledged: 'What a client was told is done was so at a moment between its question and the answer.',
  'no-orphan':
    'When all is quiet, every running container belongs to a task that is meant to run, and every running task has its containers.',
  settled: 'When faults have stopped, every service becomes steady, or says what it waits for.',
  repaired: 'When the causes are repaired, every service becomes steady and nothing is left over.',
  'no-accident': 'No code of the control plane or the agent fails in a way that it does not handle.',
} as const;

export type Invariant = keyof typeof invariants;

/** An invariant that did not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: Invariant;
  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

/** Statuses in the order in which tasks pass them. */
const order: readonly TaskRecord['lastStatus'][] = [
  'PROVISIONING',
  'PENDING',
  'ACTIVATING',
  'RUNNING',
  'DEACTIVATING',
  'STOPPING',
  'DEPROVISIONING',
  'STOPPED',
];

export interface CheckPorts {
  readonly mirror: Mirror;
  readonly now: () => number;
  /** How late, at the most, servers may have heard of changes lately; milliseconds. */
  readonly lag: () => number;
}

/** Checks each commit against what must hold. */
export class CommitChecks {
  readonly #ports: CheckPorts;
  /** Until when a task last truly was healthy. */
  readonly #healthyAt = new Map<string, number>();

  constructor(ports: CheckPorts) {
    this.#ports = ports;
  }

  /** @throws Violation */
  check(commit: SeenCommit, changed: readonly Changed[]): void {
    const started: TaskRecord[] = [];
    const stopped: TaskRecord[] = [];
    const stoppedBefore: TaskRecord[] = [];
    for (const change of changed) {
      if (change.kind === 'task') {
        this.#neverBack(change.before, change.after);
        if (change.before === undefined && change.after !== undefined) started.push(change.after);
        if (isOrder(change.before, change.after)) {
          stopped.push(change.after!);
          stoppedBefore.push(change.before!);
        }
      } else if (change.kind === 'service') this.#verdicts(change.before, change.after);
    }
    this.#room(started);
    const byService = [...started, ...stopped].filter(({ service }) => service !== undefined);
    if (byService.length > 0) this.#oneLeader(commit, byService);
    const now = commit.process.clock.now();
    for (const name of new Set(started.flatMap(({ service }) => service?.name ?? []))) this.#maximum(name);
    for (const name of new Set(stopped.flatMap(({ service }) => service?.name ?? []))) {
      this.#minimum(
        name,
        stoppedBefore.filter(({ service }) => service?.name === name),
        now,
      );
    }
    for (const change of changed) {
      if (change.kind === 'task' && change.after !== undefined) this.#noteHealth(change.after, now);
    }
  }

  #neverBack(before: TaskRecord | undefined, after: TaskRecord | undefined): void {
    if (before === undefined || after === undefined) return;
    if (before.desiredStatus === 'STOPPED' && after.desiredStatus !== 'STOPPED') {
      throw new Violation('no-return', `task ${after.id} was told to stop and is wanted again`);
    }
    if (order.indexOf(after.lastStatus) < order.indexOf(before.lastStatus)) {
      throw new Violation('no-return', `task ${after.id} went from ${before.lastStatus} to ${after.lastStatus}`);
    }
  }

  #verdicts(before: ServiceRecord | undefined, after: ServiceRecord | undefined): void {
    for (const now of after?.deployments ?? []) {
      const was = before?.deployments.find(({ id }) => id === now.id);
      if (was === undefined) continue;
      const say = (): string =>
        `deployment ${now.id} of ${after?.name} went from ${was.rolloutState} to ${now.rolloutState}`;
      if (was.rolloutState === 'FAILED' && now.rolloutState !== 'FAILED') throw new Violation('verdict', say());
      if (was.rolloutState === 'COMPLETED' && now.rolloutState !== 'COMPLETED' && now.cause.kind !== 'rollback') {
        throw new Violation('verdict', say());
      }
      if (was.rolloutState === 'IN_PROGRESS' && now.rolloutState === 'FAILED') this.#evidence(now);
    }
  }

  #evidence(deployment: DeploymentRecord): void {
    if (deployment.failedTasks < 1 && deployment.cause.failed === undefined) {
      throw new Violation('verdict', `deployment ${deployment.id} failed without a failed task`);
    }
  }

  #room(started: readonly TaskRecord[]): void {
    const { mirror } = this.#ports;
    for (const id of new Set(started.flatMap(({ instanceId }) => instanceId ?? []))) {
      const instance = mirror.instances.get(id);
      if (instance === undefined) throw new Violation('room', `a task was placed on ${id}, which is not registered`);
      let cpu = 0;
      let memory = 0;
      for (const task of mirror.placed.get(id) ?? []) {
        const { reservation } = mirror.tasks.get(task)!;
        cpu += reservation.cpu;
        memory += reservation.memory;
      }
      if (cpu > instance.cpu || memory > instance.memory) {
        throw new Violation(
          'room',
          `${id} has ${instance.cpu} CPU and ${instance.memory} MiB; reserved are ${cpu} and ${memory}`,
        );
      }
    }
  }

  #oneLeader({ batch, process }: SeenCommit, tasks: readonly TaskRecord[]): void {
    const { epoch } = this.#ports.mirror;
    if (batch.fence?.epoch === epoch) return;
    const [task] = tasks;
    // A user's StopTask and the end of an instance are nobody's leadership.
    if (batch.fence === undefined && tasks.every((one) => isLive(one) && one.stopCode === 'UserInitiated')) return;
    if (batch.fence === undefined && tasks.every(({ lastStatus }) => lastStatus === 'STOPPED')) return;
    throw new Violation(
      'one-leader',
      `${process.name} decided about task ${task?.id} with epoch ${batch.fence?.epoch ?? 'none'}; the newest is ${epoch}`,
    );
  }

  #mayBeLost(task: TaskRecord): boolean {
    const { mirror, now, lag } = this.#ports;
    const instance = mirror.instances.get(task.instanceId ?? '');
    if (instance === undefined || !instance.agentConnected || instance.status === 'INACTIVE') return true;
    return now() - (mirror.awayAt.get(instance.id) ?? -Infinity) <= lag();
  }

  #maximum(name: string): void {
    const { mirror } = this.#ports;
    const service = mirror.services.get(name);
    if (service === undefined) return;
    const live = mirror.tasksOf(name).filter((task) => isLive(task));
    if (service.schedulingStrategy === 'DAEMON') {
      const hosts = live.map(({ instanceId }) => instanceId);
      const twice = hosts.find((host, index) => hosts.indexOf(host) !== index);
      if (twice !== undefined) throw new Violation('one-daemon', `${name} has two tasks on ${twice}`);
      return;
    }
    const most = Math.floor((service.desiredCount * service.deploymentConfiguration.maximumPercent) / 100);
    const there = live.filter((task) => !this.#mayBeLost(task)).length;
    if (there > most) throw new Violation('maximum', `${name} has ${there} tasks, at most ${most} are allowed`);
  }

  #minimum(name: string, stopped: readonly TaskRecord[], now: number): void {
    const { mirror } = this.#ports;
    const service = mirror.services.get(name);
    if (service === undefined || service.status !== 'ACTIVE' || service.schedulingStrategy === 'DAEMON') return;
    const options = { ...tuning, repeatEventsAfter: 0 };
    const chosen = stopped.filter((task) => {
      const { stopCode } = mirror.tasks.get(task.id)!;
      return stopCode === 'ServiceSchedulerInitiated' && isHealthy(task, now, options) && !this.#mayBeLost(task);
    });
    if (chosen.length === 0) return;
    const least = Math.ceil((service.desiredCount * service.deploymentConfiguration.minimumHealthyPercent) / 100);
    // What the leader has not heard of yet it cannot count: a task that was healthy a moment ago still counts here.
    const healthy = mirror.tasksOf(name).filter((task) => this.#wasHealthy(task, now)).length;
    if (healthy < least) {
      throw new Violation(
        'minimum',
        `${name} has ${healthy} healthy tasks after ${chosen.length} were stopped, at least ${least} must stay`,
      );
    }
  }

  #wasHealthy(task: TaskRecord, now: number): boolean {
    const { now: trueNow, lag } = this.#ports;
    if (isHealthy(task, now, { ...tuning, repeatEventsAfter: 0 })) return true;
    if (task.stopCode === 'ServiceSchedulerInitiated' && task.desiredStatus === 'STOPPED') return false;
    return trueNow() - (this.#healthyAt.get(task.id) ?? -Infinity) <= lag();
  }

  #noteHealth(task: TaskRecord, now: number): void {
    if (isHealthy(task, now, { ...tuning, repeatEventsAfter: 0 })) this.#healthyAt.set(task.id, Infinity);
    else if (this.#healthyAt.get(task.id) === Infinity) this.#healthyAt.set(task.id, this.#ports.now());
  }
}

/** Whether the change is the order to stop. */
const isOrder = (before: TaskRecord | undefined, after: TaskRecord | undefined): boolean =>
  before?.desiredStatus === 'RUNNING' && after?.desiredStatus === 'STOPPED';
