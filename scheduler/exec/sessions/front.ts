import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { AwsError, type Call, type UpgradeService } from '@slipway/auth/contract';
import { settling, waitAtMost } from '@slipway/storage/clock';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';

import type { ClusterRef, EcsPorts } from '../../cluster/index.ts';
import type { ExecSessionRecord } from '../../state/index.ts';

import { closingFrame, mostFrame } from '../protocol/index.ts';
import { refusal } from './allowed.ts';
import { Meetings } from './meeting.ts';
import type { Recorder } from './recorder.ts';
import { Session, type SessionPorts } from './session.ts';
import { hostPatience, sessionIdForm, WaitingSessions } from './store.ts';
import { Strangers } from './strangers.ts';

/** Where clients open the data channels of their sessions. */
const dataChannelPath = '/exec/ws';

/** Bytes of the first frame, which has the token; and milliseconds until it must be there. */
const opening = { bytes: 4096, patience: 10_000 } as const;
/** Milliseconds that a client has to take what it is told last. */
const lastWords = 2_000;
/** What a client is told while nobody can tell whether it may have its session. */
const unknownRight = 'It is not known at present whether you may run commands in this task; try again.';
/** What a client is told whose token opens nothing. */
const badToken = 'The token is not good, not any more, or was used: run the command again.';
/** Sessions that one process carries. */
const mostSessions = 512;

export interface ExecFrontPorts extends EcsPorts, SessionPorts {
  /** Where a session's output is kept. @returns undefined where it is not @throws Error whose message the user is shown */
  readonly record: (ref: ClusterRef, session: ExecSessionRecord, call: Call) => Promise<Recorder | undefined>;
}

/** The address of a session's data channel. @param endpoint where the client reaches this installation */
export function streamUrl(endpoint: string, { account, cluster }: ClusterRef, sessionId: string): string {
  const url = new URL(dataChannelPath, endpoint);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('session', sessionId);
  url.searchParams.set('cluster', `${account}/${cluster}`);
  return url.href;
}

