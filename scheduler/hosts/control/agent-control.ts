import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import type { Call, UpgradeService } from '@slipway/auth/contract';
import { settling, waitAtMost } from '@slipway/storage/clock';
import { scanPartitions } from '@slipway/storage/records';
import { type WebSocket, WebSocketServer } from 'ws';

import { clusterPartition, newId } from '../../state/index.ts';
import type { ClusterView, HeldView } from '../../views/index.ts';

import { admit, connectAccess, ConnectionRefused } from './admit.ts';
import { ConnectionSweeper, type InstanceRef, noteConnected, noteDisconnected, serverSilence } from './connections.ts';
import { copyUpgrade } from './copy-upgrade.ts';
import type { AgentControlOptions } from './options.ts';
import { ControlSession } from './control-session.ts';
import { type LogCounts, LogSession } from './log-session.ts';
import { LogStreams } from './log-streams.ts';
import { connectionKeys } from './keys.ts';
import { agentOperations, type AgentOperations, controlPath, telemetryPath } from './operations.ts';
import { PayloadSource } from './payloads.ts';
import { openWebSocket, refuseUpgrade, watchLiveness } from './peer.ts';
import { TelemetrySession } from './telemetry-session.ts';
import { Turns } from './turns.ts';
import { execLimits, execPath, logLimits, logsPath } from '../wire/index.ts';

/** The control plane's side of the agent protocol, as the composition root wires it. */
export interface AgentControl {
  /** Operations that agents call; spread into the table of the ECS service. */
  readonly operations: AgentOperations;
  /** The WebSocket endpoints, for the gateway. */
  readonly upgrades: readonly UpgradeService[];
  /**
   * Serves one connection of an agent, however it was accepted; resolves when it is over. `open` is called once its instance is
   * known, and gives the socket.
   */
  connect(kind: Kind, query: URLSearchParams, call: Call, open: () => Promise<WebSocket>): Promise<void>;
  /** What became of the lines that agents had; since this process began. */
  logCounts(): Readonly<LogCounts>;
  /** Closes every connection that stands now: this server cannot serve its agents, which go to another. */
  disconnect(): void;
  /** Closes every connection, notes it in the records, and stops. */
  close(): Promise<void>;
}

/** A cluster that this server holds connections of. */
interface Shared extends HeldView {
  /** Resolves when other servers can know that this one holds them. */
  readonly announced: Promise<void>;
  users: number;
}

/** Starts the control plane's side of the agent protocol: operations, connections, and the search for lost connections. */
export function createAgentControl(options: AgentControlOptions): AgentControl {
  const connections = new Connections(options);
  return {
    operations: agentOperations(options),
    upgrades: [
      upgrade(options, `${controlPath}/ws`, 'ecs:Poll', 'control', connections),
      upgrade(options, `${telemetryPath}/ws`, 'ecs:StartTelemetrySession', 'telemetry', connections),
      // What policies of agents allow already; AWS has no action for it.
      upgrade(options, `${logsPath}/ws`, 'ecs:Poll', 'logs', connections),
      upgrade(options, `${execPath}/ws`, 'ecs:Poll', 'exec', connections),
      copyUpgrade(options),
    ],
    connect: async (kind, query, call, open) => {
      const ref = await admit(options, instanceOf[kind], query, call);
      await connections[kind](ref, query, open, call);
    },
    logCounts: () => connections.logCounts,
    disconnect: () => connections.disconnect(),
    close: () => connections.close(),
  };
}

type Accept = (
  ref: InstanceRef,
  query: URLSearchParams,
  upgraded: () => Promise<WebSocket>,
  call: Call,
) => Promise<void>;

/** The query parameter that names the container instance, by kind of connection. */
const instanceOf = {
  control: 'containerInstanceArn',
  telemetry: 'containerInstance',
  logs: 'containerInstanceArn',
  exec: 'containerInstanceArn',
} as const;

type Kind = keyof typeof instanceOf;

/** Bytes of one frame. */
const frameBytes = {
  control: 1024 * 1024,
  telemetry: 1024 * 1024,
  logs: logLimits.frameBytes,
  exec: execLimits.frameBytes,
} as const;
/** Frames of logs that are worked on at a time, of all hosts: each may take {@link logLimits.rawBytes} of memory, and some more. */
const logFramesAtOnce = 8;

