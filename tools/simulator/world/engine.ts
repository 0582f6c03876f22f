import type Docker from 'dockerode';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Chance } from './chance.ts';
import {
  healthAt,
  inspectionOf,
  type LabelFilter,
  labelFilter,
  type PortBindings,
  portsOf,
  refused,
  summaryOf,
  unreachable,
} from './engine-answers.ts';
import { EngineStream } from './engine-stream.ts';
import { type Behaviour, type SimulatedImages, waits } from './images.ts';
import type { Machine, Process } from './machine.ts';

/** How an engine behaves; probabilities are per call, times in milliseconds. */
export interface EngineWeather {
  latency: readonly [number, number];
  /** A request that the engine refuses with an error of its own. */
  error: number;
  /** A request that took place, and whose answer never came. */
  answerLost: number;
  /** An event that nobody is told of. */
  eventLost: number;
  /** An answer about a container that changed lately tells of how it was before. */
  lies: number;
  /** Pulls fail: there is no room on the disk. */
  diskFull: boolean;
}

/** A container of the engine; `starts` counts how often it was started. */
export interface EngineContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly digest: string;
  readonly checked: boolean;
  /** Host ports, by what it publishes there (`80/tcp`). */
  readonly ports: Readonly<Record<string, string>>;
  readonly behaviour: Behaviour;
  /** Since when it has been told to end: true time. */
  toldAt?: number;
  status: 'created' | 'running' | 'exited';
  starts: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  outOfMemory: boolean;
  /** How it was before its last change, and when that was: true time. */
  past: { readonly state: ContainerState; readonly until: number };
  /** The process in it, while it runs; no two have the same. */
  pid: number;
  /** The name of the container whose network it is in. */
  readonly joins?: string;
  /** Calls off what is to happen to it by itself. */
  callOff: () => void;
}

type ContainerState = Pick<EngineContainer, 'status' | 'startedAt' | 'finishedAt' | 'exitCode' | 'outOfMemory'>;

/** Milliseconds for which an engine may tell of what is past. */
const lieAtMost = 10_000;

