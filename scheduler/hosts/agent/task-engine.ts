import type Docker from 'dockerode';

import type { Log } from '@slipway/auth/contract';

import { containerName, ownVolumes } from './create-options.ts';
import { EngineUnavailable, labels } from './docker.ts';
import type { EngineOptions, RunnerPorts } from './engine-ports.ts';
import { EngineWatch } from './engine-watch.ts';
import type { LiveTask, TaskEndpoint } from './endpoint/index.ts';
import type { JsonFolder } from './files.ts';
import type { HostPorts } from './host-ports.ts';
import type { Images } from './images.ts';
import type { PullRights } from './logins.ts';
import {
  type AgentContainer,
  type AgentTask,
  type MessageOf,
  needsSecrets,
  taskSchema,
  withoutSecrets,
} from '../wire/index.ts';
import { groupOf, type TaskLimitsPort } from './limits/index.ts';
import type { LogShipping } from './logs/index.ts';
import { attachmentsOf, type TaskNetworkPort } from './network/index.ts';
import { healthOf } from './observe.ts';
import { OwnContainers } from './own-containers.ts';
import { foldersName } from './held-file-systems.ts';
import { nameClash } from './name-clash.ts';
import type { Counted } from './kernel-stats.ts';
import { holderName, isInternal, withHolder, withPause } from './pause.ts';
import { imageRefusal, refusal, stopRefusal } from './policy.ts';
import type { TaskReport } from './report.ts';
import { idOf, routerOf, type RouterPort, routingRefusal, withRouter } from './routers/index.ts';
import { StorageWatch, type TaskStoragePort } from './storage/index.ts';
import { Strays } from './strays.ts';
import { restored, type SavedTask } from './saved-task.ts';
import { TaskRunner } from './task-runner.ts';

export interface TaskEnginePorts {
  readonly options: EngineOptions;
  readonly docker: Docker;
  /** Names this agent on its containers, so that agents sharing a Docker engine leave each other's alone. */
  readonly agentId: string;
  readonly images: Images;
  readonly network: TaskNetworkPort;
  readonly limits: TaskLimitsPort;
  readonly storage: TaskStoragePort;
  readonly isolation: RunnerPorts['isolation'];
  readonly routers: RouterPort;
  readonly hostPorts: HostPorts;
  readonly mountsOf: RunnerPorts['mountsOf'];
  /** Why this host has no network for tasks with addresses of their own; undefined while it has. */
  readonly withoutNetwork: () => string | undefined;
  readonly files: JsonFolder;
  readonly log: Log;
  readonly logs: Pick<LogShipping, 'check' | 'follow' | 'over' | 'mayRemove' | 'stop'>;
  readonly endpoint: Pick<TaskEndpoint, 'reason' | 'environment'>;
  readonly rights: (task: AgentTask, container: AgentContainer) => PullRights;
  /** The values of tasks' secrets: learned before a task is applied. */
  readonly secrets: RunnerPorts['secrets'];
  readonly report: (report: TaskReport) => void;
  /** Whether a report of a task is on its way. */
  readonly reporting: (taskArn: string) => boolean;
  readonly healthChanged: () => void;
  readonly answering: (answering: boolean) => void;
}

/** One container's health, as telemetry publishes it. */
export type TaskHealth = NonNullable<MessageOf<'PublishHealthRequest'>['tasks']>[number];

/** Statuses of a task that once ran, in the control plane's words. */
const hasRun: ReadonlySet<string> = new Set(['RUNNING', 'DEACTIVATING', 'STOPPING', 'DEPROVISIONING']);

const fileName = (taskArn: string): string => taskArn.slice(taskArn.lastIndexOf('/') + 1).replaceAll(/[^\w-]/g, '_');

/** All tasks of this host. Every command may come any number of times and in any order. */
export class TaskEngine {
  readonly #ports: TaskEnginePorts;
  readonly #runners = new Map<string, TaskRunner>();
  readonly #running = new Set<Promise<void>>();
  readonly #watch: EngineWatch;
  readonly #stopped = new AbortController();
  /** Tasks known only by the labels of their containers. */
  #orphans = new Set<string>();
  readonly #strays: Strays;
  readonly #containers: OwnContainers;
  #loops: Promise<unknown> = Promise.resolve();

