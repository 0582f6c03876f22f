import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type Docker from 'dockerode';
import { z } from 'zod';

import { Channel, socketUrl } from './channel.ts';
import { ControlHandler } from './control-channel.ts';
import { ControlPlane, Refused, type Registration } from './control-plane.ts';
import { openDocker } from './docker.ts';
import { JsonFolder, readJson, writeJson } from './files.ts';
import { type Host, inspectHost } from './host.ts';
import { Images } from './images.ts';
import { RegistryLogins } from './logins.ts';
import { type AgentOptions, type ResolvedOptions, resolveOptions } from './options.ts';
import { Reporter } from './report.ts';
import { Sampler } from './sampler.ts';
import { TaskEngine } from './task-engine.ts';
import { TelemetryHandler } from './telemetry-channel.ts';

/** What the agent calls itself. */
const agentVersion = '0.1.0';
const agentHash = createHash('sha256').update(`slipway-agent ${agentVersion}`).digest('hex').slice(0, 8);

/** The container agent of one host. */
export interface Agent {
  /**
   * Starts working in the background: registers (again and again until the Docker engine and the control plane answer),
   * takes up the tasks of an earlier run, and keeps the connections. Resolves when the first registration succeeded.
   * @throws Refused when the control plane refuses this host for good
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
});

type Identity = z.infer<typeof identity>;

/** An agent that runs beside a Docker engine. It owns `dataDir`; two agents must not share one. */
export function createAgent(options: AgentOptions): Agent {
  return new RunningAgent(resolveOptions(options));
}

class RunningAgent implements Agent {
  readonly #options: ResolvedOptions;
  readonly #docker: Docker;
  readonly #stopped = new AbortController();
  readonly #identityFile: string;
  #identity: Identity | undefined;
  #writes: Promise<void> = Promise.resolve();
  #stoppers: (() => Promise<void> | void)[] = [];
  #loops: Promise<unknown>[] = [];

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#docker = openDocker(options.docker);
    this.#identityFile = join(options.dataDir, 'agent.json');
  }

