import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { AwsError, type Call, type UpgradeService } from '@slipway/auth/contract';
import { settling, waitAtMost } from '@slipway/storage/clock';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';

import type { ClusterRef, EcsPorts } from '../../cluster/index.ts';

import { mostFrame } from '../protocol/index.ts';
import { CopyFront } from './copies.ts';
import { leaveOpen } from './leave-open.ts';
import { Meetings } from './meeting.ts';
import { RunningSessions } from './running.ts';
import { refuse, ServedSessions, type ServedPorts } from './served.ts';
import { sessionIdForm, WaitingSessions } from './store.ts';
import { Strangers } from './strangers.ts';

/** Where clients open the data channels of their sessions. */
const dataChannelPath = '/exec/ws';

/** Bytes of the first frame, which has the token; and milliseconds until it must be there. */
const opening = { bytes: 4096, patience: 10_000 } as const;
/** Milliseconds that a client has to take what it is told last. */
const lastWords = 2_000;
/** What a client is told whose token opens nothing. */
const badToken = 'The token is not good, not any more, or was used: run the command again.';
/** Sessions that one process carries. */
const mostSessions = 512;

export interface ExecFrontPorts extends EcsPorts, ServedPorts {}

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
  readonly running: RunningSessions;
  readonly copies: CopyFront;
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
  readonly #served: ServedSessions;
  readonly #serving = new Set<Promise<void>>();
  #sessions = 0;
  readonly #stopped = new AbortController();

  constructor(ports: ExecFrontPorts) {
    this.#ports = ports;
    this.#strangers = new Strangers(ports.clock);
    this.meetings = new Meetings(ports.clock);
    this.waiting = new WaitingSessions(ports);
    this.running = new RunningSessions(ports);
    this.#served = new ServedSessions(ports, this);
    this.copies = new CopyFront(ports, this);
    this.upgrade = {
      path: dataChannelPath,
      service: 'ecs',
      access: 'proof',
      check: (query, call) => this.#check(query, call),
      accept: (...opening) => this.#accept(...opening),
      close: () => this.close(),
    };
  }

  /** Ends every session and every copy. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([...this.#serving, this.copies.close()]);
  }

  #check(query: URLSearchParams, { sourceIp }: Call): void {
    if (named(query) === undefined)
      throw new AwsError('AccessDeniedException', 'Sessions are opened at the streamUrl of ExecuteCommand.', {
        status: 403,
      });
    if (this.#isFull() || !this.#strangers.admits(sourceIp))
      throw new AwsError('ThrottlingException', 'Too many sessions are being opened.', { status: 429 });
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer, call: Call, query: URLSearchParams): void {
    const { clock, log } = this.#ports;
    const session = named(query);
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
        .then(() => leaveOpen(ws, 1011, (closed) => waitAtMost(lastWords, settling(closed), clock)))
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

  #isFull(): boolean {
    return this.#stopped.signal.aborted || this.#sessions >= mostSessions;
  }

  async #serve(ws: WebSocket, ref: ClusterRef, sessionId: string, call: Call, known: () => void): Promise<void> {
    const gone = new AbortController();
    ws.once('close', () => gone.abort());
    ws.on('error', () => ws.terminate());
    const either = AbortSignal.any([gone.signal, this.#stopped.signal]);
    const { first, release } = await this.#first(ws, either);
    const said = opened(first);
    const isHere = this.meetings.has(sessionId);
    const session = said && (await this.waiting.open(ref, sessionId, said.tokenValue, isHere));
    if (said === undefined) {
      ws.close(1008, 'the first frame has no token');
      return;
    }
    if (session === undefined) {
      // Told as the end of a session: after any other end the plug-in waits for one for ever.
      refuse(this.#ports, ws, sessionId, badToken);
      return;
    }
    known();
    this.#sessions += 1;
    try {
      const came = { ws, ref, session, clientVersion: said.clientVersion, call, release };
      if (isHere) await this.#served.again(came);
      else if (session.aliveAt !== undefined) await this.#served.carry(came, either);
      else await this.#served.serve(came, either, this.#stopped.signal);
    } finally {
      this.#sessions -= 1;
    }
  }

  /**
   * The first frame, which must be short and come soon; undefined when it does not. What has come with it belongs to the session: `release`
   * hands it to whoever listens by then.
   */
  async #first(
    ws: WebSocket,
    signal: AbortSignal,
  ): Promise<{ readonly first: string | undefined; readonly release: () => void }> {
    let first: string | undefined;
    const more: [data: RawData, isBinary: boolean][] = [];
    const hold = (...message: [RawData, boolean]): void => void more.push(message);
    const listen = (wake: () => void): (() => void) => {
      const came = (data: RawData, isBinary: boolean): void => {
        // Of what is read of the connection already, the rest comes all the same.
        ws.pause();
        ws.on('message', hold);
        const bytes = data as Buffer;
        if (!isBinary && bytes.length <= opening.bytes) first = bytes.toString('utf8');
        wake();
      };
      ws.once('message', came);
      return () => ws.off('message', came);
    };
    await waitAtMost(opening.patience, listen, this.#ports.clock, signal);
    const release = (): void => {
      ws.off('message', hold);
      for (const [data, isBinary] of more.splice(0)) ws.emit('message', data, isBinary);
    };
    return { first, release };
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
