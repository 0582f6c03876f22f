import {
  type ContainerRecord,
  type DeploymentConfiguration,
  type DeploymentRecord,
  type HookResultRecord,
  type MeasuredRecord,
  type ServiceLoadBalancer,
  type ServiceRecord,
  type ShiftLiveRecord,
  type Shifting,
  type ShiftRecord,
  type StopCode,
  type TaskRecord,
} from '../../state/index.ts';
import {
  type Blocked,
  blockedKey,
  defaultReconcilerOptions,
  type Gain,
  type HostCondition,
  missingDefinition,
  inOtherGroup,
  newestCompleted,
  reconcileService,
  type ReconcilerOptions,
  type ServicePlan,
  type WatchedAlarm,
} from '../index.ts';

/** How tasks of a revision behave in the simulated world. */
export interface Revision {
  readonly behaviour: 'good' | 'fails to start' | 'crashes' | 'never healthy' | 'cannot be placed' | 'is gone';
  /** Whether its container has a health check. */
  readonly checks: boolean;
}

const arnOf = (revision: number): string => `arn:aws:ecs:us-east-1:000000000000:task-definition/web:${revision}`;

const settings: DeploymentConfiguration = { maximumPercent: 200, minimumHealthyPercent: 100 };

export const breaker = (rollback: boolean): NonNullable<DeploymentConfiguration['circuitBreaker']> => ({
  enable: true,
  rollback,
  resetOnHealthyTask: true,
  threshold: { type: 'BOUNDED_PERCENT', value: 50 },
});

/** A host of the simulated world with room for so many tasks. */
export interface Host {
  readonly id: string;
  room: number;
  condition: HostCondition;
  /** Its availability zone. */
  zone?: string;
  /** When tasks on it are told to stop at the latest, as it is taken back. */
  interruptedAt?: number;
}

/**
 * A world of one service without I/O: hosts, tasks, revisions, and the reconciler. Time moves only when told to.
 * Every pass carries its plan out at once, as the control plane does in one commit.
 */
export class World {
  now = 1_000_000;
  service: ServiceRecord;
  readonly tasks = new Map<string, TaskRecord>();
  readonly hosts: Host[];
  readonly revisions: Revision[] = [];
  readonly events: string[] = [];
  readonly options: ReconcilerOptions;
  lastPlan: ServicePlan | undefined;
  shift: ShiftRecord | undefined;
  shiftLive: ShiftLiveRecord | undefined;
  measured: MeasuredRecord | undefined;
  readonly hookResults = new Map<string, HookResultRecord>();
  /** Undefined: it is not known how they stand. */
  alarms: Map<string, WatchedAlarm> | undefined = new Map();
  /** Tasks of which it is not known where they answer. */
  readonly addressless = new Set<string>();
  /** How many tasks were put into the order of the strategies so far. */
  ordered = 0;
  /** How often it was asked which zones could take a task, which is dear where hosts are many. */
  zonesAsked = 0;
  #ids = 0;
  readonly #balancers: ServiceRecord['loadBalancers'];
  readonly #configuration: DeploymentConfiguration;