  constructor(ports: TaskEnginePorts) {
    this.#ports = ports;
    this.#containers = new OwnContainers(ports, ports.options.stopTimeout);
    this.#strays = new Strays({ ...ports, cluster: ports.options.cluster });
    this.#watch = new EngineWatch({
      docker: ports.docker,
      agentId: ports.agentId,
      clock: ports.options.clock,
      log: ports.log,
      changed: (arn) => this.#runners.get(arn)?.poke(),
      answering: (answering) => {
        ports.answering(answering);
        if (answering) for (const runner of this.#runners.values()) runner.poke();
      },
    });
  }

  /** Whether the Docker engine answers. */
  get answers(): boolean {
    return this.#watch.answers;
  }

  /** Takes up the tasks of an earlier run from their files; their containers are found by name and go on as they are. */
  async start(): Promise<void> {
    const { files, damaged } = await this.#ports.files.open();
    for (const path of damaged) this.#ports.log.error({ path }, 'a task file is damaged and was left alone');
    const known: SavedTask[] = [];
    for (const [name, value] of files) {
      const saved = restored(value as SavedTask);
      const task = taskSchema.safeParse(saved.task);
      if (task.success) known.push({ ...saved, task: task.data });
      else this.#ports.log.error({ name }, 'a task file cannot be read and was left alone');
    }
    const live = known.filter(({ stoppedAt }) => stoppedAt === undefined);
    this.#ports.hostPorts.open(new Set(live.map(({ task }) => task.arn)));
    for (const saved of known) this.#adopt(saved);
    await this.#sweepNetwork();
    await this.#sweepRouters(live.map(({ task }) => task));
    const watch = new StorageWatch({
      ...this.#ports,
      clock: this.#ports.options.clock,
      every: this.#ports.options.countStorageEvery,
      tasks: () => this.#live(),
      volumesOf: ownVolumes,
    });
    this.#loops = Promise.all([this.#watch.run(), this.#inspectLoop(), watch.run(this.#stopped.signal)]);
  }

  /** Lets go of every task; their containers keep running. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#watch.stop();
    for (const runner of this.#runners.values()) runner.detach();
    await this.#ports.logs.stop();
    await this.#loops;
    await Promise.allSettled(this.#running);
  }

  /**
   * A task of a payload. Known ones only learn a new desired status. An unknown one that the control plane knows as
   * RUNNING, and whose containers are gone, is reported as stopped instead of being started a second time.
   * @param installation whose task it is, as its server says
   */
  async apply(task: AgentTask, installation?: string): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const known = this.#runners.get(task.arn);
    if (known !== undefined) {
      if (known.stoppedAt !== undefined) known.reportAgain();
      else if (task.desiredStatus === 'STOPPED') await this.#end(known, task);
      // A report that was lost or refused for a while: what is known there is behind what is so here.
      else if (known.status === 'RUNNING' && task.knownStatus === 'PENDING') known.reportAgain();
      return;
    }
    if (task.desiredStatus === 'STOPPED') {
      // Stopping takes its time; other messages need not wait for it.
      void this.#removeOrphan(task.arn)
        .then(() => this.#ports.report({ arn: task.arn, status: 'STOPPED', containers: [] }))
        .catch((error: unknown) =>
          this.#ports.log.warn({ task: task.arn, err: error }, 'could not remove containers of a task'),
        );
      return;
    }
    if (hasRun.has(task.knownStatus ?? '') && (await this.#containers.list(task.arn)).length === 0) {
      this.#reject(task, 'ContainerRuntimeError: the agent no longer has the containers of this task');
      return;
    }
    const why =
      this.#refusalOf(task) ?? this.#withoutEndpoint(task) ?? this.#withoutNetwork(task) ?? withoutValues(task);
    if (why !== undefined) {
      this.#reject(task, why);
      return;
    }
    // Another payload may have added it while this one looked for containers.
    if (this.#runners.has(task.arn)) return;
    this.#orphans.delete(task.arn);
    const kept = withoutSecrets(withPause(withHolder(withRouter(task))));
    const credentialsId = task.roleCredentials?.credentialsId;
    const saved: SavedTask = {
      task: kept,
      desired: 'RUNNING',
      failures: {},
      images: {},
      started: [],
      ...(installation === undefined ? {} : { installation }),
      ...(credentialsId === undefined ? {} : { credentialsId }),
    };
    await this.#ports.files.write(fileName(task.arn), saved);
    if (!this.#runners.has(task.arn)) this.#add(saved);
  }

  /** Carries out the order to stop a task, unless requests of clients may still reach it. */
  async #end(known: TaskRunner, order: AgentTask): Promise<void> {
    const why = stopRefusal(known.task, order);
    if (why === undefined) await known.stopTask();
    else this.#ports.log.warn({ task: order.arn, reason: why }, 'refused to stop a task; waiting for another order');
  }

  /**
   * ARNs of tasks that have, or may have, containers, and that the control plane does not name.
   * @param installation the one whose containers count, also those that another agent left here
   */
  async notIn(wanted: ReadonlySet<string>, installation: string | undefined): Promise<string[]> {
    if (installation !== undefined) await this.#strays.find(installation);
    const live = this.#live().map((runner) => runner.task.arn);
    return [...live, ...this.#orphans, ...this.#strays.tasks].filter((arn) => !wanted.has(arn));
  }

  /**
   * Reports the end of tasks again that the control plane still names and that are over here, unless that is on its way: a store that has lost
   * commits has lost what it was told, and nobody would say it a second time.
   */
  reportOver(named: ReadonlySet<string>): void {
    for (const arn of named) {
      const runner = this.#runners.get(arn);
      if (runner?.stoppedAt !== undefined && !this.#ports.reporting(arn)) runner.reportAgain();
    }
  }

  /** Stops a task that the control plane confirmed is not to run. */
  async stopTask(arn: string): Promise<void> {
    const runner = this.#runners.get(arn);
    if (runner !== undefined) await runner.stopTask();
    else if (this.#orphans.has(arn)) await this.#removeOrphan(arn);
    else await this.#containers.end(this.#strays.take(arn));
  }

  /**
   * Ends every task of this agent, also those that are known by their containers alone: the registration that they belong to is over.
   * Resolves when none of them runs, or will.
   * @returns how many there were
   * @throws EngineUnavailable; what an engine refuses; what an aborted signal throws when the agent stops meanwhile
   */
  async endAll(): Promise<number> {
    const live = this.#live();
    for (const runner of live) await runner.stopTask();
    await Promise.all(this.#running);
    this.#stopped.signal.throwIfAborted();
    const left = (await this.#containers.list()).filter(({ Labels }) => !this.#runners.has(Labels[labels.task] ?? ''));
    await this.#containers.end(left);
    this.#orphans.clear();
    return live.length + new Set(left.map(({ Labels }) => Labels[labels.task])).size;
  }

  /** The health of every container that has a check. */
  health(): TaskHealth[] {
    return this.#live().flatMap((runner) => {
      const containers = runner.task.containers
        .filter((container) => container.healthCheckType === 'docker')
        .map(({ name }) => ({ containerName: name, healthStatus: healthOf(runner.inspected.get(name)) }));
      return containers.length === 0 ? [] : [{ taskArn: runner.task.arn, containers }];
    });
  }

  /** Running containers by task, for measuring; `internal` is the one that holds the network interface of a task that has one. */
  containers(): (Counted & { readonly task: AgentTask; readonly name: string })[] {
    return this.#live().flatMap((runner) =>
      [...runner.inspected]
        .filter(([name, info]) => info.State.Running && name !== holderName)
        .map(([name, info]) => ({
          task: runner.task,
          name,
          id: info.Id,
          pid: info.State.Pid,
          networkMode: info.HostConfig.NetworkMode ?? '',
          runtime: info.HostConfig.Runtime ?? '',
          internal: isInternal({ name }),
        })),
    );
  }

  /** Tasks that are not over. */
  live(): readonly LiveTask[] {
    return this.#live();
  }

  /** Whether a task is here and not over. */
  has(taskArn: string): boolean {
    return this.#runners.get(taskArn)?.stoppedAt === undefined && this.#runners.has(taskArn);
  }

  #live(): TaskRunner[] {
    return [...this.#runners.values()].filter((runner) => runner.stoppedAt === undefined);
  }

  /** Takes up a task of an earlier run, whose interface may stand. */
  #adopt(saved: SavedTask): void {
    if (saved.stoppedAt === undefined) {
      for (const attachment of attachmentsOf(saved.task)) this.#ports.network.adopt(attachment);
    }
    for (const container of saved.task.containers)
      if (saved.started.includes(container.name)) this.#ports.logs.follow(saved.task, container, false);
    this.#add(saved);
  }

  /** What no task that is known here owns was left by a run that was killed. */
  async #sweepNetwork(): Promise<void> {
    if (this.#ports.withoutNetwork() !== undefined) return;
    try {
      const count = await this.#ports.network.sweep();
      if (count > 0) this.#ports.log.info({ count }, 'removed network interfaces of tasks that are gone');
    } catch (error) {
      this.#ports.log.warn({ err: error }, 'cannot look for network interfaces of tasks that are gone');
    }
  }

  /** What no task that runs here owns was left by a run that was killed. */
  async #sweepRouters(live: readonly AgentTask[]): Promise<void> {
    try {
      await this.#ports.routers.sweep(new Set(live.filter((task) => routerOf(task) !== undefined).map(idOf)));
    } catch (error) {
      this.#ports.log.warn({ err: error }, 'cannot remove files of log routers that are gone');
    }
  }

  /** No container of a task that is over starts again. What cannot be removed now, the next run of the agent removes. */
  async #removeRouter(task: AgentTask): Promise<void> {
    if (routerOf(task) === undefined) return;
    await this.#ports.routers
      .remove(idOf(task))
      .catch((err: unknown) =>
        this.#ports.log.warn({ task: task.arn, err }, 'cannot remove the files of a log router'),
      );
  }

  #add(saved: SavedTask): void {
    const { endpoint } = this.#ports;
    const ports: RunnerPorts = {
      ...this.#ports,
      environment: (task, container, credentialsId) => endpoint.environment(task, container, credentialsId),
      save: (task) => this.#ports.files.write(fileName(task.task.arn), task),
      untilEngineAnswers: () => this.#watch.untilAnswers(),
    };
    const runner = new TaskRunner(ports, saved);
    this.#runners.set(saved.task.arn, runner);
    if (saved.stoppedAt !== undefined) runner.reportAgain();
    const run = this.#see(runner).finally(() => {
      this.#running.delete(run);
    });
    this.#running.add(run);
  }

  /** Runs a task, and clears away what only a running one needs. */
  async #see(runner: TaskRunner): Promise<void> {
    try {
      await runner.run();
    } finally {
      if (runner.stoppedAt !== undefined) {
        this.#ports.logs.over(runner.task.arn);
        await this.#removeRouter(runner.task);
      }
    }
  }

  #refusalOf(task: AgentTask): string | undefined {
    try {
      const { allow, guarded, reach } = this.#ports.options;
      const image = imageRefusal(task, reach);
      if (image !== undefined) return `CannotPullContainerError: ${image}`;
      const why = nameClash(task) ?? refusal(task, allow, guarded, reach) ?? routingRefusal(task);
      return why === undefined ? undefined : `CannotCreateContainerError: ${why}`;
    } catch (error) {
      return `UnrecognizedTaskError: ${(error as Error).message}`;
    }
  }

  /** A task with a role came although this host does not say, or no longer says, that it serves them. */
  #withoutEndpoint(task: AgentTask): string | undefined {
    const { reason } = this.#ports.endpoint;
    if (task.roleCredentials === undefined || reason === undefined) return undefined;
    return `ATTRIBUTE: this container instance does not serve task roles: ${reason}`;
  }

  #withoutNetwork(task: AgentTask): string | undefined {
    if (task.networkMode !== 'awsvpc') return undefined;
    if (task.elasticNetworkInterfaces.length === 0)
      return 'ResourceInitializationError: the task came without a network interface';
    const reason = this.#ports.withoutNetwork();
    return reason === undefined
      ? undefined
      : `ATTRIBUTE: this container instance gives tasks no network interfaces: ${reason}`;
  }

  #reject(task: AgentTask, reason: string): void {
    this.#ports.log.warn({ task: task.arn, reason }, 'refused a task');
    this.#ports.report({
      arn: task.arn,
      status: 'STOPPED',
      reason,
      containers: task.containers.map(({ name }) => ({ name, status: 'STOPPED', reason, networkBindings: [] })),
    });
  }

  /** The backstop of the event stream: compares what Docker lists with what the runners saw. */
  async #inspectLoop(): Promise<void> {
    const { options, log } = this.#ports;
    while (!this.#stopped.signal.aborted) {
      // Waiting for its return, not for a time: an engine that comes and goes would else be away each time this looks.
      await this.#watch.whenAnswers();
      if (this.#stopped.signal.aborted) return;
      try {
        await this.#inspectAll();
        await this.#cleanUp();
        await this.#sweepLimits();
      } catch (error) {
        if (!(error instanceof EngineUnavailable))
          log.warn({ err: error }, 'could not look at the containers; trying again');
      }
      await options.clock.sleep(options.inspectEvery, this.#stopped.signal).catch(() => undefined);
    }
  }

  async #inspectAll(): Promise<void> {
    const found = await this.#containers.list();
    const orphans = new Set<string>();
    for (const info of found) {
      const arn = info.Labels[labels.task];
      if (arn !== undefined && !this.#runners.has(arn)) orphans.add(arn);
    }
    this.#orphans = orphans;
    this.#stopLate(found);
    const listed = new Map(found.map((info) => [info.Id, info]));
    for (const runner of this.#live()) {
      const changed = [...runner.inspected.values()].some(({ Id, State }) => {
        const now = listed.get(Id);
        if (now?.State !== State.Status) return true;
        return State.Status === 'running' && healthIn(now.Status) !== (State.Health?.Status ?? 'none');
      });
      if (changed) runner.poke();
    }
  }

  /** Stops what the engine started late, or told of late: the task is over, and nobody else looks at its containers any more. */
  #stopLate(found: readonly Docker.ContainerInfo[]): void {
    for (const {
      Id: id,
      State: state,
      Labels: { [labels.task]: task },
    } of found) {
      if (state !== 'running' || this.#runners.get(task ?? '')?.stoppedAt === undefined) continue;
      this.#ports.log.warn({ task, container: id }, 'a container of a task that is over runs; stopping it');
      this.#containers
        .stop(id)
        .catch((error: unknown) =>
          this.#ports.log.warn({ task, container: id, err: error }, 'could not stop it; trying again'),
        );
    }
  }

  /** Containers, volumes and file of a task that stopped long enough ago. */
  async #cleanUp(): Promise<void> {
    const { clock, cleanupAfter } = this.#ports.options;
    for (const [arn, runner] of this.#runners) {
      const overFor = clock.now() - (runner.stoppedAt ?? Infinity);
      if (overFor < cleanupAfter || !this.#ports.logs.mayRemove(arn, overFor)) continue;
      for (const { name } of runner.task.containers) await this.#containers.remove(containerName(runner.task, name));
      if (runner.task.containers.some(({ name }) => name === holderName))
        await this.#containers.remove(containerName(runner.task, foldersName));
      for (const name of ownVolumes(runner.task)) await this.#containers.removeVolume(name);
      await this.#ports.files.remove(fileName(arn));
      this.#runners.delete(arn);
    }
  }

  /** Control groups of tasks that are over: also those that a run which was killed left. */
  async #sweepLimits(): Promise<void> {
    await this.#ports.limits.reason();
    // Read after the groups are listed: a task that comes meanwhile keeps its own.
    const kept = { has: (group: string) => this.#live().some(({ task }) => groupOf(task.arn) === group) };
    await this.#ports.limits.sweep(kept);
  }

  async #removeOrphan(arn: string): Promise<void> {
    await this.#containers.end(await this.#containers.list(arn));
    this.#orphans.delete(arn);
  }
}

/** Its control plane is an older one, or a list of secrets came without what they are. */
const withoutValues = (task: AgentTask): string | undefined =>
  task.secretValues === undefined && task.containers.some(needsSecrets)
    ? 'ResourceInitializationError: the task came without the values of its secrets'
    : undefined;

/** The health that Docker's list tells in words: `Up 5 seconds (healthy)`, `Up 1 second (health: starting)`; `none` without a check. */
function healthIn(status: string): string {
  return /\((?:health: )?(starting|healthy|unhealthy)\)$/.exec(status)?.[1] ?? 'none';
}
