import { createHash, createHmac } from 'node:crypto';
import { join } from 'node:path';

import type Docker from 'dockerode';
import { z } from 'zod';

import { type AgentPorts, machinePorts, type MakePorts } from './agent-ports.ts';
import { ControlPlaneClient, Refused, type Registration } from './control-plane-client.ts';
import { JsonFolder } from './files.ts';
import { containerName } from './create-options.ts';
import { dockerArchives, dockerExec } from './exec/index.ts';
import { type Host, inspectHost } from './host.ts';
import { RoleKeys, TaskEndpoint } from './endpoint/index.ts';
import { HostPorts } from './host-ports.ts';
import { ImageCleanup } from './image-cleanup.ts';
import { Images } from './images.ts';
import { KeptImages, noKeptImages } from './kept-images.ts';
import { RegistryLogins } from './logins.ts';
import { TaskIsolation } from './isolation/index.ts';
import { noLimits, type TaskLimitsPort } from './limits/index.ts';
import { dockerLogs, LogShipping } from './logs/index.ts';
import { Membership } from './membership.ts';
import { NetworkWatch } from './network-watch.ts';
import { type AgentOptions, type ResolvedOptions, resolveOptions } from './options.ts';
import { agentReach } from './policy.ts';
import { Reporter } from './report.ts';
import { Sampler } from './sampler.ts';
import { noRouters, type RouterPort, routersRoot } from './routers/index.ts';
import { SecretValues } from './secret-values.ts';
import { noStorage, type TaskStoragePort } from './storage/index.ts';
import { TaskEngine } from './task-engine.ts';

/** What the agent calls itself. */
const agentVersion = '0.1.0';
const agentHash = createHash('sha256').update(`slipway-agent ${agentVersion}`).digest('hex').slice(0, 8);

/** After the control plane said no to a host that wants to join anew, or took it out while it was connected. Milliseconds. */
const outsideWait = 60_000;

/** The container agent of one host. */
export interface Agent {
  /**
   * Starts working in the background: registers (again and again until the Docker engine and the control plane answer),
   * takes up the tasks of an earlier run, and keeps the connections. Resolves when the first registration succeeded. When the host is
   * deregistered after that, it ends what it runs and registers as a new container instance by itself.
   * @throws Refused when the control plane refuses this host for good; FormatRefused when the data folder is a newer agent's or not one
   */
  start(): Promise<{ readonly containerInstanceArn: string }>;
  /** Ends the agent's work; its containers keep running. */
  stop(): Promise<void>;
}

const identity = z.object({
  agentId: z.string().min(1),
  registration: z.object({ containerInstanceArn: z.string(), cpu: z.number(), memory: z.number() }).optional(),
  /** The first sequence number of the newest connection that was obeyed. */
  seenSequence: z.number().default(0),
  /** Makes the ids of containers in metadata paths, and what this host shows the control plane; hexadecimal. */
  secret: z.string().length(64),
});

type Identity = z.infer<typeof identity>;
type Changes = Partial<Pick<Identity, 'registration' | 'seenSequence'>>;

/** Who is told when something of this host changes; set once there is a connection to tell it on. */
interface Listeners {
  health: () => void;
  endpoint: () => void;
}

/** What an agent is made of. */
interface Parts {
  readonly plane: ControlPlaneClient;
  readonly reporter: Reporter;
  readonly keys: RoleKeys;
  readonly secrets: SecretValues;
  readonly network: NetworkWatch;
  readonly engine: TaskEngine;
  readonly logs: LogShipping;
  readonly endpoint: TaskEndpoint | undefined;
  readonly onChange: Listeners;
}

/** What came of registering, and the host as it was registered. */
interface Joined {
  readonly registration: Registration;
  readonly host: Host;
}

/** An agent that runs beside a Docker engine. It owns `dataDir`; two agents must not share one. */
export function createAgent(options: AgentOptions, ports: MakePorts = machinePorts): Agent {
  return new RunningAgent(options, ports);
}

/** What nobody is shown: not the secret that the control plane is. */
const tunnelSecret = ({ secret }: Identity): Buffer =>
  createHmac('sha256', Buffer.from(secret, 'hex')).update('tunnel').digest();

const isEvery = (address: string): boolean => address === '0.0.0.0' || address === '::';

class RunningAgent implements Agent {
  readonly #options: ResolvedOptions;
  readonly #docker: Docker;
  readonly #ports: AgentPorts;
  readonly #isolation: TaskIsolation;
  readonly #stopped = new AbortController();
  readonly #identityFile: string;
  #identity: Identity | undefined;
  #limits: TaskLimitsPort = noLimits('the agent has not started');
  /** What {@link RunningAgent.#hostSecret} says, once it was worked out. */
  #ownSecret: string | undefined;
  #storage: TaskStoragePort = noStorage('the agent has not started');
  #routers: RouterPort = noRouters('the agent has not started');
  #writes: Promise<void> = Promise.resolve();
  #stoppers: (() => Promise<void> | void)[] = [];
  #loops: Promise<unknown>[] = [];
  #membership: Membership | undefined;

