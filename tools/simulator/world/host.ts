import type { Log, Principal } from '@slipway/auth/contract';
import {
  type Agent,
  type AgentOptions,
  type AgentPorts,
  createAgent,
  noLimits,
  noRouters,
  noStorage,
  noNetwork,
  UpgradeRefused,
} from '@slipway/scheduler/hosts/agent';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Chance } from './chance.ts';
import type { History } from './history.ts';
import { dialed } from './dial.ts';
import { SimulatedDisk } from './disk.ts';
import { type EngineWeather, SimulatedEngine } from './engine.ts';
import type { SimulatedImages } from './images.ts';
import type { Machine, Process } from './machine.ts';
import type { SimulatedNetwork } from './network.ts';
import { listening, region, type SimulatedServer } from './server.ts';
import { SimulatedTaskNetwork } from './task-network.ts';

export interface HostPorts {
  readonly machine: Machine;
  readonly time: VirtualClock;
  readonly chance: Chance;
  readonly images: SimulatedImages;
  readonly network: SimulatedNetwork;
  readonly servers: readonly SimulatedServer[];
  readonly weather: EngineWeather;
  readonly log: (host: string) => Log;
  readonly history: History;
  readonly zone: string;
  /** Processors and MiB of the machine; by default small. All of the memory is for tasks where it is given. */
  readonly size?: { readonly cpus: number; readonly memory: number };
  /** Attributes that its agent registers. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Whether it may be taken back. */
  readonly spot?: boolean;
  /** Whether its tasks may have addresses of their own; by default not. */
  readonly networked?: boolean;
  /** Of a machine of an Auto Scaling group: its right to join; others have the keys of {@link hosts}. */
  readonly joins?: string;
  /** What tasks may have there; by default nothing that is denied by default. */
  readonly allow?: AgentOptions['allow'];
}

/** All hosts have one principal: only their secrets tell them apart. */
export const hosts = 'hosts';
/** Where an agent keeps its own state on the disk of its host. */
export const dataDir = '/var/lib/slipway';

/** A Docker host: an engine, a disk, and the real agent in a process that can die. */
export class SimulatedHost {
  readonly machine: Machine;
  readonly engine: SimulatedEngine;
  readonly disk = new SimulatedDisk();
  /** Where others reach it. */
  readonly address: string;
  /** Interfaces of tasks. */
  readonly links: SimulatedTaskNetwork;
  /** Told of every interface that a task gets here. */
  linked: (id: string, address: string) => void = () => {};
  readonly #ports: HostPorts;
  readonly #chance: Chance;
  #process: Process | undefined;
  /** Who it acts as in a process, once it has joined. */
  #joined: { readonly process: Process; readonly principal: Principal } | undefined;
  #on = true;
  #retired = false;
  readonly #runs: Agent[] = [];

  constructor(ports: HostPorts) {
    this.machine = ports.machine;
    this.address = `10.9.0.${this.name.replace(/^\D+/, '')}`;
    this.#ports = ports;
    this.#chance = ports.chance;
    this.engine = new SimulatedEngine({ ...ports, cpus: 2, memory: 2048, ...ports.size });
    this.links = new SimulatedTaskNetwork({
      chance: ports.chance,
      runs: (pid) => [...this.engine.containers.values()].some((one) => one.pid === pid && one.status === 'running'),
      made: (id, address) => this.linked(id, address),
    });
    this.engine.ended = ({ pid }) => this.links.ended(pid);
  }

  get name(): string {
    return this.machine.name;
  }

  /** Whether the machine has power. */
  get powered(): boolean {
    return this.#on;
  }

  /** Whether the machine has power and its agent runs. */
  get running(): boolean {
    return this.#on && this.#process?.alive === true;
  }

