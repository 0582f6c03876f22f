import { Channel, type Dial, socketUrl } from './channel.ts';
import { ControlHandler } from './control-channel.ts';
import type { ControlPlaneClient } from './control-plane-client.ts';
import { copyPath, execPath, logsPath } from '../wire/index.ts';
import { type ArchiveEngine, type DialCopy, type ExecEngine, ExecSessions } from './exec/index.ts';
import type { RoleKeys } from './endpoint/index.ts';
import type { LogShipping } from './logs/index.ts';
import type { TaskNetworkPort } from './network/index.ts';
import type { ResolvedOptions } from './options.ts';
import type { Reporter } from './report.ts';
import type { Sampler } from './sampler.ts';
import type { SecretValues } from './secret-values.ts';
import type { TaskEngine } from './task-engine.ts';
import { TelemetryHandler } from './telemetry-channel.ts';

/** A refusal this soon after the connection stood means that the host was deregistered while it was there. Milliseconds. */
const justNow = 30_000;

export interface MembershipPorts {
  readonly options: ResolvedOptions;
  readonly plane: Pick<ControlPlaneClient, 'discover'>;
  readonly dial: Dial;
  readonly dialCopy: DialCopy;
  readonly engine: TaskEngine;
  readonly logs: Pick<LogShipping, 'wanted' | 'serve'>;
  readonly network: Pick<TaskNetworkPort, 'apply'>;
  readonly reporter: Reporter;
  readonly keys: RoleKeys;
  readonly secrets: Pick<SecretValues, 'learn'>;
  readonly sampler: Sampler;
  /** What runs commands in containers. */
  readonly commands: ExecEngine;
  readonly archives: ArchiveEngine;
  readonly containerInstanceArn: string;
  /** What the agent says of itself and of its engine when it connects. */
  readonly versions: Readonly<Record<string, string>>;
  /** The highest sequence number that was obeyed before. */
  readonly seenSequence: number;
  /** Called when a connection of a newer generation speaks for the first time; resolves when that is durable. */
  readonly sawGeneration: (firstSequence: number) => Promise<void>;
}

/** The host as a member of its cluster for as long as one registration stands: its connections, and what is said on them. */
export class Membership {
  readonly #ports: MembershipPorts;
  readonly #handler: ControlHandler;
  readonly #telemetry: TelemetryHandler;
  readonly #channels: readonly Channel[];
  readonly #logs: Channel;
  readonly #sessions: ExecSessions;
  readonly #stopped = Promise.withResolvers<void>();
  #connectedAt = -Infinity;
  #deregisteredHere = false;

  constructor(ports: MembershipPorts) {
    this.#ports = ports;
    const { options, engine, network, reporter, keys, secrets, sampler, containerInstanceArn, versions } = ports;
    const { cluster } = options;
    this.#sessions = new ExecSessions({
      ...options,
      dial: ports.dial,
      dialCopy: ports.dialCopy,
      engine: ports.commands,
      archives: ports.archives,
      tasks: () => engine.live(),
      url: async (session, carried) => {
        const { control } = await ports.plane.discover(containerInstanceArn);
        const more = carried ? { carried: 'true' } : {};
        return socketUrl(new URL(execPath, control).href, { containerInstanceArn, session, ...more });
      },
      copyUrl: async (session) => {
        const { control } = await ports.plane.discover(containerInstanceArn);
        const url = new URL(copyPath, control);
        url.search = String(new URLSearchParams({ containerInstanceArn, session }));
        return url;
      },
    });
    this.#handler = new ControlHandler({
      ...ports,
      network,
      log: options.log,
      cluster,
      report: (report) => reporter.report(report),
      learn: (taskArn, type, credentials) => keys.learn(taskArn, type, credentials),
      learnSecrets: (taskArn, values) => secrets.learn(taskArn, values),
      execWanted: (session) => this.#sessions.wanted(session),
    });
    this.#telemetry = new TelemetryHandler({ options, engine, sampler, containerInstanceArn });
    const control = this.#channel('control', () => ({
      ...versions,
      clusterArn: cluster,
      containerInstanceArn,
      protocolVersion: '2',
      sendCredentials: 'true',
      seqNum: String(this.#handler.seenSequence),
    }));
    const telemetry = this.#channel('telemetry', () => ({
      ...versions,
      cluster,
      containerInstance: containerInstanceArn,
    }));
    this.#channels = [control, telemetry];
    this.#logs = this.#channel('logs', () => ({ ...versions, containerInstanceArn }));
  }

  /** Whether the host was connected when it was deregistered, so that somebody may be about to take it away. */
  get deregisteredHere(): boolean {
    return this.#deregisteredHere;
  }

  /**
   * Keeps the connections (that of log lines once there are any) until {@link stop}, or until the control plane says that the instance is not registered. Resolves once
   * nothing of what was said on them is still being carried out.
   */
  async run(): Promise<void> {
    const logs = Promise.race([this.#ports.logs.wanted, this.#stopped.promise]).then(() => this.#logs.run());
    await Promise.all([...this.#channels.map((channel) => channel.run()), logs]);
    await this.#handler.close();
    await this.#sessions.stop();
  }

  stop(): void {
    for (const channel of [...this.#channels, this.#logs]) channel.stop();
    this.#stopped.resolve();
  }

  /** Health, or whether the Docker engine answers, has changed. */
  healthChanged(): void {
    this.#telemetry.changed();
  }

  #channel(kind: 'control' | 'telemetry' | 'logs', query: () => Readonly<Record<string, string>>): Channel {
    const { options, plane, dial, reporter, containerInstanceArn } = this.#ports;
    return new Channel({
      name: kind,
      options,
      dial,
      url: async () => {
        const found = await plane.discover(containerInstanceArn);
        return socketUrl(kind === 'logs' ? new URL(logsPath, found.control).href : found[kind], query());
      },
      serve: (ws, signal) => {
        if (kind === 'telemetry') {
          this.#telemetry.serve(ws, signal);
          return;
        }
        if (kind === 'logs') {
          this.#ports.logs.serve(ws, signal).catch((err: unknown) => {
            options.log.error({ err }, 'the log connection ended with an error');
            ws.terminate();
          });
          return;
        }
        const stands = (): void => {
          this.#connectedAt = options.clock.monotonic();
        };
        stands();
        ws.once('close', stands);
        reporter.retryNow();
        this.#handler.serve(ws);
      },
      inactive: () => {
        this.#deregisteredHere = options.clock.monotonic() - this.#connectedAt < justNow;
        this.stop();
      },
    });
  }
}