  constructor(
    options: {
      hosts?: number;
      room?: number;
      desired?: number;
      configuration?: Partial<DeploymentConfiguration>;
      first?: Revision;
      reconciler?: Partial<ReconcilerOptions>;
      schedulingStrategy?: ServiceRecord['schedulingStrategy'];
      loadBalancers?: ServiceRecord['loadBalancers'];
    } = {},
  ) {
    this.options = { ...defaultReconcilerOptions, ...options.reconciler };
    this.hosts = Array.from({ length: options.hosts ?? 3 }, (_, index) => ({
      id: `host-${index}`,
      room: options.room ?? 100,
      condition: 'ready',
    }));
    this.revisions.push(options.first ?? { behaviour: 'good', checks: true });
    this.#balancers = options.loadBalancers;
    this.#configuration = { ...settings, ...options.configuration };
    this.service = {
      name: 'web',
      arn: 'arn:aws:ecs:us-east-1:000000000000:service/default/web',
      status: 'ACTIVE',
      schedulingStrategy: options.schedulingStrategy ?? 'REPLICA',
      desiredCount: options.desired ?? 2,
      taskDefinition: arnOf(0),
      deploymentConfiguration: this.#configuration,
      placementConstraints: [],
      placementStrategy: [],
      launchType: 'EC2',
      ...(this.#balancers === undefined ? {} : { loadBalancers: this.#balancers }),
      deployments: [this.#deployment(0)],
      createdAt: this.now,
      tags: {},
      propagateTags: 'NONE',
      enableECSManagedTags: false,
      enableExecuteCommand: false,
      availabilityZoneRebalancing: 'DISABLED',
      steady: false,
      version: 1,
    };
  }

  #deployment(revision: number): DeploymentRecord {
    return {
      id: `ecs-svc/${revision}-${++this.#ids}`,
      status: 'PRIMARY',
      taskDefinition: arnOf(revision),
      rolloutState: 'IN_PROGRESS',
      rolloutStateReason: 'in progress',
      failedTasks: 0,
      everRunning: false,
      createdAt: this.now,
      updatedAt: this.now,
      cause: { kind: 'api' },
      ...(this.#balancers === undefined ? {} : { loadBalancers: this.#balancers.map((one) => this.#awayFromOld(one)) }),
      ...this.#shifting(),
    };
  }

  /** Of the two target groups of a deployment that shifts traffic: its own is the one that the old revision does not have. */
  #awayFromOld(one: ServiceLoadBalancer): ServiceLoadBalancer {
    const old = newestCompleted(this.service?.deployments ?? []);
    const isTaken = old?.loadBalancers?.some(({ targetGroupArn }) => targetGroupArn === one.targetGroupArn) === true;
    return isTaken ? inOtherGroup(one) : one;
  }

  #shifting(): Pick<DeploymentRecord, 'shifting'> {
    const { strategy, bakeTimeInMinutes = 0, lifecycleHooks: hooks = [] } = this.#configuration;
    if (strategy === undefined) return {};
    const none = { production: 0, test: 0 };
    return {
      shifting: {
        strategy,
        bakeTimeInMinutes,
        hooks,
        stage: 'RECONCILE_SERVICE',
        stageSince: this.now,
        step: 0,
        wanted: none,
        sequence: 0,
        live: { ...none, since: this.now },
        runs: [],
      },
    };
  }

  /** How far the PRIMARY deployment is with shifting traffic. */
  shifting(): Shifting {
    const { shifting } = this.primary();
    if (shifting === undefined) throw new Error('the PRIMARY deployment shifts nothing');
    return shifting;
  }

  /** Every traffic engine has taken over what the rules were told, or says why it cannot. */
  acknowledge(problem?: string): void {
    if (this.shift === undefined) return;
    const { service, sequence } = this.shift;
    const before = this.shiftLive?.sequence ?? 0;
    this.shiftLive =
      problem === undefined
        ? { service, epoch: 1, sequence, at: this.now }
        : { service, epoch: 1, sequence: before, at: this.now, problem: { sequence, reason: problem } };
  }

  /** An alarm that looks back over two minutes becomes this. */
  alarm(name: string, state: WatchedAlarm['state']): void {
    const before = this.alarms?.get(name);
    const alarmedAt = state === 'ALARM' && before?.state !== 'ALARM' ? this.now : before?.alarmedAt;
    this.alarms?.set(name, { state, span: 120_000, ...(alarmedAt === undefined ? {} : { alarmedAt }) });
  }