  startAgent(): void {
    if (this.running || !this.#on) return;
    const { machine, log, zone, size, attributes, allow, spot = false } = this.#ports;
    const process = machine.boot();
    this.#process = process;
    const own = this.#chance.fork();
    const agentLog = log(this.name);
    const agent = createAgent(
      {
        endpoint: 'http://slipway.test:7500',
        region,
        credentials: () => Promise.resolve({ accessKeyId: 'AKIA', secretAccessKey: 'simulated' }),
        dataDir,
        log: agentLog,
        clock: process.clock,
        random: () => own.number(),
        randomBytes: (size) => own.bytes(size),
        availabilityZone: zone,
        ...(size === undefined ? {} : { reservedMemory: 0 }),
        ...(attributes === undefined ? {} : { attributes }),
        spot,
        taskEndpoint: 'off',
        imageCleanup: 'off',
        // The registry is on every host's loopback, where no agent shows a password: those come from another API than ECS.
        allow: { ...allow, registryAddresses: ['127.0.0.0/8'] },
        resolve: () => Promise.resolve([]),
      },
      (_options, hostSecret) => this.#agentPorts(process, hostSecret),
    );
    this.#runs.push(agent);
    const begin = async (): Promise<void> => {
      for (;;) {
        try {
          await agent.start();
          return;
        } catch (err) {
          // As under an init system: what ends is started again.
          agentLog.warn({ err }, 'the agent ended');
          await process.clock.sleep(5_000);
          process.kill();
          machine.at(this.#ports.time.now(), () => this.startAgent());
          await process.clock.sleep(1);
        }
      }
    };
    begin().catch((error: unknown) => agentLog.error({ err: error }, 'the agent cannot start'));
  }

  /** SIGKILL of the agent; containers run on. */
  killAgent(): void {
    this.#process?.kill();
  }

  /** See {@link SimulatedServer.end}. */
  end(): void {
    this.off();
    for (const agent of this.#runs) agent.stop().catch(() => undefined);
  }

  /** The ARN of the instance that its agent last wrote down that it is; undefined when there is none. */
  get registered(): string | undefined {
    const known = this.disk.read(`${dataDir}/agent.json`) as
      | { registration?: { containerInstanceArn: string } }
      | undefined;
    return known?.registration?.containerInstanceArn;
  }

  /** The agent dies and its data folder is gone. @returns the ARN of the instance that it was, when it had registered */
  loseData(): string | undefined {
    const { registered } = this;
    this.killAgent();
    this.disk.wipe();
    return registered;
  }

  /** The power goes: the agent and every container are gone, the disk stays. */
  off(): void {
    this.#on = false;
    this.killAgent();
    this.engine.stop(false);
  }

  /** The machine is gone for good. */
  retire(): void {
    this.off();
    this.#retired = true;
  }

  on(): void {
    if (this.#retired) return;
    this.#on = true;
    this.engine.start();
    this.startAgent();
  }

  #agentPorts(process: Process, hostSecret: () => string): AgentPorts {
    const { network, time, history, joins, networked = false } = this.#ports;
    const onDisk = <T>(work: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        process.at(time.now() + this.#chance.between(0.1, 3), () => {
          try {
            resolve(work());
          } catch (error) {
            reject(error as Error);
          }
        });
      });
    return {
      network: (agentId) =>
        networked ? this.links.of(process, agentId, this.address) : noNetwork(agentId, 'this simulation plays none'),
      address: () => Promise.resolve(this.address),
      limits: () => noLimits('the simulation plays none'),
      storage: () => noStorage('the simulation plays none'),
      routers: () => noRouters('the simulation plays none'),
      stats: { of: async () => undefined },
      mountsOf: () => Promise.reject(new Error('simulated hosts have no file systems')),
      isPortFree: () => Promise.resolve(true),
      dns: () => Promise.resolve([]),
      docker: this.engine.client(process),
      disk: {
        claim: () => Promise.resolve(),
        makeFolder: () => Promise.resolve(),
        names: (folder) => onDisk(() => this.disk.below(folder).map((path) => path.slice(folder.length + 1))),
        read: (path) => onDisk(() => this.disk.read(path)),
        write: (path, json) => onDisk(() => this.disk.write(path, json)),
        remove: (path) => onDisk(() => this.disk.remove(path)),
      },
      api: {
        send: (async (command: { constructor: { name: string }; input: object }) => {
          const operation = command.constructor.name.replace(/Command$/, '');
          const server = this.#server();
          const { task, status } = command.input as { task?: string; status?: string };
          history.note(
            process.name,
            () => `${operation} ${task?.slice(-32, -24) ?? ''} ${status ?? ''} to ${server.name}`,
          );
          try {
            const caller = joins === undefined ? hosts : await this.#join(process, joins, hostSecret());
            return await network.call(process, listening(server), () =>
              server.call(operation, command.input, caller, hostSecret()),
            );
          } catch (error) {
            // As the SDK throws what the API answers: the code is the error's name.
            const { code } = error as { code?: string };
            if (typeof code === 'string') throw Object.assign(new Error((error as Error).message), { name: code });
            throw error;
          }
        }) as AgentPorts['api']['send'],
        destroy: () => {},
      },
      dialCopy: () => Promise.reject(new Error('the simulation copies no files')),
      dial: async (address, signal) => {
        const kind = address.pathname.includes('acs') ? 'control' : 'telemetry';
        const caller = joins === undefined ? hosts : await this.#join(process, joins, hostSecret());
        const server = this.#server();
        const mine = await dialed({
          network,
          from: process,
          server,
          signal,
          serve: (theirs, opened) => server.connect(kind, address.searchParams, caller, hostSecret(), theirs, opened),
          refused: (error) => {
            const { exception, message } = error as { exception?: string; message: string };
            return exception === undefined ? (error as Error) : new UpgradeRefused(exception, message);
          },
        });
        return mine as never;
      },
    };
  }

  /** Shows its right to join, once in a process: credentials last for longer than any day here. */
  async #join(process: Process, right: string, secret: string): Promise<Principal> {
    if (this.#joined?.process === process) return this.#joined.principal;
    const server = this.#server();
    const principal = await this.#ports.network.call(process, listening(server), () => server.join(right, secret));
    this.#joined = { process, principal };
    return principal;
  }

  /** Whichever server the balancer in front of them picks; it knows which ones are ready, most of the time. */
  #server(): SimulatedServer {
    const { servers } = this.#ports;
    const ready = servers.filter((server) => server.process !== undefined);
    return this.#chance.pick(ready.length > 0 && this.#chance.happens(0.95) ? ready : servers);
  }
}