function upgrade(
  options: AgentControlOptions,
  path: string,
  action: string,
  kind: Kind,
  connections: Connections,
): UpgradeService {
  const parameter = instanceOf[kind];
  const server = new WebSocketServer({ noServer: true, maxPayload: frameBytes[kind], perMessageDeflate: false });
  return {
    path,
    service: 'ecs',
    access: (query, call) => connectAccess(options, action, query.get(parameter) ?? '', call),
    accept: (...opening) => {
      void accept(server, options, kind, connections, ...opening);
    },
    close: () => connections.close(),
  };
}

async function accept(
  server: WebSocketServer,
  options: AgentControlOptions,
  kind: Kind,
  connections: Connections,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  call: Call,
  query: URLSearchParams,
): Promise<void> {
  const onError = (error: Error): void => options.log.info({ err: error }, 'an agent went away while it connected');
  socket.on('error', onError);
  try {
    const ref = await admit(options, instanceOf[kind], query, call);
    const upgraded = (): Promise<WebSocket> => openWebSocket(server, request, socket, head, onError);
    await connections[kind](ref, query, upgraded, call);
  } catch (error) {
    if (error instanceof ConnectionRefused) {
      refuseUpgrade(socket, error.status, error.exception, error.message);
      return;
    }
    options.log.warn({ err: error }, 'an agent connection ended with an error');
    if (socket.writable) socket.destroy();
  } finally {
    socket.off('error', onError);
  }
}

/** The connections that this server holds, and what they share per cluster. */
class Connections {
  readonly logCounts: LogCounts = { shipped: 0, dropped: 0, gaps: 0, leftOut: 0 };
  readonly #turns = new Turns(logFramesAtOnce);
  readonly #options: AgentControlOptions;
  readonly #payloads: PayloadSource;
  readonly #serverId: string;
  readonly #shared = new Map<string, Shared>();
  readonly #sockets = new Set<WebSocket>();
  readonly #serving = new Set<Promise<void>>();
  readonly #closed = new AbortController();
  readonly #sweeping: Promise<void>;
  #beat = 0;

  constructor(options: AgentControlOptions) {
    this.#options = options;
    this.#payloads = new PayloadSource(options);
    this.#serverId = newId(options.random);
    this.#sweeping = this.#sweep();
  }

  control: Accept = async (ref, query, upgraded, call) => {
    await this.#serve(ref, upgraded, async (ws, view) => {
      const connectionId = `${this.#serverId}.${newId(this.#options.random)}`;
      const instance = await noteConnected(this.#options, ref, connectionId, sequenceOf(query), versionsOf(query));
      if (instance?.channelGeneration === undefined) {
        ws.close(1000, 'the container instance is not registered');
        return;
      }
      this.#options.log.info({ instance: ref.id, cluster: ref.cluster }, 'agent connected');
      try {
        await new ControlSession(ws, {
          options: this.#options,
          ref,
          connectionId,
          generation: instance.channelGeneration,
          endpoint: call.endpoint,
          view,
          payloads: this.#payloads,
        }).run();
      } finally {
        await noteDisconnected(this.#options, ref, connectionId);
        this.#options.log.info({ instance: ref.id, cluster: ref.cluster }, 'agent disconnected');
      }
    });
  };

  telemetry: Accept = async (ref, _query, upgraded) => {
    await this.#serve(ref, upgraded, async (ws, view) => {
      const usage = await this.#options.usage(ref);
      try {
        await new TelemetrySession(ws, { options: this.#options, ref, view, usage }).run();
      } finally {
        usage.close();
      }
    });
  };

  logs: Accept = async (ref, _query, upgraded, call) => {
    await this.#serve(ref, upgraded, (ws, view) =>
      new LogSession(ws, {
        options: this.#options,
        ref,
        call,
        streams: new LogStreams(this.#options, ref, view, this.#payloads, call),
        turns: this.#turns,
        counts: this.logCounts,
      }).run(),
    );
  };

