import { type Authorizer, AwsError, type Call, type Log, type Principal } from '@slipway/auth/contract';
import type { Retention, WatchedCluster } from '@slipway/scheduler/control';
import type { Probe } from '@slipway/scheduler/balancing/health';
import { addressPool } from '@slipway/scheduler/balancing/records';
import { openScheduler, type SchedulerPart } from '@slipway/scheduler/part';
import { serverReach } from '@slipway/scheduler/reach';
import type { InstanceProvider } from '@slipway/scheduler/scaling/providers';
import { openEventLog } from '@slipway/storage/events';
import { type HeldLease, type Leases, openLeases } from '@slipway/storage/leases';
import { type Chance } from './chance.ts';
import type { SimulatedImages } from './images.ts';
import type { Machine, Process } from './machine.ts';
import type { SimulatedSocket } from './network.ts';
import type { Receiver } from './receiver.ts';
import type { SimulatedStore } from './store.ts';
import type { SimulatedTraffic } from './traffic.ts';

export const account = '000000000000';
export const region = 'us-east-1';
export const cluster = 'default';

/** Times of the control plane in the simulation, milliseconds; shorter than the defaults, so that a bad day fits into minutes. */
export const tuning: Tuning = { healthyAfterRunning: 8_000, replaceLostAfter: 60_000 };

export interface Tuning {
  readonly healthyAfterRunning: number;
  readonly replaceLostAfter: number;
  readonly deregisterLostAfter?: number | undefined;
}

/** How long what is over stays readable, likewise: short enough that a day sees it go. */
export const retention = { ended: 150_000, newestEnded: 600_000, newestCount: 2, events: 30 } as const;

/** How long addresses of tasks stay with a host that is gone, and how often it is looked for those; milliseconds. */
export const quarantine = 600_000;
export const sweepAddressesEvery = 30_000;
const bringDeploymentsOnEvery = 15_000;
/** The traffic engine of a server's machine, and how the server checks targets. */
export interface ServerTraffic {
  /** Without it only engines of other hosts carry anything. */
  readonly engine?: SimulatedTraffic;
  readonly probe: (process: Process) => Probe;
}

export interface ServerPorts {
  readonly machine: Machine;
  readonly store: SimulatedStore;
  readonly images: SimulatedImages;
  readonly chance: Chance;
  /** Answers the webhooks of deployments; without it they lead nowhere. */
  readonly receiver?: Receiver;
  readonly log: (server: string) => Log;
  /** What carries requests to tasks here, and how they are checked; without it nothing is reached through load balancers. */
  readonly traffic?: ServerTraffic;
  /** What makes machines of Auto Scaling groups; without it there are none. */
  readonly machines?: (process: Process) => InstanceProvider;
  /** Times of the control plane; default {@link tuning} and {@link retention}. */
  readonly tuning?: Partial<Tuning> & { readonly retention?: Partial<Retention> };
}

/** An operation, whatever its types: users' calls are objects here. */
interface Handler {
  readonly handle: (input: object, call: Call) => Promise<unknown>;
}

/** The scheduler as a server runs it, in one process that can die. */
interface Running {
  readonly process: Process;
  readonly part: SchedulerPart;
  /** Leases that it was given, by partition and name. */
  readonly held: ReadonlyMap<string, HeldLease>;
  /** Operations that were called already, by name: the tables of all services are looked through once for each. */
  readonly operations: Map<string, Handler>;
  ready: boolean;
}

/** What machines of Auto Scaling groups act as. */
const machineRole = `arn:aws:iam::${account}:role/node`;

const nobody = 'the simulation has neither roles nor, here, webhooks';

/** One server of the installation: the real scheduler, wired as the server wires it, on simulated surroundings. */
export class SimulatedServer {
  readonly machine: Machine;
  readonly #ports: ServerPorts;
  #running: Running | undefined;
  readonly #runs: SchedulerPart[] = [];