  async start(): Promise<{ readonly containerInstanceArn: string }> {
    const options = this.#options;
    await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
    this.#identity = await this.#readIdentity();
    const plane = new ControlPlane(options);
    const reporter = new Reporter({
      clock: options.clock,
      random: options.random,
      log: options.log,
      submit: (report) => plane.submit(report),
    });
    const logins = new RegistryLogins(options);
    const engine = this.#engine(this.#identity.agentId, reporter, logins);
    this.#stoppers = [() => reporter.stop(), () => plane.close(), () => engine.engine.stop()];
    // Containers are looked after from the first moment, whether or not the control plane can be reached.
    await engine.engine.start();
    const { registration, host } = await this.#register(plane);
    this.#stopped.signal.throwIfAborted();
    this.#connect(plane, registration, host, { reporter, logins, ...engine });
    return { containerInstanceArn: registration.containerInstanceArn };
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const stop of this.#stoppers) await stop();
    await Promise.allSettled([...this.#loops, this.#writes]);
  }

  #engine(
    agentId: string,
    reporter: Reporter,
    logins: RegistryLogins,
  ): { engine: TaskEngine; onChange: { changed: () => void } } {
    const options = this.#options;
    const { clock, log } = options;
    const onChange = { changed: (): void => undefined };
    const engine = new TaskEngine({
      options: {
        clock,
        cluster: options.cluster,
        region: options.region,
        bindAddress: options.bindAddress,
        stopTimeout: options.stopTimeout,
        cleanupAfter: options.cleanupAfter,
        inspectEvery: options.inspectEvery,
        allow: options.allow,
        guarded: [options.docker?.socketPath ?? '/var/run/docker.sock', '/run/containerd', options.dataDir],
      },
      docker: this.#docker,
      agentId,
      images: new Images({
        docker: this.#docker,
        clock,
        behavior: options.pullBehavior,
        inactivity: options.pullInactivity,
        attempts: 3,
      }),
      files: new JsonFolder(join(options.dataDir, 'tasks')),
      log,
      login: (task, container) => logins.login(task, container),
      report: (report) => {
        if (report.status === 'STOPPED') logins.forget(report.arn);
        reporter.report(report);
      },
      healthChanged: () => onChange.changed(),
      answering: (answering) => {
        log.info({ answering }, answering ? 'the Docker engine answers' : 'the Docker engine is gone; waiting for it');
        onChange.changed();
      },
    });
    return { engine, onChange };
  }

  #connect(
    plane: ControlPlane,
    registration: Registration,
    host: Host,
    parts: { engine: TaskEngine; onChange: { changed: () => void }; reporter: Reporter; logins: RegistryLogins },
  ): void {
    const options = this.#options;
    const { containerInstanceArn } = registration;
    const versions = { agentHash, agentVersion, dockerVersion: `DockerVersion: ${host.dockerVersion}` };
    const handler = new ControlHandler({
      engine: parts.engine,
      log: options.log,
      cluster: options.cluster,
      containerInstanceArn,
      report: (report) => parts.reporter.report(report),
      learn: (task) => parts.logins.learn(task),
      seenSequence: this.#identity?.seenSequence ?? 0,
      sawGeneration: (seenSequence) => this.#remember({ seenSequence }),
    });
    const telemetry = new TelemetryHandler({
      options,
      engine: parts.engine,
      sampler: new Sampler(this.#docker, options.clock),
      containerInstanceArn,
    });
    parts.onChange.changed = () => telemetry.changed();
    const control = new Channel({
      name: 'control',
      options,
      url: async () =>
        socketUrl((await plane.discover(containerInstanceArn)).control, {
          ...versions,
          clusterArn: options.cluster,
          containerInstanceArn,
          protocolVersion: '2',
          sendCredentials: 'true',
          seqNum: String(handler.seenSequence),
        }),
      serve: (ws) => {
        parts.reporter.retryNow();
        handler.serve(ws);
      },
    });
    const measured = new Channel({
      name: 'telemetry',
      options,
      url: async () =>
        socketUrl((await plane.discover(containerInstanceArn)).telemetry, {
          ...versions,
          cluster: options.cluster,
          containerInstance: containerInstanceArn,
        }),
      serve: (ws, signal) => telemetry.serve(ws, signal),
    });
    this.#stoppers.unshift(
      () => control.stop(),
      () => measured.stop(),
    );
    this.#loops = [control.run(), measured.run()];
  }

  /** Tries until the Docker engine and the control plane both answer. */
  async #register(plane: ControlPlane): Promise<{ registration: Registration; host: Host }> {
    const { clock, log, random, reservedMemory, attributes, availabilityZone, allow } = this.#options;
    for (let wait = 250; ; wait = Math.min(wait * 2, 5_000)) {
      this.#stopped.signal.throwIfAborted();
      try {
        const host = await inspectHost(this.#docker, {
          attributes,
          privileged: allow.privileged === true,
          ...(reservedMemory === undefined ? {} : { reservedMemory }),
          ...(availabilityZone === undefined ? {} : { availabilityZone }),
        });
        const registration = await plane.register(host, this.#identity?.registration);
        await this.#remember({ registration });
        log.info({ containerInstance: registration.containerInstanceArn }, 'registered');
        return { registration, host };
      } catch (error) {
        if (error instanceof Refused) throw error;
        log.warn({ error: (error as Error).message }, 'cannot register yet; trying again');
        await clock.sleep(wait * (0.5 + random()), this.#stopped.signal);
      }
    }
  }

  async #readIdentity(): Promise<Identity> {
    const stored = await readJson(this.#identityFile);
    if (stored !== undefined) return identity.parse(stored);
    const fresh = { agentId: Buffer.from(this.#options.randomBytes(16)).toString('hex'), seenSequence: 0 };
    await writeJson(this.#identityFile, fresh);
    return fresh;
  }

  /** Durable when it resolves; one write at a time. */
  #remember(change: Partial<Identity>): Promise<void> {
    const before = this.#writes.catch(() => undefined);
    this.#writes = this.#write(before, change);
    return this.#writes;
  }

  async #write(before: Promise<void>, change: Partial<Identity>): Promise<void> {
    await before;
    if (this.#identity === undefined) return;
    this.#identity = { ...this.#identity, ...change };
    await writeJson(this.#identityFile, this.#identity);
  }
}