  /** A host comes for a session. Several servers may be behind the address that it knows: one has the client, the others say that they have not. */
  exec: Accept = async (ref, query, upgraded) => {
    const { clock, meetings } = this.#options;
    const session = query.get('session') ?? '';
    // It brings the client of a session that is here from another server, or comes for one whose client is here.
    const carries = query.get('carried') === 'true';
    if (carries ? !meetings.has(session, ref.id) : !meetings.awaits(session, ref.id)) {
      const message = 'No client waits here for this session.';
      throw new ConnectionRefused(400, 'SessionNotHereException', message);
    }
    await this.#serve(ref, upgraded, async (ws) => {
      const ended = new AbortController();
      const closed = new Promise<void>((resolve) => ws.once('close', () => resolve()));
      closed.then(
        () => ended.abort(),
        () => undefined,
      );
      const met = carries
        ? meetings.has(session, ref.id) && meetings.attach(session, ws)
        : meetings.join(session, ref.id, ws);
      if (!met) ws.close(1000, 'the client has gone');
      if (ws.readyState === ws.CLOSED) return;
      await Promise.all([closed, watchLiveness(ws, clock, ended.signal)]);
    });
  };

  disconnect(): void {
    // Those that do not answer the close are cut off by the library's own patience.
    for (const ws of this.#sockets) ws.close(1013, 'the server cannot reach its store');
  }

  async close(): Promise<void> {
    this.#closed.abort();
    for (const ws of this.#sockets) ws.close(1001, 'the server is stopping');
    const done = Promise.allSettled([...this.#serving, this.#sweeping]);
    await waitAtMost(1_000, settling(done), this.#options.clock);
    for (const ws of this.#sockets) ws.terminate();
    await done;
  }

  async #serve(
    ref: InstanceRef,
    upgraded: () => Promise<WebSocket>,
    run: (ws: WebSocket, view: ClusterView) => Promise<void>,
  ): Promise<void> {
    const serving = Promise.withResolvers<void>();
    this.#serving.add(serving.promise);
    const partition = clusterPartition(ref.account, ref.cluster);
    const shared = this.#take(ref);
    let ws: WebSocket | undefined;
    try {
      await shared.announced;
      ws = await upgraded();
      this.#sockets.add(ws);
      if (this.#closed.signal.aborted) ws.close(1001, 'the server is stopping');
      await run(ws, shared.view);
    } finally {
      if (ws !== undefined) {
        this.#sockets.delete(ws);
        ws.terminate();
      }
      this.#give(partition, shared);
      this.#serving.delete(serving.promise);
      serving.resolve();
    }
  }

  #take({ account, cluster }: InstanceRef): Shared {
    const partition = clusterPartition(account, cluster);
    const existing = this.#shared.get(partition);
    if (existing !== undefined) {
      existing.users += 1;
      return existing;
    }
    const held = this.#options.views.hold(account, cluster);
    const shared: Shared = { ...held, announced: this.#announce(partition), users: 1 };
    shared.announced.catch(() => undefined);
    this.#shared.set(partition, shared);
    return shared;
  }

  #give(partition: string, shared: Shared): void {
    shared.users -= 1;
    if (shared.users > 0) return;
    this.#shared.delete(partition);
    void shared.release();
  }

  /** Writes the row that tells other servers that this one lives and holds connections of the cluster. */
  async #announce(partition: string): Promise<void> {
    this.#beat += 1;
    await this.#options.records.commit(partition, {
      put: [{ key: connectionKeys.server(this.#serverId), value: { beat: this.#beat } }],
    });
  }

  async #sweep(): Promise<void> {
    const { clock, log, records } = this.#options;
    const sweeper = new ConnectionSweeper(this.#options);
    while (!this.#closed.signal.aborted) {
      try {
        for (const partition of this.#shared.keys()) await this.#announce(partition);
        for await (const name of scanPartitions(records, 'ecs/')) {
          const [, account, cluster] = name.split('/');
          if (account !== undefined && cluster !== undefined) await sweeper.sweep(account, cluster);
        }
      } catch (error) {
        if (!this.#closed.signal.aborted)
          log.warn({ err: error }, 'cannot look for lost agent connections; trying again');
      }
      await clock.sleep(serverSilence / 4, this.#closed.signal).catch(() => undefined);
    }
  }
}

/** The highest sequence number the agent has seen; amazon-ecs-agent always says 1. */
function sequenceOf(query: URLSearchParams): number {
  const sequence = Number(query.get('seqNum') ?? '0');
  return Number.isSafeInteger(sequence) && sequence > 0 && sequence < 2 ** 52 ? sequence : 0;
}

function versionsOf(query: URLSearchParams): { agentVersion?: string; agentHash?: string; dockerVersion?: string } {
  const said = (name: string): string | undefined => query.get(name)?.slice(0, 255) || undefined;
  const agentVersion = said('agentVersion');
  const agentHash = said('agentHash');
  const dockerVersion = said('dockerVersion');
  return {
    ...(agentVersion === undefined ? {} : { agentVersion }),
    ...(agentHash === undefined ? {} : { agentHash }),
    ...(dockerVersion === undefined ? {} : { dockerVersion }),
  };
}