  constructor(ports: ServerPorts) {
    this.machine = ports.machine;
    this.#ports = ports;
  }

  get name(): string {
    return this.machine.name;
  }

  /** The process, when it serves requests. */
  get process(): Process | undefined {
    return this.#running?.ready === true && this.#running.process.alive ? this.#running.process : undefined;
  }

  get running(): boolean {
    return this.#running?.process.alive === true;
  }

  /** The epoch under which this server believes that it leads the cluster. */
  get leads(): number | undefined {
    return this.process === undefined ? undefined : this.#running?.part.control.leads(account, cluster);
  }

  /** The clusters as the process follows them; none when it does not run. */
  get clusters(): readonly WatchedCluster[] {
    return this.#running?.part.control.clusters() ?? [];
  }

  /** Whether the process believes that it holds a lease. */
  holds(partition: string, name: string): boolean {
    const lease = this.running ? this.#running?.held.get(`${partition} ${name}`) : undefined;
    return lease?.lost.aborted === false;
  }

  /** Starts the process; it serves once it has read the store. */
  start(): void {
    if (this.running) return;
    const { machine, store, images, chance, receiver, traffic, machines } = this.#ports;
    const engine = traffic?.engine;
    const process = machine.boot();
    const log = this.#ports.log(this.name);
    const {
      healthyAfterRunning,
      replaceLostAfter,
      deregisterLostAfter,
      retention: kept,
    } = { ...tuning, retention, ...this.#ports.tuning };
    const { clock } = process;
    const records = store.of(process);
    const own = chance.fork();
    const random = (size: number): Uint8Array => own.bytes(size);
    const held = new Map<string, HeldLease>();
    const leases = remembering(
      openLeases(records, clock, () => own.number()),
      held,
    );
    const events = openEventLog(records, clock, () => own.number());
    const ownHost = (host: string): boolean => host === images.host;
    const authorizer: Authorizer = {
      authorize: () => Promise.resolve({ allowed: true, reason: 'everybody may do everything in the simulation' }),
    };
    const part = openScheduler({
      storage: { records, blobs: store.blobs, leases, events },
      clock,
      random,
      log,
      meter: { passed: () => {}, decided: () => {}, hooked: () => {} },
      region,
      account,
      images: {
        resolve: (_account, repository, tag) => Promise.resolve(images.digestOf(repository, tag)),
      },
      pulls: () => [],
      ownHost,
      reach: serverReach({ ownHost }),
      authorizer,
      outbound: {
        fetch: (_url, call) => receiver?.fetch(clock, call) ?? Promise.reject(new Error(nobody)),
        check: (url) => new URL(url),
      },
      takeRole: ({ roleArn }) => Promise.resolve({ type: 'assumed-role', account, arn: roleArn, id: 'AROASIMULATED' }),
      profileRole: () => Promise.resolve(machines === undefined ? undefined : machineRole),
      serverCertificate: () => Promise.resolve(undefined),
      machines: {
        providers: machines === undefined ? [] : [machines(process)],
        machineCredentials: (_role, id) =>
          Promise.resolve({
            accessKeyId: 'ASIA',
            secretAccessKey: 'simulated',
            sessionToken: 'simulated',
            expiration: new Date(clock.now() + 3_600_000),
            principal: {
              type: 'assumed-role',
              account,
              arn: `arn:aws:sts::${account}:assumed-role/node/${id}`,
              id: 'AROANODE',
            },
          }),
        joinKey: new Uint8Array(16),
        endpoint: () => 'http://127.0.0.1:7500',
      },
      principals: { bind: (text) => Promise.resolve(text), show: (text) => Promise.resolve(text) },
      sealer: { seal: (text) => text, open: (text) => text },
      taskCredentials: () => Promise.reject(new Error(nobody)),
      revokeTaskCredentials: () => Promise.reject(new Error(nobody)),
      credentialIdKey: new Uint8Array(32),
      traffic: {
        addresses: addressPool(traffic === undefined ? [] : ['127.42.0.1'], 'elb.localhost'),
        engines: engine === undefined ? [] : [{ id: machine.name, open: () => Promise.resolve(engine.open(process)) }],
        probe: traffic?.probe(process),
        authority: undefined,
      },
      logs: { maxBytes: () => Infinity },
      metrics: { maxBytes: () => Infinity },
      fileSystems: { encrypted: false },
      plugins: { strategies: [], constraints: [] },
      seed: own.whole(0, 2 ** 31),
      stopwatch: () => clock.monotonic(),
      timing: {
        reconciler: { healthyAfterRunning },
        replaceLostAfter,
        ...(deregisterLostAfter === undefined ? {} : { deregisterLostAfter }),
        retention: kept,
        addressQuarantine: quarantine,
      },
    });
    const running: Running = { process, part, held, operations: new Map(), ready: false };
    this.#running = running;
    this.#runs.push(part);
    const begin = async (): Promise<void> => {
      for (;;) {
        try {
          await part.start({ upkeep: true });
          break;
        } catch (err) {
          // As under an init system: what cannot start yet is started again.
          log.warn({ err }, 'cannot start yet');
          await clock.sleep(1_000);
        }
      }
      running.ready = true;
      await Promise.all([this.#sweepAddresses(running), this.#bringDeploymentsOn(running)]);
    };
    begin().catch((error: unknown) => log.error({ err: error }, 'the server cannot start'));
  }

  /** SIGKILL, or the power. */
  kill(): void {
    this.#running?.process.kill();
    this.#running = undefined;
  }

  /**
   * The world has ended. Every run of the program is told to stop, long dead ones too: nothing of it reaches anybody, but Node keeps combined
   * signals that somebody waits for, and all that waits, and the next world would begin with this one in memory.
   */
  end(): void {
    this.kill();
    for (const part of this.#runs) part.stop().catch(() => undefined);
  }

  /**
   * One call in the process, as the gateway makes it once the caller is known and allowed: of an operation of the API of ECS, EC2 or ELB, or a POST to the
   * path of a route of the server's own.
   * @throws AwsError, or what an operation throws by mistake
   */
  call(operation: string, input: object, caller: string | Principal, hostSecret?: string): Promise<unknown> {
    const running = this.#running;
    if (running === undefined) throw new AwsError('ServerException', 'the server is gone');
    if (operation.startsWith('/')) return this.#post(running, operation, caller);
    let found = running.operations.get(operation);
    if (found === undefined) running.operations.set(operation, (found = handlerOf(running.part, operation)));
    return found.handle(copyOf(input), this.#callBy(caller, hostSecret, running.process));
  }

  /** A machine shows its right to join, with the secret of its host. @returns who it acts as from then on @throws GatewayError */
  async join(token: string, hostSecret: string): Promise<Principal> {
    for (const web of this.#running?.part.web ?? []) {
      const found = web.route('POST', '/slipway/machines/join', new URLSearchParams());
      if (found?.caller === undefined) continue;
      const body = Buffer.from(JSON.stringify({ token }));
      const from = { sourceIp: '192.0.2.1', endpoint: `http://${this.name}.test:7500` };
      return (await found.caller({ get: () => hostSecret } as never, () => Promise.resolve(body), from)).principal;
    }
    throw new AwsError('ServerException', 'the server is gone');
  }

  async #post({ part, process }: Running, path: string, caller: string | Principal): Promise<unknown> {
    for (const web of part.web ?? []) {
      const found = web.route('POST', path, new URLSearchParams());
      if (found?.handle === undefined) continue;
      const ctx: { body?: unknown } = {};
      await found.handle(ctx as never, this.#callBy(caller, undefined, process));
      return ctx.body;
    }
    throw new AwsError('UnknownOperationException', path);
  }

  /** An agent's socket that the gateway let through. */
  connect(
    kind: 'control' | 'telemetry',
    query: URLSearchParams,
    caller: string | Principal,
    hostSecret: string,
    socket: SimulatedSocket,
    opened: () => void,
  ): Promise<void> {
    const running = this.#running;
    if (running === undefined) return Promise.resolve();
    return running.part.connectAgent(kind, query, this.#callBy(caller, hostSecret, running.process), () => {
      opened();
      return Promise.resolve(socket as never);
    });
  }

  /** The socket of an engine of another host that the gateway let through. */
  connectBalancer(query: URLSearchParams, socket: SimulatedSocket, opened: () => void): Promise<void> {
    const running = this.#running;
    if (running === undefined) return Promise.resolve();
    return running.part.connectBalancer(query, this.#callBy('edge', undefined, running.process), () => {
      opened();
      socket.pause();
      return Promise.resolve(socket as never);
    });
  }

  /** The job of the installation, here on every server at once. */
  async #sweepAddresses({ part, process }: Running): Promise<void> {
    const sweep = part.jobs.find(({ name }) => name === 'network-sweep');
    for (;;) {
      await process.clock.sleep(sweepAddressesEvery);
      await sweep?.run(new AbortController().signal).catch((err: unknown) => {
        this.#ports.log(this.name).warn({ err }, 'cannot look for addresses of hosts that are gone');
      });
    }
  }

  /** The job that looks after deployments of CodeDeploy, here on every server at once. */
  async #bringDeploymentsOn({ part, process }: Running): Promise<void> {
    const job = part.jobs.find(({ name }) => name === 'codedeploy');
    for (;;) {
      await process.clock.sleep(bringDeploymentsOnEvery);
      await job?.run(new AbortController().signal).catch((err: unknown) => {
        this.#ports.log(this.name).warn({ err }, 'cannot bring deployments on');
      });
    }
  }

  #callBy(caller: string | Principal, hostSecret: string | undefined, process: Process): Call {
    return {
      requestId: 'simulated',
      principal:
        typeof caller === 'string'
          ? { type: 'user', account, arn: `arn:aws:iam::${account}:user/${caller}`, id: caller }
          : caller,
      account,
      region,
      endpoint: `http://${this.name}.test:7500`,
      sourceIp: '192.0.2.1',
      userAgent: 'simulation',
      hostSecret,
      time: new Date(process.clock.now()),
      signal: new AbortController().signal,
    };
  }
}

