import { settling, waitAtMost } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import { ContainerMaker } from './container-maker.ts';
import { containerName } from './create-options.ts';
import { engineCall, EngineError, EngineUnavailable } from './docker.ts';
import type { RunnerPorts } from './engine-ports.ts';
import { EngineTimeout, inTime } from './engine-time.ts';
import type { AgentContainer, AgentTask } from '../wire/index.ts';
import { FileSystemError } from './file-systems/index.ts';
import { IsolationError } from './isolation/index.ts';
import { LimitsError, TaskGroup } from './limits/index.ts';
import { LogSetupRefused } from './logs/index.ts';
import { attachmentsOf, ensurePauseImage, NetworkError } from './network/index.ts';
import { HeldFileSystems } from './held-file-systems.ts';
import { holderName, isInternal, pauseName } from './pause.ts';
import { type ContainerView, type Action, plan } from './plan.ts';
import { healthOf, reportOf, viewOf } from './observe.ts';
import { awaitsSecrets, RouterError } from './routers/index.ts';
import type { SavedTask } from './saved-task.ts';
import { VolumeError } from './volumes.ts';

/** For how long an engine that has started a container may show it as created. Milliseconds. */
const longestLag = 60_000;

/**
 * Runs one task: looks at its containers, plans, acts, and looks again, until what is desired is so. It holds no truth
 * of its own that Docker has: after a restart of the agent it finds its containers by name and goes on.
 */
export class TaskRunner {
  readonly #ports: RunnerPorts;
  #saved: SavedTask;
  readonly #inspected = new Map<string, Docker.ContainerInspectInfo>();
  readonly #busy = new Map<string, Action['kind']>();
  /** Containers that the engine said it has started, in this run of the agent. */
  readonly #begun = new Map<string, number>();
  readonly #group: TaskGroup;
  readonly #fileSystems: HeldFileSystems;
  readonly #maker: ContainerMaker;
  /** When a container was first told to stop. */
  #stopsAt: number | undefined;
  #status: 'PENDING' | 'RUNNING' | 'STOPPED' = 'PENDING';
  #saving: Promise<void> = Promise.resolve();
  /** What is to be written next, and the write that will. */
  readonly #changes: ((saved: SavedTask) => Partial<SavedTask>)[] = [];
  #written: Promise<void> | undefined;
  /** Whether the interface of the task is there; found out again where the agent is started anew before that was written. */
  #attached = false;
  #reported = '';
  #health = '';
  #storage: number | undefined;
  #poked = Promise.withResolvers<void>();
  #ended = false;

  constructor(ports: RunnerPorts, saved: SavedTask) {
    this.#ports = ports;
    this.#saved = saved;
    this.#attached = saved.attached === true;
    this.#fileSystems = new HeldFileSystems(ports);
    this.#group = new TaskGroup(ports.limits, saved.task, ports.options.taskPidsLimit);
    this.#maker = new ContainerMaker(ports, this.#group, this.#fileSystems);
    // A task that was over before the agent was started again has no next look that would say so.
    if (saved.stoppedAt !== undefined) this.#status = 'STOPPED';
  }

  get task(): AgentTask {
    return this.#saved.task;
  }

  get saved(): SavedTask {
    return this.#saved;
  }

  get desired(): 'RUNNING' | 'STOPPED' {
    return this.#saved.desired;
  }

  /** How the task stood at the last look. */
  get status(): 'PENDING' | 'RUNNING' | 'STOPPED' {
    return this.#status;
  }

  /** Since when the task has been over, milliseconds since the epoch. */
  get stoppedAt(): number | undefined {
    return this.#saved.stoppedAt;
  }

  /** What Docker last said of a container of this task. */
  get inspected(): ReadonlyMap<string, Docker.ContainerInspectInfo> {
    return this.#inspected;
  }

  /** Something may have changed: look again. */
  poke(): void {
    this.#poked.resolve();
  }