/** Takes the clients of sessions: whoever has a session's token, once, is its client. */
export class ExecFront {
  readonly meetings: Meetings;
  readonly waiting: WaitingSessions;
  readonly upgrade: UpgradeService;
  readonly #ports: ExecFrontPorts;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: mostFrame,
    perMessageDeflate: false,
    // No client sends a message in many pieces, and each takes more memory than its bytes.
    maxFragments: 64,
    maxBufferedChunks: 1_024,
  });
  readonly #strangers: Strangers;
  readonly #serving = new Set<Promise<void>>();
  #sessions = 0;
  readonly #stopped = new AbortController();

  constructor(ports: ExecFrontPorts) {
    this.#ports = ports;
    this.#strangers = new Strangers(ports.clock);
    this.meetings = new Meetings(ports.clock);
    this.waiting = new WaitingSessions(ports);
    this.upgrade = {
      path: dataChannelPath,
      service: 'ecs',
      access: 'proof',
      check: (query, call) => this.#check(query, call),
      accept: (request, socket, head, call) => this.#accept(request, socket, head, call),
      close: () => this.close(),
    };
  }

  /** Ends every session. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#serving);
  }

  #check(query: URLSearchParams, { sourceIp }: Call): void {
    if (named(query) === undefined)
      throw new AwsError('AccessDeniedException', 'Sessions are opened at the streamUrl of ExecuteCommand.', {
        status: 403,
      });
    if (this.#isFull() || !this.#strangers.admits(sourceIp))
      throw new AwsError('ThrottlingException', 'Too many sessions are being opened.', { status: 429 });
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer, call: Call): void {
    const { log } = this.#ports;
    const session = named(new URL(request.url ?? '/', 'http://client').searchParams);
    const leave =
      session === undefined || this.#isFull()
        ? undefined
        : this.#strangers.enter(call.sourceIp, () => {
            socket.destroy();
          });
    if (session === undefined || leave === undefined) {
      socket.destroy();
      return;
    }
    const { sessionId, ref } = session;
    let upgraded = false;
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      upgraded = true;
      const served = this.#serve(ws, ref, sessionId, call, leave)
        .catch((err: unknown) => log.warn({ session: sessionId, err }, 'a session ended with an error'))
        .then(() => this.#leaveOpen(ws))
        .finally(() => {
          ws.terminate();
          // Who had no good token has kept the place until now.
          leave();
          this.#serving.delete(served);
        });
      this.#serving.add(served);
    });
    // What was no upgrade has been answered.
    if (!upgraded) leave();
  }

  /** Lets what was said last get to a client that takes it: with TLS it may be on its way still. */
  async #leaveOpen(ws: WebSocket): Promise<void> {
    if (ws.readyState === ws.CLOSED) return;
    const closed = new Promise<void>((resolve) => ws.once('close', () => resolve()));
    if (ws.readyState === ws.OPEN) ws.close(1011);
    ws.resume();
    await waitAtMost(lastWords, settling(closed), this.#ports.clock);
  }

  #isFull(): boolean {
    return this.#stopped.signal.aborted || this.#sessions >= mostSessions;
  }

  async #serve(ws: WebSocket, ref: ClusterRef, sessionId: string, call: Call, known: () => void): Promise<void> {
    const gone = new AbortController();
    ws.once('close', () => gone.abort());
    ws.on('error', () => ws.terminate());
    const either = AbortSignal.any([gone.signal, this.#stopped.signal]);
    const said = opened(await this.#first(ws, either));
    const session = said && (await this.waiting.open(ref, sessionId, said.tokenValue));
    if (said === undefined) {
      ws.close(1008, 'the first frame has no token');
      return;
    }
    if (session === undefined) {
      // Told as the end of a session: after any other end the plug-in waits for one for ever.
      this.#refuse(ws, sessionId, badToken);
      return;
    }
    known();
    this.#sessions += 1;
    try {
      await this.#carry(ws, ref, session, said.clientVersion, call, either);
    } finally {
      this.#sessions -= 1;
    }
  }

  /** A session whose client has come, to its end. */
  async #carry(
    ws: WebSocket,
    ref: ClusterRef,
    session: ExecSessionRecord,
    clientVersion: string,
    call: Call,
    either: AbortSignal,
  ): Promise<void> {
    const { log } = this.#ports;
    const sessionId = session.id;
    const about = { session: sessionId, cluster: ref.cluster, task: session.taskId, container: session.containerName };
    const principal = session.principal.arn;
    let host: WebSocket | undefined;
    let recorder: Recorder | undefined;
    try {
      // Since it was asked for, a minute may have gone by.
      const why = await refusal(this.#ports, { ref, session, call }).catch((cause: unknown) => {
        // What is wrong with the store is not for clients.
        throw new Error(unknownRight, { cause });
      });
      if (why !== undefined) throw new Error(why);
      recorder = await this.#ports.record(ref, session, call);
      host = await this.meetings.wait(sessionId, session.instanceId, hostPatience, either);
      if (host === undefined) throw new Error('The host of the task did not come for the session; try again.');
    } catch (error) {
      log.warn({ ...about, principal, err: error }, 'a session did not begin');
      this.#refuse(ws, sessionId, error instanceof Error ? error.message : String(error));
      await recorder?.end();
      return;
    } finally {
      // A row that stays is nobody's soon; what has come for the session must not be left alone with it.
      const stays = (err: unknown): void => log.warn({ ...about, err }, 'the row of a session could not be removed');
      await this.waiting.remove(ref, sessionId).catch(stays);
    }
    log.info({ ...about, principal, sourceIp: call.sourceIp }, 'a session of ECS Exec began');
    try {
      await new Session(this.#ports, { ref, session, clientVersion, client: ws, host, call, recorder }).run(
        this.#stopped.signal,
      );
    } finally {
      host.terminate();
      log.info({ ...about, principal }, 'a session of ECS Exec ended');
    }
  }

  /** The first frame, which must be short and come soon; undefined when it does not. */
  async #first(ws: WebSocket, signal: AbortSignal): Promise<string | undefined> {
    let first: string | undefined;
    const listen = (wake: () => void): (() => void) => {
      const came = (data: RawData, isBinary: boolean): void => {
        // What follows belongs to the session.
        ws.pause();
        const bytes = data as Buffer;
        if (!isBinary && bytes.length <= opening.bytes) first = bytes.toString('utf8');
        wake();
      };
      ws.once('message', came);
      return () => ws.off('message', came);
    };
    await waitAtMost(opening.patience, listen, this.#ports.clock, signal);
    return first;
  }

  #refuse(ws: WebSocket, sessionId: string, output: string): void {
    if (ws.readyState === ws.OPEN) ws.send(closingFrame(this.#ports, sessionId, output));
    ws.close(1000);
  }
}

/** The session that an address names; undefined for one that no session has. */
function named(query: URLSearchParams): { readonly sessionId: string; readonly ref: ClusterRef } | undefined {
  const sessionId = query.get('session') ?? '';
  const [, account, cluster] = /^(\d{12})\/([\w-]{1,255})$/.exec(query.get('cluster') ?? '') ?? [];
  if (!sessionIdForm.test(sessionId) || account === undefined || cluster === undefined) return undefined;
  return { sessionId, ref: { account, cluster } };
}

/** What the frame that opens a channel says. */
function opened(text: string | undefined): { readonly tokenValue: string; readonly clientVersion: string } | undefined {
  if (text === undefined) return undefined;
  try {
    const { TokenValue, ClientVersion } = JSON.parse(text) as Record<string, unknown>;
    if (typeof TokenValue !== 'string') return undefined;
    return { tokenValue: TokenValue, clientVersion: typeof ClientVersion === 'string' ? ClientVersion : '' };
  } catch {
    return undefined;
  }
}