  /** A hook answers, or a person ends a pause. */
  answer(id: string, status: HookResultRecord['status'], reason?: string): void {
    const { id: deploymentId } = this.primary();
    this.hookResults.set(id, {
      id,
      service: 'web',
      deploymentId,
      status,
      at: this.now,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** StopServiceDeployment. */
  stopDeployment(type: 'ROLLBACK' | 'ABORT'): void {
    const { id } = this.primary();
    this.service = {
      ...this.service,
      deployments: this.service.deployments.map((one) =>
        one.id !== id
          ? one
          : one.shifting === undefined
            ? { ...one, stop: { type, at: this.now, by: 'somebody' } }
            : { ...one, shifting: { ...one.shifting, stop: { type, at: this.now } } },
      ),
    };
  }

  /** Starts a deployment of a new revision, as UpdateService does. */
  deploy(revision: Revision): DeploymentRecord {
    const number = this.revisions.push(revision) - 1;
    const deployment = this.#deployment(number);
    this.service = {
      ...this.service,
      taskDefinition: deployment.taskDefinition,
      deployments: [
        deployment,
        ...this.service.deployments.map((old) =>
          old.status === 'PRIMARY' ? { ...old, status: 'ACTIVE' as const } : old,
        ),
      ],
      steady: false,
    };
    return deployment;
  }

  /** One pass; returns the plan that was carried out. */
  pass(): ServicePlan {
    const plan = this.#plan(new Map());
    const placed = this.#place(plan);
    const final = placed.blocked.size === 0 ? plan : this.#plan(placed.blocked);
    this.service = final.service;
    for (const task of final.tasks) this.tasks.set(task.id, task);
    for (const task of placed.tasks) this.tasks.set(task.id, task);
    if (final.shift !== undefined) this.shift = final.shift;
    if (final.endsShift) this.shift = this.shiftLive = this.measured = undefined;
    for (const run of final.endedRuns) this.hookResults.delete(run);
    this.events.push(...final.events);
    this.lastPlan = final;
    return final;
  }

  #plan(blocked: ReadonlyMap<string, Blocked>): ServicePlan {
    return reconcileService(
      {
        service: this.service,
        tasks: [...this.tasks.values()],
        hostOf: (task) => this.hosts.find(({ id }) => id === task.instanceId)?.condition ?? 'lost',
        interruptedAt: (task) => this.hosts.find(({ id }) => id === task.instanceId)?.interruptedAt,
        placeOf: (task, { containerPort }) =>
          this.addressless.has(task.id)
            ? { missing: 'nobody knows where it is' }
            : { id: task.id.slice(0, 16), targetId: `i-${task.instanceId}`, address: '10.0.0.1', port: containerPort },
        blocked,
        scaleInOrder: (ids, limit) => {
          this.ordered += Math.min(limit, ids.length);
          return ids.slice(0, limit);
        },
        gainOf: (tasks) => this.gain(tasks),
        zoneOf: (task) => this.hosts.find(({ id }) => id === task.instanceId)?.zone,
        zones: () => {
          this.zonesAsked += 1;
          return [...new Set(this.hosts.flatMap(({ condition, zone }) => (condition === 'ready' ? (zone ?? []) : [])))];
        },
        zonesOfHosts: () => [...new Set(this.hosts.flatMap(({ zone }) => zone ?? []))],
        eligible: this.hosts.filter(({ condition }) => condition === 'ready').map(({ id }) => id),
        lingering: [],
        shift: this.shift,
        shiftLive: this.shiftLive,
        measured: this.measured,
        hookResults: [...this.hookResults.values()],
        alarms: this.alarms,
        newRunId: () => `run-${++this.#ids}`,
      },
      this.now,
      this.options,
    );
  }

  /** From the host with the most of the tasks to the one with the fewest, while they differ by two: spread by host. */
  gain(tasks: readonly TaskRecord[]): Gain | undefined {
    const on = (host: Host): number => tasks.filter(({ instanceId }) => instanceId === host.id).length;
    const ready = this.hosts.filter(({ condition }) => condition === 'ready').sort((a, b) => on(b) - on(a));
    const [most, fewest] = [ready[0], ready.findLast((host) => this.free(host) > 0)];
    if (most === undefined || fewest === undefined || on(most) - on(fewest) < 2) return undefined;
    const { id: taskId = '' } = tasks.find(({ instanceId }) => instanceId === most.id) ?? {};
    return { taskId, from: most.id, to: fewest.id, why: `${on(most)} tasks and ${on(fewest)}` };
  }

  /** Free places of a host; a lost host has none. */
  free(host: Host): number {
    return host.condition === 'ready'
      ? host.room - this.live().filter((task) => task.instanceId === host.id).length
      : 0;
  }

  #place(plan: ServicePlan): { tasks: TaskRecord[]; blocked: Map<string, Blocked> } {
    const tasks: TaskRecord[] = [];
    const blocked = new Map<string, Blocked>();
    for (const start of plan.starts) {
      const deployment = plan.service.deployments.find(({ id }) => id === start.deploymentId);
      if (deployment === undefined) continue;
      for (let count = 0; count < start.count; count++) {
        const taken = (host: Host): number => tasks.filter((task) => task.instanceId === host.id).length;
        const wanted = start.instances?.[count];
        const host = this.hosts.find(
          (one) =>
            this.free(one) - taken(one) > 0 &&
            (wanted === undefined || one.id === wanted) &&
            (start.zone === undefined || one.zone === start.zone),
        );
        if (this.behaviour(deployment.taskDefinition).behaviour === 'is gone') {
          const message = `The task definition ${deployment.taskDefinition} does not exist any more.`;
          blocked.set(blockedKey(start), { code: missingDefinition, message, relief: [] });
          break;
        }
        if (host === undefined || this.behaviour(deployment.taskDefinition).behaviour === 'cannot be placed') {
          const relief = this.live().find(
            (task) =>
              task.desiredStatus === 'RUNNING' &&
              task.service?.deploymentId !== deployment.id &&
              this.hosts.find(({ id }) => id === task.instanceId)?.condition === 'ready',
          );
          const helps = this.behaviour(deployment.taskDefinition).behaviour !== 'cannot be placed';
          blocked.set(blockedKey(start), {
            code: 'RESOURCE:MEMORY',
            message: 'The closest matching (container-instance host-0) has insufficient memory available.',
            relief: relief === undefined || !helps ? [] : [relief.id],
          });
          break;
        }
        const provider = start.providers?.[count];
        tasks.push({
          ...this.task(deployment, host.id),
          ...(provider === undefined ? {} : { capacityProvider: provider }),
        });
      }
    }
    return { tasks, blocked };
  }

  behaviour(taskDefinition: string): Revision {
    const revision = this.revisions[Number(taskDefinition.split(':').at(-1))];
    if (revision === undefined) throw new Error(`no revision ${taskDefinition}`);
    return revision;
  }

  task(deployment: DeploymentRecord, instanceId: string): TaskRecord {
    const id = `task-${++this.#ids}`;
    const container: ContainerRecord = {
      name: 'app',
      image: `127.0.0.1:7500/web@sha256:${deployment.taskDefinition.split(':').at(-1)?.padStart(64, '0')}`,
      essential: true,
      checksHealth: this.behaviour(deployment.taskDefinition).checks,
      lastStatus: 'PENDING',
      healthStatus: 'UNKNOWN',
      networkBindings: [],
    };
    return {
      id,
      arn: `arn:aws:ecs:us-east-1:000000000000:task/default/${id}`,
      taskDefinition: deployment.taskDefinition,
      group: 'service:web',
      startedBy: deployment.id,
      service: { name: 'web', deploymentId: deployment.id },
      instanceId,
      reservation: { cpu: 1, memory: 1, tcpPorts: [], udpPorts: [], gpus: 0 },
      desiredStatus: 'RUNNING',
      lastStatus: 'PENDING',
      healthStatus: 'UNKNOWN',
      containers: [container],
      launchType: 'EC2',
      createdAt: this.now,
      ...(deployment.loadBalancers === undefined ? {} : { targets: [] }),
      tags: {},
      enableExecuteCommand: false,
      version: 1,
    };
  }

  live(): TaskRecord[] {
    return [...this.tasks.values()].filter((task) => task.lastStatus !== 'STOPPED');
  }

  wanted(): TaskRecord[] {
    return this.live().filter((task) => task.desiredStatus === 'RUNNING');
  }

  /** Changes a task as the agent's reports do. */
  report(id: string, patch: Partial<TaskRecord>): void {
    const task = this.tasks.get(id);
    if (task !== undefined) this.tasks.set(id, { ...task, ...patch, version: task.version + 1 });
  }

  running(id: string): void {
    this.report(id, { lastStatus: 'RUNNING', startedAt: this.now });
  }

  check(id: string, healthStatus: 'HEALTHY' | 'UNHEALTHY'): void {
    const containers = this.tasks.get(id)?.containers.map((container) => ({ ...container, healthStatus })) ?? [];
    this.report(id, { healthStatus, containers });
  }

  /** Health checks of target groups find out about a task; without a state, nothing of it is under way any more. */
  target(id: string, state?: 'healthy' | 'unhealthy', description = 'Health checks failed'): void {
    const targets = (this.tasks.get(id)?.targets ?? []).map((target) =>
      state === undefined
        ? { ...target, quietAt: this.now }
        : { ...target, health: state === 'healthy' ? { state } : { state, description } },
    );
    this.report(id, { targets });
  }

  stopped(id: string, code: StopCode, reason: string): void {
    const task = this.tasks.get(id);
    if (task === undefined) return;
    this.report(id, {
      lastStatus: 'STOPPED',
      desiredStatus: 'STOPPED',
      stoppedAt: this.now,
      stopCode: task.stopCode ?? code,
      stoppedReason: task.stoppedReason ?? reason,
    });
  }

  /** Lets the agents of connected hosts do one step for one task: what its revision does next. */
  step(id: string): void {
    const task = this.tasks.get(id);
    const host = this.hosts.find((one) => one.id === task?.instanceId);
    if (task === undefined || task.lastStatus === 'STOPPED' || host === undefined || host.condition === 'lost') return;
    if (task.desiredStatus === 'STOPPED') return this.stopped(id, 'ServiceSchedulerInitiated', 'stopped');
    const { behaviour, checks } = this.behaviour(task.taskDefinition);
    if (task.lastStatus !== 'RUNNING') {
      if (behaviour === 'fails to start') return this.stopped(id, 'TaskFailedToStart', 'CannotPullContainerError: no');
      return this.running(id);
    }
    if (behaviour === 'crashes')
      return this.stopped(id, 'EssentialContainerExited', 'Essential container in task exited');
    const found = behaviour === 'never healthy' ? 'unhealthy' : 'healthy';
    const isNews = (task.targets ?? []).some(({ health }) => health?.state !== found);
    if (this.#balancers?.some(({ advanced }) => advanced !== undefined) && isNews) this.target(id, found);
    if (checks) this.check(id, behaviour === 'never healthy' ? 'UNHEALTHY' : 'HEALTHY');
  }

  /** Agents do what they should and time passes, until nothing changes any more (at most `rounds`). */
  calm(rounds = 200): void {
    for (let round = 0; round < rounds; round++) {
      const before = JSON.stringify([this.service.deployments, [...this.tasks.values()]]);
      this.pass();
      for (const task of this.live()) this.step(task.id);
      this.acknowledge();
      this.pass();
      if (JSON.stringify([this.service.deployments, [...this.tasks.values()]]) === before) {
        const wake = this.lastPlan?.wakeAt;
        if (wake === undefined) return;
        this.now = wake;
      } else this.now += 1000;
    }
  }

  primary(): DeploymentRecord {
    const primary = this.service.deployments.find(({ status }) => status === 'PRIMARY');
    if (primary === undefined) throw new Error('no PRIMARY deployment');
    return primary;
  }
}
