import { isDeepStrictEqual } from 'node:util';
import { isHealthy } from '@slipway/scheduler/deployments';
import {
  isLive,
  type DeploymentRecord,
  type InstanceRecord,
  type ServiceRecord,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '@slipway/scheduler/state';
import { Violation } from './invariants.ts';
import type { Changed, Mirror } from './mirror.ts';
import { retention, tuning } from './server.ts';
import { checkSets, shareOf } from './set-checks.ts';
import type { SeenCommit } from './store.ts';

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
  /** Milliseconds after which hosts that are away leave by themselves; undefined: never. */
  readonly leavesAfter: number | undefined;
  /** How many tasks a client has asked for under a token. */
  readonly asked: (token: string) => number | undefined;
}

/** Milliseconds in which a decision becomes a commit, with room to spare. */
const clockMargin = 10_000;

/** What is left of a time on a machine whose clock goes too fast. */
const fastest = 0.97;

/** Checks each commit against what must hold. */
export class CommitChecks {
  readonly #ports: CheckPorts;
  /** Until when a task last truly was healthy. */
  readonly #healthyAt = new Map<string, number>();
  /** Tasks of each deployment that failed by their own doing. */
  readonly #failed = new Map<string, Set<string>>();
  /** Tasks that were started for each client token. */
  readonly #byToken = new Map<string, Set<string>>();

  #lost = false;

  constructor(ports: CheckPorts) {
    this.#ports = ports;
  }

  /** @throws Violation */
  check(commit: SeenCommit, changed: readonly Changed[]): void {
    // Most commits change rows that nothing here is about: leases, heartbeats, room.
    if (changed.length === 0) return;
    const started: TaskRecord[] = [];
    const stopped: TaskRecord[] = [];
    const stoppedBefore: TaskRecord[] = [];
    for (const change of changed) {
      if (change.kind === 'task') {
        this.#neverBack(change.before, change.after);
        if (change.before === undefined && change.after !== undefined) started.push(change.after);
        if (change.before !== undefined && change.after === undefined) this.#kept(commit, change.before);
        if (change.after !== undefined) this.#noteFailure(change.after);
        if (isOrder(change.before, change.after)) {
          stopped.push(change.after!);
          this.#interrupted(change.after!);
          stoppedBefore.push(change.before!);
        }
      } else if (change.kind === 'definition') this.#unchanged(change.before, change.after);
    }
    // Only now: a verdict may stand in the same commit as its evidence.
    for (const change of changed) if (change.kind === 'service') this.#service(commit, change.before, change.after);
    this.#room(started);
    for (const task of started) {
      this.#constraints(task);
      this.#once(task);
    }
    for (const task of stoppedBefore) this.#protected(commit, task);
    this.#moved(changed, stopped);
    const byService = [...started, ...stopped].filter(({ service }) => service !== undefined);
    if (byService.length > 0) this.#oneLeader(commit, byService);
    if (commit.batch.fence !== undefined && !this.#lost) {
      for (const change of changed) if (change.kind === 'instance') this.#left(change.before, change.after);
      for (const [name, fresh] of Map.groupBy(byService, ({ service }) => service!.name))
        this.#replaced(changed, name, new Set(fresh.filter((task) => started.includes(task)).map(({ id }) => id)));
    }
    const now = commit.process.clock.now();
    for (const [name, own] of Map.groupBy(started, ({ service }) => service?.name))
      if (name !== undefined) this.#maximum(name, own);
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

  /** The store lost commits: what they started may be started again. */
  rewound(): void {
    this.#byToken.clear();
    this.#lost = true;
  }

  /** Tasks that ended because others have started where they are better placed: one of a service, the one that was said, and nothing else is under way. */
  #moved(changed: readonly Changed[], stopped: readonly TaskRecord[]): void {
    const moved = stopped.filter(({ stoppedReason }) => stoppedReason?.startsWith('Rebalancing initiated') === true);
    for (const [name, own] of Map.groupBy(moved, ({ service }) => service?.name ?? '')) {
      const change = changed.find((one) => one.kind === 'service' && one.id === name);
      const before = change?.kind === 'service' ? change.before : undefined;
      const primary = before?.deployments.find(({ status }) => status === 'PRIMARY');
      const said = before?.moving?.move?.taskId;
      if (own.length === 1 && own[0]?.id === said && primary?.rolloutState === 'COMPLETED') continue;
      const ids = own.map(({ id }) => id).join(', ');
      throw new Violation('moves', `${ids} of ${name} ended for a move, of ${said}, while ${primary?.rolloutState}`);
    }
  }