/** A Docker engine in virtual time, with as much of its API as the agent calls. Containers outlive agents, not the machine. */
export class SimulatedEngine {
  readonly weather: EngineWeather;
  /** Told of every start of a container, of every end, and of each that is told to end. */
  started: (container: EngineContainer) => void = () => {};
  ended: (container: EngineContainer) => void = () => {};
  told: (container: EngineContainer) => void = () => {};
  readonly containers = new Map<string, EngineContainer>();
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  readonly #machine: Machine;
  readonly #time: VirtualClock;
  readonly #chance: Chance;
  readonly #images: SimulatedImages;
  /** The same by name: no two have the same. */
  readonly #byName = new Map<string, EngineContainer>();
  readonly #local = new Map<string, string>();
  readonly #volumes = new Set<string>();
  readonly #listeners = new Set<{
    readonly process: Process;
    readonly stream: EngineStream;
    readonly fits: LabelFilter;
  }>();
  #up = true;
  #ids = 0;
  #pids = 1_000;

  constructor(ports: {
    readonly machine: Machine;
    readonly time: VirtualClock;
    readonly chance: Chance;
    readonly images: SimulatedImages;
    readonly weather: EngineWeather;
    readonly cpus: number;
    readonly memory: number;
  }) {
    this.#machine = ports.machine;
    this.#time = ports.time;
    this.#chance = ports.chance;
    this.#images = ports.images;
    this.weather = ports.weather;
    this.cpus = ports.cpus;
    this.memory = ports.memory;
  }

  /** The engine is gone: requests are refused, streams end. Its containers end too unless they are kept alive, as with live-restore. */
  stop(keepContainers: boolean): void {
    this.#up = false;
    for (const { stream } of this.#listeners) stream.destroy();
    this.#listeners.clear();
    if (keepContainers) return;
    for (const container of this.containers.values()) if (container.status === 'running') this.#end(container, 137);
  }

  start(): void {
    this.#up = true;
  }

  /** Somebody runs `docker rm` or `docker container prune`. */
  forget(id: string): void {
    const container = this.containers.get(id);
    if (container === undefined) return;
    if (container.status === 'running') this.#end(container, 137);
    this.containers.delete(id);
    this.#byName.delete(container.name);
    this.#tell('destroy', container);
  }

  /** The container that has a port of the host. */
  at(port: number): EngineContainer | undefined {
    for (const container of this.containers.values())
      if (container.status === 'running' && Object.values(container.ports).includes(String(port))) return container;
    return undefined;
  }

  /** Whether it answers well to whoever asks over the network. */
  answersWell({ status, behaviour, startedAt }: EngineContainer): boolean {
    const { healthy } = behaviour;
    return status === 'running' && healthy !== 'never' && this.#machine.wall() - startedAt >= healthy;
  }

  /** Since when a container runs and its check, where it has one, passes, in milliseconds of its life; undefined: it is not well. */
  wellFor(container: EngineContainer): number | undefined {
    const health = healthAt(container, this.#machine.wall());
    if (container.status !== 'running' || (container.checked && health !== 'healthy')) return undefined;
    return this.#machine.wall() - container.startedAt;
  }

  /** A client of the engine in one process on its machine. */
  client(process: Process): Docker {
    const call = <T>(work: () => T, ms = 0): Promise<T> => this.#call(process, work, ms);
    const client = {
      modem: { socketPath: '/var/run/docker.sock' },
      ping: () => call(() => 'OK'),
      info: () => call(() => this.#info()),
      version: () => call(() => ({ Version: '29.0.0', ApiVersion: '1.51', Arch: 'amd64' })),
      listContainers: ({ filters }: { filters: { label: readonly string[] } }) => call(() => this.#list(filters.label)),
      getContainer: (idOrName: string) => ({
        inspect: () => call(() => inspectionOf(this.#told(this.#find(idOrName)), this.#machine.wall())),
        start: () => this.#startContainer(process, idOrName),
        stop: ({ t }: { t: number }) => this.#stopContainer(process, idOrName, t * 1000),
        remove: () => call(() => this.forget(this.#find(idOrName).id)),
        stats: () =>
          call(() => ({
            cpu_stats: { cpu_usage: { total_usage: this.#time.now() } },
            memory_stats: { usage: 2 ** 24 },
          })),
      }),
      createContainer: (options: Docker.ContainerCreateOptions) => call(() => ({ id: this.#create(options) })),
      getImage: (reference: string) => ({ inspect: () => call(() => this.#image(reference)) }),
      createImage: (_login: object, { fromImage, tag }: { fromImage: string; tag: string }) =>
        call(() => this.#pull(process, tag.startsWith('sha256:') ? `${fromImage}@${tag}` : `${fromImage}:${tag}`)),
      importImage: (_archive: unknown, { repo, tag }: { repo: string; tag: string }) =>
        call(() => this.#import(`${repo}:${tag}`)),
      getEvents: ({ filters }: { filters: { label: readonly string[] } }) =>
        call(() => {
          const stream = new EngineStream();
          const listener = { process, stream, fits: labelFilter(filters.label[0] ?? '') };
          this.#listeners.add(listener);
          process.whenDead(() => this.#listeners.delete(listener));
          return stream;
        }),
      createVolume: ({ Name }: { Name: string }) => call(() => this.#volumes.add(Name)),
      getVolume: (name: string) => ({
        inspect: () =>
          call(() => {
            if (!this.#volumes.has(name)) throw refused(404, `get ${name}: no such volume`);
            return { Name: name };
          }),
        remove: () => call(() => this.#volumes.delete(name)),
      }),
    };
    return client as unknown as Docker;
  }

  #call<T>(process: Process, work: () => T, ms: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const { latency, error, answerLost } = this.weather;
      process.after(this.#chance.between(...latency) + ms, () => {
        if (!this.#up) {
          reject(unreachable());
          return;
        }
        if (this.#chance.happens(error)) {
          reject(refused(500, 'the engine has had an accident'));
          return;
        }
        let result: T;
        try {
          result = work();
        } catch (thrown) {
          reject(thrown as Error);
          return;
        }
        if (this.#chance.happens(answerLost)) process.after(1_000, () => reject(unreachable()));
        else resolve(result);
      });
    });
  }

  #info(): object {
    return {
      NCPU: this.cpus,
      MemTotal: this.memory * 1024 * 1024,
      OSType: 'linux',
      OperatingSystem: 'Simulated Linux',
      Architecture: 'x86_64',
      Plugins: { Log: ['json-file'], Volume: ['local'] },
      SecurityOptions: [],
    };
  }

  #find(idOrName: string): EngineContainer {
    const found = this.containers.get(idOrName) ?? this.#byName.get(idOrName);
    if (found === undefined) throw refused(404, `No such container: ${idOrName}`);
    return found;
  }

  #list(wanted: readonly string[]): object[] {
    const filters = wanted.map(labelFilter);
    return [...this.containers.values()]
      .filter(({ labels }) => filters.every((fits) => fits(labels)))
      .map((container) => ({
        Id: container.id,
        Names: [`/${container.name}`],
        Labels: container.labels,
        ...summaryOf(this.#told(container), this.#machine.wall()),
      }));
  }

  /** The container as the engine tells of it at this moment. */
  #told(container: EngineContainer): EngineContainer {
    const { state, until } = container.past;
    const lies = this.#chance.happens(this.weather.lies) && this.#time.now() - until < lieAtMost;
    return lies ? { ...container, ...state } : container;
  }

  #become(container: EngineContainer, state: Partial<ContainerState>): void {
    const { status, startedAt, finishedAt, exitCode, outOfMemory } = container;
    const before = { status, startedAt, finishedAt, exitCode, outOfMemory };
    container.past = { state: before, until: this.#time.now() };
    Object.assign(container, state);
  }

  #create(options: Docker.ContainerCreateOptions): string {
    const { name = '', Image = '', Labels = {}, Healthcheck, HostConfig } = options;
    if (this.#byName.has(name)) {
      throw refused(409, `Conflict. The container name "/${name}" is already in use`);
    }
    const digest = this.#local.get(Image) ?? (Image.startsWith('sha256:') ? Image : undefined);
    const behaviour = digest === undefined ? undefined : this.#images.behaviour(digest);
    if (digest === undefined || behaviour === undefined) throw refused(404, `No such image: ${Image}`);
    if (behaviour.fails === 'create') throw refused(400, 'invalid mount config');
    this.#ids += 1;
    const id = `${this.#machine.name}-${String(this.#ids).padStart(56, '0')}`;
    const checked = Healthcheck?.Test !== undefined && Healthcheck.Test[0] !== 'NONE';
    const state: ContainerState = { status: 'created', startedAt: 0, finishedAt: 0, exitCode: 0, outOfMemory: false };
    const past = { state, until: -Infinity };
    const [, joins] = /^container:(.+)$/.exec(HostConfig?.NetworkMode ?? '') ?? [];
    const container: EngineContainer = {
      id,
      name,
      labels: Labels,
      digest,
      checked,
      ports: portsOf(HostConfig?.PortBindings as PortBindings | undefined),
      behaviour,
      starts: 0,
      past,
      pid: 0,
      ...(joins === undefined ? {} : { joins }),
      callOff: () => {},
      ...state,
    };
    this.containers.set(id, container);
    this.#byName.set(name, container);
    this.#tell('create', container);
    return id;
  }

  #startContainer(process: Process, idOrName: string): Promise<void> {
    const { behaviour } = this.containers.get(idOrName) ?? { behaviour: undefined };
    return this.#call(
      process,
      () => {
        const container = this.#find(idOrName);
        if (container.status === 'running') throw refused(304, 'container already started');
        if (container.behaviour.fails === 'start') throw refused(400, 'exec format error');
        const holder = container.joins === undefined ? undefined : this.#find(container.joins);
        if (holder !== undefined && holder.status !== 'running')
          throw refused(409, `cannot join network namespace of a non running container: ${holder.id}`);
        this.#become(container, { status: 'running', startedAt: this.#machine.wall() });
        container.pid = ++this.#pids;
        container.starts += 1;
        this.#tell('start', container);
        this.started(container);
        const { ends, healthy } = container.behaviour;
        const offs: (() => void)[] = [];
        if (ends !== undefined) {
          offs.push(
            this.#machine.at(this.#time.now() + ends.after, () => this.#end(container, ends.code, ends.outOfMemory)),
          );
        }
        if (container.checked) {
          const at = healthy === 'never' ? 5_000 : healthy;
          offs.push(this.#machine.at(this.#time.now() + at + 1, () => this.#tell('health_status', container)));
        }
        container.callOff = () => {
          for (const off of offs) off();
        };
      },
      behaviour?.start ?? 50,
    );
  }

  async #stopContainer(process: Process, idOrName: string, timeout: number): Promise<void> {
    const stopping = await this.#call(
      process,
      () => {
        const container = this.#find(idOrName);
        if (container.status !== 'running') throw refused(304, 'container already stopped');
        const { stop } = container.behaviour;
        container.toldAt ??= this.#time.now();
        this.told(container);
        this.#machine.at(this.#time.now() + Math.min(stop, timeout), () => {
          if (container.status === 'running') this.#end(container, stop > timeout ? 137 : 143);
        });
        return Math.min(stop, timeout);
      },
      0,
    );
    await this.#call(process, () => undefined, stopping);
  }

  #end(container: EngineContainer, code: number, outOfMemory = false): void {
    if (container.status !== 'running') return;
    container.callOff();
    this.#become(container, { status: 'exited', exitCode: code, outOfMemory, finishedAt: this.#machine.wall() });
    this.ended(container);
    this.#tell('die', container);
  }

  #image(reference: string): object {
    const digest = this.#local.get(reference);
    if (digest === undefined) throw refused(404, `No such image: ${reference}`);
    const repository = (reference.split('@')[0] ?? '').replace(/:[^/:]*$/, '');
    return { Id: digest, RepoDigests: [`${repository}@${digest}`] };
  }

  #pull(process: Process, reference: string): EngineStream {
    const stream = new EngineStream();
    const digest = this.#images.resolve(reference);
    const behaviour = digest === undefined ? undefined : this.#images.behaviour(digest);
    const problem = this.weather.diskFull
      ? 'write: no space left on device'
      : digest === undefined || behaviour === undefined || behaviour.fails === 'pull'
        ? `manifest for ${reference} not found: manifest unknown`
        : undefined;
    const known = digest !== undefined && [...this.#local.values()].includes(digest);
    process.after(known ? 20 : (behaviour?.pull ?? 50), () => {
      if (problem !== undefined || digest === undefined) stream.push(`${JSON.stringify({ error: problem })}\n`);
      else {
        this.#local.set(reference, digest);
        this.#local.set(`${(reference.split('@')[0] ?? '').replace(/:[^/:]*$/, '')}@${digest}`, digest);
      }
      stream.destroy();
    });
    return stream;
  }

  /** Makes an image of an archive: a program that waits for ever. */
  #import(reference: string): EngineStream {
    const stream = new EngineStream();
    if (this.weather.diskFull) stream.push(`${JSON.stringify({ error: 'write: no space left on device' })}\n`);
    else this.#local.set(reference, this.#images.build(waits));
    stream.destroy();
    return stream;
  }

  #tell(action: string, { id, labels }: EngineContainer): void {
    if (!this.#up) return;
    const line = `${JSON.stringify({ Type: 'container', Action: action, id, Actor: { ID: id, Attributes: labels } })}\n`;
    for (const { process, stream, fits } of this.#listeners) {
      if (!fits(labels) || this.#chance.happens(this.weather.eventLost)) continue;
      process.after(this.#chance.between(...this.weather.latency), () => stream.push(line));
    }
  }
}