  /** Reports the present state again: the control plane may not know it. */
  reportAgain(): void {
    this.#reported = '';
    if (this.#saved.stoppedAt !== undefined) this.#report();
    else this.poke();
  }

  /** How many bytes the task's files took at the last look; undefined where nobody counts. */
  get storage(): number | undefined {
    return this.#storage;
  }

  noteStorage(bytes: number): void {
    this.#storage = bytes;
  }

  /** Stops the task; it stays stopped. @param reason of this host's own, which is reported with the end */
  async stopTask(reason?: string): Promise<void> {
    const change = { stopOrderedAt: this.#ports.options.clock.now(), ...(reason === undefined ? {} : { reason }) };
    if (this.#saved.desired === 'RUNNING') await this.#save(() => ({ desired: 'STOPPED', ...change }));
    this.poke();
  }

  /** Ends this object without touching the containers. */
  detach(): void {
    this.#ended = true;
    this.poke();
  }

  /** Works until the task is over or the runner is detached. */
  async run(): Promise<void> {
    const { options, log } = this.#ports;
    while (!this.#ended && this.#saved.stoppedAt === undefined) {
      let wakeAt: number | undefined;
      this.#poked = Promise.withResolvers();
      try {
        await this.#observe();
        wakeAt = await this.#step();
      } catch (error) {
        if (error instanceof EngineUnavailable) await this.#ports.untilEngineAnswers();
        else log.error({ task: this.task.arn, err: error }, 'a step of a task failed; trying again');
        wakeAt = options.clock.now() + 1_000;
      }
      if (!this.#ended && this.#saved.stoppedAt === undefined) await this.#wait(wakeAt);
    }
  }

  async #wait(wakeAt: number | undefined): Promise<void> {
    if (wakeAt === undefined) return this.#poked.promise;
    const { clock } = this.#ports.options;
    await waitAtMost(Math.max(0, wakeAt - clock.now()), settling(this.#poked.promise), clock);
  }

  async #observe(): Promise<void> {
    await Promise.all(
      this.task.containers.map(async ({ name }) => {
        const before = this.#inspected.get(name);
        try {
          const container = this.#ports.docker.getContainer(before?.Id ?? containerName(this.task, name));
          const info = await engineCall(() => container.inspect());
          if (await this.#group.ranOut(name, info, before)) info.State.OOMKilled = true;
          this.#inspected.set(name, info);
        } catch (error) {
          if (!(error instanceof EngineError && error.status === 404)) throw error;
          // One of an earlier run of the agent that was started and is gone: it has run, and does not run again.
          if (before === undefined && !this.#saved.started.includes(name)) return;
          // Only once that is written down: a container that nobody remembers would be made again.
          if (this.desired === 'RUNNING') {
            await this.#fail(name, 'ContainerRuntimeError: the container was removed from the Docker engine');
          }
          this.#inspected.delete(name);
        }
      }),
    );
  }

  /** One plan, and its actions started. Returns when to look again at the latest. */
  async #step(): Promise<number | undefined> {
    const { clock } = this.#ports.options;
    const planned = plan(this.task.containers, this.#views(), this.desired, clock.now());
    for (const { container, reason } of planned.failures) await this.#fail(container, reason);
    if (planned.failures.length > 0) return clock.now();
    this.#status = planned.status;
    const lags = this.task.containers.some(({ name }) => this.#lags(name));
    if (planned.status === 'STOPPED') {
      // Only then is its address free: the report of the end says so.
      await this.#detach();
      await this.#save(() => ({
        stoppedAt: clock.now(),
        desired: 'STOPPED',
        ...(planned.reason === undefined ? {} : { reason: planned.reason }),
      }));
      await this.#maker.letPortsRest(this.task);
    }
    this.#report();
    for (const action of planned.actions) {
      void this.#act(action).catch((err: unknown) =>
        this.#ports.log.error({ task: this.task.arn, err }, 'an action ended with an error'),
      );
    }
    return lags ? Math.min(planned.wakeAt ?? Infinity, clock.now() + 1_000) : planned.wakeAt;
  }

  /** Whether the engine has started a container and does not tell of it yet: to start it again might run it twice. */
  #lags(name: string): boolean {
    const begun = this.#begun.get(name);
    if (begun === undefined || this.#inspected.get(name)?.State.Status !== 'created') return false;
    return this.#ports.options.clock.monotonic() - begun < longestLag;
  }

  #views(): Map<string, ContainerView> {
    return new Map(this.task.containers.map((container) => [container.name, this.#viewOf(container)]));
  }

  #viewOf(container: AgentContainer): ContainerView {
    const { name } = container;
    return viewOf(this.#inspected.get(name), {
      // What it is made with is there as well: an agent that was started again waits for its secrets as it waits for an image.
      pulled: this.#saved.images[name] !== undefined && !this.#lacksSecrets(container),
      busy: this.#busy.has(name) || this.#lags(name),
      failure: this.#saved.failures[name],
      unfinished:
        (name === pauseName && attachmentsOf(this.task).length > 0 && !this.#attached) ||
        (name === holderName && this.#saved.held !== true),
    });
  }

  #lacksSecrets(container: AgentContainer): boolean {
    return awaitsSecrets(this.task, container) && !this.#ports.secrets.knows(this.task.arn);
  }

  /** Carries out one action; never throws. */
  async #act(action: Action): Promise<void> {
    const container = this.task.containers.find(({ name }) => name === action.container);
    if (container === undefined) return;
    this.#busy.set(container.name, action.kind);
    try {
      await this.#attempt(action.kind, container);
    } catch (err) {
      // What failed could not even be written down (a full disk): the action is planned again.
      this.#ports.log.error({ task: this.task.arn, err }, 'could not note what became of an action; trying again');
      await this.#ports.options.clock.sleep(1_000);
    } finally {
      this.#busy.delete(container.name);
      this.poke();
    }
  }

  async #attempt(kind: Action['kind'], container: AgentContainer): Promise<void> {
    try {
      await this.#perform(kind, container);
    } catch (error) {
      if (error instanceof EngineUnavailable) await this.#ports.untilEngineAnswers();
      else await this.#failAction(kind, container, error as Error);
    }
  }

  async #perform(kind: Action['kind'], container: AgentContainer): Promise<void> {
    switch (kind) {
      case 'pull':
        return this.#pull(container);
      case 'create':
        return this.#maker.make(this.#saved, container);
      case 'start':
        return this.#start(container);
      case 'restart':
        await this.#noteRestart(container.name);
        return this.#start(container);
      case 'stop':
        return this.#stop(container);
    }
  }

  async #failAction(kind: Action['kind'], container: AgentContainer, error: Error): Promise<void> {
    // A pull of a task that was stopped meanwhile: nobody asks for it any more.
    if (this.#saved.stoppedAt !== undefined) return;
    const category = {
      pull: 'CannotPullContainerError',
      create: 'CannotCreateContainerError',
      start: 'CannotStartContainerError',
      restart: 'CannotStartContainerError',
      stop: 'CannotStopContainerError',
    }[kind];
    // What holds file systems has nothing else that an engine could refuse.
    const ofFiles = container.name === holderName && (error instanceof EngineError || error instanceof VolumeError);
    if (ofFiles) return this.#failAction(kind, container, new FileSystemError(error.message, { cause: error }));
    const ofHost =
      error instanceof NetworkError ||
      error instanceof LimitsError ||
      error instanceof RouterError ||
      error instanceof IsolationError;
    const resource = error instanceof VolumeError ? 'CannotCreateVolumeError' : undefined;
    const isSaid = error instanceof LogSetupRefused || error instanceof EngineTimeout;
    const said = isSaid ? error.message : error instanceof FileSystemError ? error.reason : undefined;
    const reason = said ?? `${ofHost ? 'ResourceInitializationError' : (resource ?? category)}: ${error.message}`;
    this.#ports.log.warn(
      { task: this.task.arn, container: container.name, reason, err: error },
      'an action on a container failed',
    );
    // A container that does not stop is tried again; everything else is final.
    if (kind === 'stop') await this.#ports.options.clock.sleep(1_000);
    else await this.#fail(container.name, reason);
  }