  constructor(given: AgentOptions, ports: MakePorts) {
    const options = resolveOptions(given, () => this.#hostSecret());
    this.#options = options;
    this.#ports = ports(options, () => this.#hostSecret());
    this.#docker = this.#ports.docker;
    this.#isolation = new TaskIsolation(this.#docker, options.isolation);
    this.#identityFile = join(options.dataDir, 'agent.json');
  }

  async start(): Promise<{ readonly containerInstanceArn: string }> {
    const options = this.#options;
    const { log } = options;
    await this.#ports.disk.claim(options.dataDir);
    this.#identity = await this.#readIdentity();
    const plane = new ControlPlaneClient(options, this.#ports.api);
    const reporter = new Reporter({
      clock: options.clock,
      random: options.random,
      log,
      submit: (report) => plane.submit(report),
    });
    const keys = new RoleKeys();
    const secrets = new SecretValues();
    const network = new NetworkWatch(
      this.#ports.network(this.#identity.agentId, tunnelSecret(this.#identity)),
      options,
    );
    this.#limits = this.#ports.limits(this.#identity.agentId);
    this.#storage = this.#ports.storage(this.#identity.agentId);
    this.#routers = this.#ports.routers(this.#identity.agentId);
    const kept = this.#keptImages();
    const logs = this.#logs();
    const { engine, endpoint, onChange, images } = this.#engine(
      this.#identity,
      reporter,
      { keys, secrets },
      network,
      kept,
      logs,
    );
    network.changed = () => onChange.endpoint();
    this.#stoppers = [
      () => reporter.stop(),
      () => plane.close(),
      () => engine.stop(),
      () => endpoint?.stop(),
      () => network.stop(engine.live().length === 0),
      () => (engine.live().length === 0 ? this.#limits.close() : undefined),
    ];
    await kept?.open();
    await network.start();
    // Containers are looked after from the first moment, whether or not the control plane can be reached.
    await engine.start();
    await endpoint?.start();
    if (kept !== undefined) this.#cleanImages(images, kept, engine);
    const parts: Parts = { plane, reporter, keys, secrets, network, engine, logs, endpoint, onChange };
    const joined = await this.#join(parts);
    this.#stopped.signal.throwIfAborted();
    // What may be placed here depends on the endpoint.
    onChange.endpoint = () => {
      const told = this.#insist(parts, async (host) => {
        const { registration } = this.#identity ?? {};
        if (registration !== undefined) await plane.registerAgain(host, registration);
      });
      this.#loops.push(told.catch((error: unknown) => log.warn({ err: error }, 'cannot register what has changed')));
    };
    this.#loops.push(
      this.#serve(parts, joined).catch((error: unknown) => {
        if (!this.#stopped.signal.aborted) log.error({ err: error }, 'the agent serves its host no more');
      }),
    );
    return { containerInstanceArn: joined.registration.containerInstanceArn };
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#membership?.stop();
    for (const stop of this.#stoppers) await stop();
    await Promise.allSettled([...this.#loops, this.#writes]);
  }

  /** What tells this host from others with the same keys; the control plane holds its instance to it. */
  #hostSecret(): string {
    if (this.#identity === undefined) throw new Error('the agent calls the control plane before it knows who it is');
    this.#ownSecret ??= createHmac('sha256', Buffer.from(this.#identity.secret, 'hex'))
      .update('host')
      .digest('base64url');
    return this.#ownSecret;
  }

  #engine(
    { agentId, secret }: Identity,
    reporter: Reporter,
    { keys, secrets }: { readonly keys: RoleKeys; readonly secrets: SecretValues },
    network: NetworkWatch,
    kept: KeptImages | undefined,
    logs: LogShipping,
  ): { engine: TaskEngine; endpoint: TaskEndpoint | undefined; onChange: Listeners; images: Images } {
    const options = this.#options;
    const { clock, log, allow } = options;
    const onChange: Listeners = { health: () => undefined, endpoint: () => undefined };
    const endpoint =
      options.taskEndpoint === 'off'
        ? undefined
        : new TaskEndpoint({
            docker: this.#docker,
            clock,
            log,
            host: options,
            secret: Buffer.from(secret, 'hex'),
            keys,
            tasks: () => engine.live(),
            hostNetwork: allow.hostNetwork === true,
            instanceMetadata: allow.instanceMetadata === true,
            links: network.port.linkPrefix,
            changed: () => onChange.endpoint(),
          });
    const reach = agentReach(options);
    const logins = new RegistryLogins(options, keys, secrets, reach);
    const images = new Images({
      docker: this.#docker,
      clock,
      behavior: options.pullBehavior,
      inactivity: options.pullInactivity,
      attempts: 3,
      kept: kept ?? noKeptImages,
    });
    const engine = new TaskEngine({
      options: {
        clock,
        cluster: options.cluster,
        region: options.region,
        bindAddress: options.bindAddress,
        stopTimeout: options.stopTimeout,
        taskPidsLimit: options.taskPidsLimit,
        cleanupAfter: options.cleanupAfter,
        inspectEvery: options.inspectEvery,
        countStorageEvery: options.countStorageEvery,
        allow: options.allow,
        reach,
        dns: this.#ports.dns,
        guarded: [
          options.docker?.socketPath ?? '/var/run/docker.sock',
          '/run/containerd',
          routersRoot,
          options.dataDir,
        ],
      },
      docker: this.#docker,
      agentId,
      images,
      secrets,
      network: network.port,
      limits: this.#limits,
      storage: this.#storage,
      isolation: this.#isolation,
      routers: this.#routers,
      hostPorts: new HostPorts({
        disk: this.#ports.disk,
        file: join(options.dataDir, 'host-ports.json'),
        range: options.hostPorts,
        rest: options.hostPortRest,
        clock,
        random: options.random,
        isFree: this.#ports.isPortFree,
      }),
      mountsOf: this.#ports.mountsOf,
      withoutNetwork: () => network.reason,
      files: new JsonFolder(this.#ports.disk, join(options.dataDir, 'tasks')),
      log,
      logs,
      endpoint: endpoint ?? { reason: "the agent's option taskEndpoint is off", environment: () => ({}) },
      rights: (task, container) => logins.rights(task, container),
      report: (report) => {
        if (report.status === 'STOPPED') {
          keys.forget(report.arn);
          secrets.forget(report.arn);
        }
        reporter.report(report);
      },
      reporting: (taskArn) => reporter.has(taskArn),
      healthChanged: () => onChange.health(),
      answering: (answering) => {
        log.info({ answering }, answering ? 'the Docker engine answers' : 'the Docker engine is gone; waiting for it');
        onChange.health();
      },
    });
    return { engine, endpoint, onChange, images };
  }

  #logs(): LogShipping {
    const { clock, log } = this.#options;
    return new LogShipping({ engine: dockerLogs(this.#docker), clock, log, nameOf: containerName });
  }

  /** What is noted of images, where they are removed again. */
  #keptImages(): KeptImages | undefined {
    const { clock, dataDir, log, imageCleanup, pullBehavior } = this.#options;
    if (imageCleanup === 'off' || pullBehavior === 'prefer-cached') return undefined;
    return new KeptImages({ disk: this.#ports.disk, path: join(dataDir, 'images.json'), clock, log });
  }

  #cleanImages(images: Images, kept: KeptImages, engine: TaskEngine): void {
    const { clock, log, imageCleanup: rule } = this.#options;
    if (rule === 'off') return;
    const awaited = (): string[] =>
      engine.live().flatMap(({ saved }) => Object.values(saved.images).flatMap(({ id }) => id ?? []));
    const alone = (work: () => Promise<void>): Promise<void> => images.alone(work);
    const cleanup = new ImageCleanup({ docker: this.#docker, clock, log, rule, kept, awaited, alone });
    this.#loops.push(cleanup.run(this.#stopped.signal));
  }

  /** Serves one registration after the other: a host that was deregistered joins anew. */
  async #serve(parts: Parts, first: Joined): Promise<void> {
    const { signal } = this.#stopped;
    for (let joined = first; !signal.aborted;) {
      const membership = this.#member(parts, joined);
      this.#membership = membership;
      parts.onChange.health = () => membership.healthChanged();
      await membership.run();
      if (signal.aborted) return;
      joined = await this.#joinAnew(parts);
    }
  }

  #member(
    { plane, engine, logs, network, reporter, keys, secrets }: Parts,
    { registration, host }: Joined,
  ): Membership {
    return new Membership({
      options: this.#options,
      plane,
      dial: this.#ports.dial,
      dialCopy: this.#ports.dialCopy,
      engine,
      logs,
      network: network.port,
      reporter,
      keys,
      secrets,
      commands: dockerExec(this.#docker, this.#options.clock),
      archives: dockerArchives(this.#docker),
      sampler: new Sampler(this.#docker, this.#ports.stats, this.#options.clock, registration.cpu),
      containerInstanceArn: registration.containerInstanceArn,
      versions: { agentHash, agentVersion, dockerVersion: `DockerVersion: ${host.dockerVersion}` },
      seenSequence: this.#identity?.seenSequence ?? 0,
      sawGeneration: (seenSequence) => this.#remember({ seenSequence }),
    });
  }

  /** Joins however often it is refused: a host that nobody looks at comes back once it may. */
  async #joinAnew(parts: Parts): Promise<Joined> {
    const { clock, log, random } = this.#options;
    for (;;) {
      try {
        return await this.#join(parts);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        log.error({ err: error }, 'this host is out of its cluster and may not join it anew; trying again');
        await clock.sleep(outsideWait * (0.5 + random()), this.#stopped.signal);
      }
    }
  }

  /** Registers, as the instance that this host is while the control plane knows it. @throws Refused */
  async #join(parts: Parts): Promise<Joined> {
    const registration = await this.#insist(parts, async (host) => {
      const known = this.#identity?.registration;
      const now = await parts.plane.register(host, known, () => this.#leave(parts));
      await this.#remember({ registration: now });
      return { registration: now, host };
    });
    this.#options.log.info({ containerInstance: registration.registration.containerInstanceArn }, 'registered');
    return registration;
  }

  /**
   * Ends what the host ran under a registration that is over, and forgets that. Until then there is no new one: its tasks would meet
   * the old ones' ports and memory.
   */
  async #leave({ engine, network }: Parts): Promise<void> {
    await network.forget();
    const { clock, log, random } = this.#options;
    const tasks = await engine.endAll();
    await this.#remember({ registration: undefined });
    log.warn({ tasks }, 'ended the tasks of a container instance that was deregistered');
    // Who deregisters a host that is there may be about to take it away.
    if (this.#membership?.deregisteredHere === true)
      await clock.sleep(outsideWait * (0.5 + random()), this.#stopped.signal);
  }

  /** Does something with what the host is now, until the Docker engine and the control plane both answer. @throws Refused */
  async #insist<T>({ endpoint, network }: Parts, work: (host: Host) => Promise<T>): Promise<T> {
    const { clock, log, random, reservedMemory, attributes, availabilityZone, allow, bindAddress } = this.#options;
    for (let wait = 250; ; wait = Math.min(wait * 2, 5_000)) {
      this.#stopped.signal.throwIfAborted();
      try {
        const alone = await this.#limits.reason();
        if (alone !== undefined) log.warn({ reason: alone }, 'only containers are limited on this host, not tasks');
        const unrouted = await this.#routers.reason();
        if (unrouted !== undefined) log.warn({ reason: unrouted }, 'no task with a log router runs on this host');
        const isolation = await this.#isolation.look();
        if (isolation !== undefined && 'reason' in isolation)
          log.error(
            { reason: isolation.reason },
            'no task of Fargate comes: this host cannot isolate them as it was told',
          );
        const host = await inspectHost(this.#docker, {
          attributes,
          privileged: allow.privileged === true,
          taskRoles: endpoint?.available === true,
          hostNetwork: allow.hostNetwork === true,
          taskNetwork: network.reason === undefined,
          fargate: this.#options.fargate === 'auto',
          isolation,
          spot: this.#options.spot,
          fileSystems: this.#options.allow.fileSystems !== undefined,
          taskLimits: alone === undefined,
          address: (await network.port.address()) ?? (await this.#ports.address()),
          tunnel: network.reason === undefined ? await network.port.tunnel() : undefined,
          publishedOn: isEvery(bindAddress) ? undefined : bindAddress,
          storageQuota: (await this.#storage.reason()) === undefined,
          routers: unrouted === undefined,
          ...(reservedMemory === undefined ? {} : { reservedMemory }),
          ...(availabilityZone === undefined ? {} : { availabilityZone }),
        });
        return await work(host);
      } catch (error) {
        if (error instanceof Refused) throw error;
        log.warn({ err: error }, 'cannot register yet; trying again');
        await clock.sleep(wait * (0.5 + random()), this.#stopped.signal);
      }
    }
  }

  async #readIdentity(): Promise<Identity> {
    const { randomBytes } = this.#options;
    const stored = await this.#ports.disk.read(this.#identityFile);
    const known = identity.parse({
      agentId: Buffer.from(randomBytes(16)).toString('hex'),
      secret: Buffer.from(randomBytes(32)).toString('hex'),
      ...(stored as object | undefined),
    });
    await this.#ports.disk.write(this.#identityFile, JSON.stringify(known));
    return known;
  }

  /** Durable when it resolves; one write at a time. */
  #remember(change: Changes): Promise<void> {
    const before = this.#writes.catch(() => undefined);
    this.#writes = this.#write(before, change);
    return this.#writes;
  }

  async #write(before: Promise<void>, change: Changes): Promise<void> {
    await before;
    // What a message still under way would note after the end belongs to the next agent of this folder.
    if (this.#identity === undefined || this.#stopped.signal.aborted) return;
    this.#identity = { ...this.#identity, ...change };
    await this.#ports.disk.write(this.#identityFile, JSON.stringify(this.#identity));
  }
}