  /** A leader took an instance out of the cluster. */
  #left(before: InstanceRecord | undefined, after: InstanceRecord | undefined): void {
    if (before === undefined || before.status === 'INACTIVE' || after?.status !== 'INACTIVE') return;
    const { mirror, now, leavesAfter = Infinity } = this.#ports;
    const away = now() - (mirror.awaySince.get(before.id) ?? now());
    if (away < leavesAfter * fastest)
      throw new Violation('patient', `${before.id} left by itself after ${Math.round(away)} ms, not ${leavesAfter}`);
  }

  /** A leader started tasks of a service: of one that had all it wants, on hosts that are not away for long, it has no reason to. */
  #replaced(changed: readonly Changed[], name: string, started: ReadonlySet<string>): void {
    const { mirror } = this.#ports;
    const change = changed.find((one) => one.kind === 'service' && one.id === name);
    const service = change?.kind === 'service' ? change.before : mirror.services.get(name);
    if (service?.controller === 'EXTERNAL') {
      this.#replacedInSets(service, started);
      return;
    }
    const primary = service?.deployments.find(({ status }) => status === 'PRIMARY');
    if (started.size === 0 || service?.schedulingStrategy !== 'REPLICA' || primary?.rolloutState !== 'COMPLETED')
      return;
    const there = mirror
      .tasksOf(name)
      .filter((task) => !started.has(task.id) && task.service?.deploymentId === primary.id && this.#standsFirm(task));
    const after = change?.kind === 'service' ? change.after : undefined;
    if (after?.rebalancing?.move !== undefined) {
      const away = [...started].filter((id) => this.#zoneOf(mirror.tasks.get(id)) !== after.rebalancing?.move?.to);
      if (started.size === 1 && away.length === 0 && after.availabilityZoneRebalancing === 'ENABLED') return;
      throw new Violation(
        'zones',
        `${started.size} tasks of ${name} were started to even out, ${away.length} elsewhere`,
      );
    }
    if (after?.moving?.move !== undefined) {
      const { to, taskId } = after.moving.move;
      const away = [...started].filter((id) => mirror.tasks.get(id)?.instanceId !== to);
      const isAsked = after.tags['slipway:rebalance'] === 'true' && mirror.tasks.get(taskId)?.instanceId !== to;
      if (started.size === 1 && away.length === 0 && isAsked) return;
      throw new Violation(
        'moves',
        `${started.size} tasks of ${name} were started to move one, ${away.length} elsewhere`,
      );
    }
    if (there.length < service.desiredCount) return;
    const detail = `${started.size} tasks of ${name} were started though ${there.length} of ${service.desiredCount} run`;
    throw new Violation('patient', detail);
  }

  #zoneOf(task: TaskRecord | undefined): string | undefined {
    const { attributes = [] } = this.#ports.mirror.instances.get(task?.instanceId ?? '') ?? {};
    return attributes.find(({ name }) => name === 'ecs.availability-zone')?.value;
  }

  /** The same of task sets, each on its own. */
  #replacedInSets(service: ServiceRecord, started: ReadonlySet<string>): void {
    const tasks = this.#ports.mirror.tasksOf(service.name);
    for (const set of service.deployments) {
      const own = tasks.filter((task) => task.service?.deploymentId === set.id);
      const fresh = own.filter(({ id }) => started.has(id)).length;
      const there = own.filter((task) => !started.has(task.id) && this.#standsFirm(task)).length;
      if (fresh > 0 && there >= shareOf(service, set))
        throw new Violation('patient', `${fresh} tasks of ${set.id} were started though ${there} run`);
    }
  }

  /** Whether every server has long known that the task runs well, on a host that is not lost. */
  #standsFirm({ id, instanceId = '' }: TaskRecord): boolean {
    const { mirror, now, lag } = this.#ports;
    const recent = now() - lag();
    const host = mirror.instances.get(instanceId);
    if (
      host?.status !== 'ACTIVE' ||
      host.reclaimedAt !== undefined ||
      (mirror.statusAt.get(instanceId) ?? -Infinity) > recent
    )
      return false;
    const long = tuning.replaceLostAfter * fastest;
    if (now() - (mirror.awaySince.get(instanceId) ?? Infinity) >= long) return false;
    // That it is back at last, the leader may not have heard yet.
    const back = mirror.backAt.get(instanceId);
    if (back !== undefined && back.away >= long && back.at > recent) return false;
    return mirror
      .taskDuring(id, recent)
      .every(
        (task) =>
          task?.desiredStatus === 'RUNNING' &&
          task.lastStatus === 'RUNNING' &&
          task.targets?.some(({ health }) => health?.state === 'unhealthy') !== true &&
          task.containers.every(({ healthStatus }) => healthStatus !== 'UNHEALTHY'),
      );
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

  /** The interruption of a task whose host stays. */
  #interrupted({ id, instanceId = '', stopCode }: TaskRecord): void {
    const { mirror, now, lag } = this.#ports;
    const instance = mirror.instances.get(instanceId);
    if (stopCode !== 'SpotInterruption' || instance === undefined || instance.reclaimedAt !== undefined) return;
    if (now() - (mirror.sparedAt.get(instanceId) ?? -Infinity) > lag())
      throw new Violation('interrupted', `task ${id} was told so on ${instanceId}, which is not taken back`);
  }

  #service(commit: SeenCommit, before: ServiceRecord | undefined, after: ServiceRecord | undefined): void {
    this.#verdicts(before, after);
    if (before === undefined || after === undefined) return;
    for (const now of after.deployments) {
      const was = before.deployments.find(({ id }) => id === now.id);
      for (const [name, image] of Object.entries(was?.images ?? {})) {
        if (now.images?.[name] !== image)
          throw new Violation(
            'pinned',
            `deployment ${now.id} pinned ${image}, and now ${now.images?.[name] ?? 'nothing'}`,
          );
      }
    }
    if (commit.batch.fence !== undefined && !this.#lost)
      checkSets(this.#ports.mirror, before, after, (task) => this.#mayBeLost(task));
    if (commit.batch.fence === undefined || after.status !== 'ACTIVE' || after.schedulingStrategy === 'DAEMON') return;
    const set = ({ desiredCount, deploymentConfiguration, placementConstraints, tags }: ServiceRecord): object => ({
      desiredCount,
      deploymentConfiguration,
      placementConstraints,
      tags,
    });
    if (isDeepStrictEqual(set(before), set(after))) return;
    const [was, now] = [JSON.stringify(set(before)), JSON.stringify(set(after))];
    throw new Violation('untouched', `${commit.process.name} changed ${after.name} from ${was} to ${now}`);
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
      if (was.rolloutState === 'IN_PROGRESS' && now.rolloutState === 'FAILED') this.#enough(after!, now);
    }
    for (const { id, failedTasks } of after?.deployments ?? []) {
      const failed = this.#failed.get(id)?.size ?? 0;
      if (failedTasks > failed)
        throw new Violation('evidence', `deployment ${id} counts ${failedTasks} failed tasks, ${failed} have failed`);
    }
  }

  #enough(
    { desiredCount, deploymentConfiguration }: ServiceRecord,
    { id, failedTasks, rolloutStateReason, shifting, alarms, stop }: DeploymentRecord,
  ): void {
    if (alarms?.triggered !== undefined || stop !== undefined) return;
    if (shifting !== undefined && !rolloutStateReason.startsWith('ECS deployment circuit breaker:')) return;
    const { type, value } = deploymentConfiguration.circuitBreaker?.threshold ?? { type: 'COUNT', value: 1 };
    const share = (desiredCount * value) / 100;
    const asked = type === 'COUNT' ? value : type === 'BOUNDED_PERCENT' ? Math.max(3, share) : Math.max(1, share);
    if (failedTasks < Math.min(200, asked))
      throw new Violation('evidence', `deployment ${id} failed with ${failedTasks} failed tasks of ${asked}`);
  }

  #noteFailure({ id, service, lastStatus, stopCode, stoppedReason = '', desiredStatus }: TaskRecord): void {
    if (service === undefined) return;
    const noRoom = /^(TaskFailedToStart: )?(RESOURCE|AGENT|ATTRIBUTE)/.test(stoppedReason);
    const byItself = stopCode === 'TaskFailedToStart' || stopCode === 'EssentialContainerExited';
    const ended = lastStatus === 'STOPPED' && (byItself || stopCode === undefined) && !noRoom;
    const unhealthy = desiredStatus === 'STOPPED' && /^Task failed (container|ELB) health checks/.test(stoppedReason);
    if (!ended && !unhealthy) return;
    const failed = this.#failed.get(service.deploymentId);
    if (failed === undefined) this.#failed.set(service.deploymentId, new Set([id]));
    else failed.add(id);
  }

  #unchanged(before: TaskDefinitionRecord | undefined, after: TaskDefinitionRecord | undefined): void {
    if (before === undefined || isDeepStrictEqual(before.definition, after?.definition)) return;
    throw new Violation('revisions', `${before.arn} says something else than what was registered`);
  }

  #kept({ process }: SeenCommit, task: TaskRecord): void {
    if (process.machine.jumpedSince(clockMargin)) return;
    const { mirror } = this.#ports;
    const age = process.clock.now() - (task.stoppedAt ?? task.createdAt);
    const newer = [...mirror.tasks.values()].filter(
      ({ group, lastStatus, stoppedAt = 0 }) =>
        group === task.group && lastStatus === 'STOPPED' && stoppedAt >= (task.stoppedAt ?? 0),
    );
    const least = newer.length < retention.newestCount ? retention.newestEnded : retention.ended;
    if (task.lastStatus !== 'STOPPED' || age < least) {
      const state = `${task.lastStatus}, over for ${Math.round(age)} ms`;
      throw new Violation('kept', `task ${task.id} was removed (${state}), it was to stay for ${least}`);
    }
  }

  #once({ id, clientToken }: TaskRecord): void {
    if (clientToken === undefined) return;
    const tasks = this.#byToken.get(clientToken) ?? new Set();
    this.#byToken.set(clientToken, tasks);
    if (tasks.has(id)) throw new Violation('once', `task ${id} of ${clientToken} was started a second time`);
    tasks.add(id);
    const most = this.#ports.asked(clientToken) ?? 0;
    if (tasks.size > most)
      throw new Violation('once', `${clientToken} asked for ${most} tasks, ${tasks.size} were started`);
  }

  #constraints(task: TaskRecord): void {
    const { mirror, now, lag } = this.#ports;
    const service = mirror.services.get(task.service?.name ?? '');
    const host = task.instanceId ?? '';
    for (const { type, expression } of service?.placementConstraints ?? []) {
      if (type === 'distinctInstance') {
        const others = [...(mirror.placed.get(host) ?? [])].filter((id) => id !== task.id);
        const twin = others.find((id) => {
          const other = mirror.tasks.get(id);
          return other?.service?.name === service?.name && other?.desiredStatus === 'RUNNING';
        });
        if (twin !== undefined) throw new Violation('constraints', `${task.id} and ${twin} are both on ${host}`);
      }
      const [, name, value] = /^attribute:(\S+) == (\S+)$/.exec(expression ?? '') ?? [];
      if (name === undefined || now() - (mirror.attributesAt.get(host) ?? -Infinity) <= lag()) continue;
      const has = mirror.instances.get(host)?.attributes.find((one) => one.name === name)?.value;
      if (has !== value)
        throw new Violation('constraints', `${task.id} is on ${host}, whose ${name} is ${has}, not ${value}`);
    }
  }

  /** What was protected when it was told to stop; the order carries the version of the task that it was decided on. */
  #protected({ process }: SeenCommit, before: TaskRecord): void {
    const { mirror } = this.#ports;
    const task = mirror.tasks.get(before.id)!;
    const service = mirror.services.get(task.service?.name ?? '');
    if (service?.status !== 'ACTIVE' || service.schedulingStrategy === 'DAEMON') return;
    // Its set is deleted.
    if (service.deployments.some(({ id, taskSet }) => id === task.service?.deploymentId && taskSet?.ends === true))
      return;
    if (task.stopCode !== 'ServiceSchedulerInitiated' || before.lastStatus !== 'RUNNING') return;
    if (!task.stoppedReason?.startsWith('Scaling activity') || process.machine.jumpedSince(clockMargin)) return;
    if ((before.protectedUntil ?? 0) <= process.clock.now() + clockMargin) return;
    throw new Violation('protected', `task ${task.id} of ${service.name} was stopped though it is protected`);
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
    const over = ({ lastStatus }: TaskRecord): boolean => lastStatus === 'STOPPED' || lastStatus === 'DEPROVISIONING';
    if (batch.fence === undefined && tasks.every(over)) return;
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

  #maximum(name: string, started: readonly TaskRecord[]): void {
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
    const { maximumPercent } = service.deploymentConfiguration;
    // Where traffic shifts each revision has its own tasks; one that rolls back has those of the other beside it.
    const isShared =
      service.controller === 'EXTERNAL' || service.deployments.some(({ shifting }) => shifting !== undefined);
    const of = new Set(started.map(({ service: own }) => own?.deploymentId));
    const sets = Map.groupBy(
      live.filter((task) => !this.#mayBeLost(task)),
      (task) => (isShared ? task.service?.deploymentId : ''),
    );
    for (const [id, { length: there }] of sets) {
      if (isShared && !of.has(id)) continue;
      const share = shareOf(
        service,
        service.deployments.find((one) => one.id === id),
      );
      const most = Math.floor((share * maximumPercent) / 100);
      if (there > most) throw new Violation('maximum', `${name} has ${there} tasks, at most ${most} are allowed`);
    }
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
    const bySets = service.controller === 'EXTERNAL';
    for (const [id, own] of Map.groupBy(chosen, (task) => (bySets ? task.service?.deploymentId : ''))) {
      const share = shareOf(
        service,
        service.deployments.find((one) => one.id === id),
      );
      const least = Math.ceil((share * service.deploymentConfiguration.minimumHealthyPercent) / 100);
      // What the leader has not heard of yet it cannot count: a task that was healthy a moment ago still counts here.
      const healthy = mirror
        .tasksOf(name)
        .filter((task) => (!bySets || task.service?.deploymentId === id) && this.#wasHealthy(task, now)).length;
      if (healthy < least) {
        throw new Violation(
          'minimum',
          `${name} has ${healthy} healthy tasks after ${own.length} were stopped, at least ${least} must stay`,
        );
      }
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