  async #pull(container: AgentContainer): Promise<void> {
    const { clock } = this.#ports.options;
    if (isInternal(container)) {
      // Beside all that it takes until there is a process for it.
      if (container.name === pauseName)
        for (const attachment of attachmentsOf(this.task)) this.#ports.network.prepare(attachment);
      const reference = await this.#pauseImage();
      await this.#save(({ images }) => ({ images: { ...images, [container.name]: { reference } } }));
      return;
    }
    // Before anything is pulled, as amazon-ecs-agent does; after a restart they come again.
    if (awaitsSecrets(this.task, container)) await this.#ports.secrets.wait(this.task.arn);
    if (this.#saved.images[container.name] !== undefined) return;
    if (this.#saved.pullStartedAt === undefined) await this.#save(() => ({ pullStartedAt: clock.now() }));
    await this.#ports.images.ensure(container.image, this.#ports.rights(this.task, container), (image) =>
      this.#save((saved) => {
        const images = { ...saved.images, [container.name]: image };
        const complete = this.task.containers.every(({ name }) => images[name] !== undefined);
        return { images, ...(complete ? { pullStoppedAt: clock.now() } : {}) };
      }),
    );
  }

  /** One end is one restart, however often the start after it has to be tried. */
  async #noteRestart(name: string): Promise<void> {
    const { ExitCode: exitCode = 0, FinishedAt: endedAt = '' } = this.#inspected.get(name)?.State ?? {};
    if (this.#saved.restarts?.[name]?.endedAt === endedAt) return;
    await this.#save(({ restarts = {} }) => ({
      restarts: { ...restarts, [name]: { count: (restarts[name]?.count ?? 0) + 1, exitCode, endedAt } },
    }));
  }

  async #start(container: AgentContainer): Promise<void> {
    await this.#group.hold(this.#inspected.get(container.name));
    const fresh = !this.#saved.started.includes(container.name);
    if (fresh) {
      await this.#save(({ started }) => ({ started: [...started, container.name] }));
    }
    const found = this.#ports.docker.getContainer(containerName(this.task, container.name));
    try {
      const asked = engineCall(() => found.start()) as Promise<Buffer | string | undefined>;
      const said = await inTime('running', this.#ports.options.clock, asked);
      // What says anything is not the engine's answer, which has no body: nobody knows whether it started.
      if (said !== undefined && said.length > 0) throw new Error('the Docker engine gave no answer that it gives');
    } catch (error) {
      if (!(error instanceof EngineError && error.status === 304)) throw error;
    }
    this.#begun.set(container.name, this.#ports.options.clock.monotonic());
    this.#ports.logs.follow(this.task, container, fresh);
    const info = await engineCall(() => found.inspect());
    await this.#group.check(info);
    if (container.name === pauseName) await this.#attach(info);
    if (container.name === holderName) await this.#look(info);
  }

  /** Gives the namespace that the pause container holds the task's interface, if it has one. */
  async #attach({ State: state }: Docker.ContainerInspectInfo): Promise<void> {
    const [attachment] = attachmentsOf(this.task);
    if (attachment === undefined) return;
    if (!state.Running) throw new Error('the container of the network interface has ended');
    await this.#ports.network.attach(attachment, state.Pid);
    // Written with what comes next: a container waits for it, and to attach it once more changes nothing.
    this.#attached = true;
  }

  /** Whether the container that holds the task's file systems has what it is to have. */
  async #look({ State: state }: Docker.ContainerInspectInfo): Promise<void> {
    await this.#fileSystems.check(this.task, state.Pid);
    await this.#save(() => ({ held: true }));
  }

  async #detach(): Promise<void> {
    for (const { id } of attachmentsOf(this.task)) await this.#ports.network.detach(id);
  }

  async #pauseImage(): Promise<string> {
    const { Arch: architecture } = (await engineCall(() => this.#ports.docker.version())) as { Arch: string };
    return ensurePauseImage(this.#ports.docker, architecture);
  }

  async #stop(container: AgentContainer): Promise<void> {
    const found = this.#ports.docker.getContainer(containerName(this.task, container.name));
    // What only waits has nothing to finish.
    const seconds = isInternal(container) ? 0 : (container.stopTimeout ?? this.#ports.options.stopTimeout / 1000);
    this.#stopsAt ??= this.#ports.options.clock.now();
    try {
      // The image's STOPSIGNAL or SIGTERM, then SIGKILL.
      await engineCall(() => found.stop({ t: Math.max(0, Math.round(seconds)) }));
    } catch (error) {
      if (!(error instanceof EngineError && (error.status === 304 || error.status === 404))) throw error;
    }
  }

  async #fail(name: string, reason: string): Promise<void> {
    if (this.#saved.failures[name] === undefined) {
      await this.#save(({ failures }) => ({ failures: { ...failures, [name]: reason } }));
    }
    this.poke();
  }

  /**
   * Durable before it takes effect, one change after the other; those that come while one is written are written together. What cannot be
   * written has not happened, and is decided again.
   */
  #save(change: (saved: SavedTask) => Partial<SavedTask>): Promise<void> {
    this.#changes.push(change);
    if (this.#written === undefined) {
      this.#written = this.#saving.then(() => this.#write());
      this.#saving = this.#written.catch(() => undefined);
    }
    return this.#written;
  }

  async #write(): Promise<void> {
    this.#written = undefined;
    const changes = this.#changes.splice(0);
    // What was still under way when the agent stopped belongs to the next one, which looks for itself.
    if (this.#ended) return;
    const known = this.#attached ? { ...this.#saved, attached: true } : this.#saved;
    const changed = changes.reduce<SavedTask>((saved, one) => ({ ...saved, ...one(saved) }), known);
    await this.#ports.save(changed);
    this.#saved = changed;
  }

  #report(): void {
    // What was told to stop because another container had ended did not end for want of memory either.
    const stopOrderedAt = this.#saved.stopOrderedAt ?? this.#stopsAt;
    const saved = { ...this.#saved, ...(stopOrderedAt === undefined ? {} : { stopOrderedAt }) };
    const report = reportOf(saved, this.#status, this.#inspected, this.#views());
    const text = JSON.stringify(report);
    // PENDING says something once the images are resolved, as amazon-ecs-agent reports it.
    const worthIt = report.status !== 'PENDING' || this.#saved.pullStoppedAt !== undefined;
    if (worthIt && text !== this.#reported) {
      this.#reported = text;
      this.#ports.report(report);
    }
    const health = JSON.stringify([...this.#inspected.values()].map(healthOf));
    if (health !== this.#health) {
      this.#health = health;
      this.#ports.healthChanged();
    }
  }
}