/** @throws AwsError when no service has it */
function handlerOf({ services }: SchedulerPart, operation: string): Handler {
  const tables = services.map(
    ({ operations }) => operations as unknown as Readonly<Record<string, Handler | undefined>>,
  );
  const having = tables.filter((table) => table[operation] !== undefined);
  // Names that both versions of ELB's API have mean the newer one here, which alone has target groups.
  const found = (having.find((table) => table['CreateTargetGroup'] !== undefined) ?? having[0])?.[operation];
  if (found === undefined) throw new AwsError('UnknownOperationException', operation);
  return found;
}

/** What arrives of an input: other objects of the same content. Inputs hold what AWS's JSON can say, and times. */
function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  const copy: Record<string, unknown> = {};
  for (const name in value) copy[name] = copyOf(value[name] as unknown);
  return copy as T;
}

/** The same leases, and what was given of them. */
const remembering = (leases: Leases, held: Map<string, HeldLease>): Leases => ({
  acquire: async (...given) => {
    const lease = await leases.acquire(...given);
    held.set(`${lease.partition} ${lease.name}`, lease);
    return lease;
  },
  observe: (...given) => leases.observe(...given),
});

/** A server as calls over the network find it. */
export const listening = (server: SimulatedServer): { machine: Machine; now: () => Process | undefined } => ({
  machine: server.machine,
  now: () => server.process,
});
