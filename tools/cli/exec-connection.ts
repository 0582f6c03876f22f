import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ECSClient, ExecuteCommandCommand, type Session } from '@aws-sdk/client-ecs';
import { ExecClient, joinCommand, maskTo } from '@slipway/scheduler/exec/protocol';
import { systemClock, waitAtMost } from '@slipway/storage/clock';
import { WebSocket } from 'ws';
import { CliError } from './errors.ts';
import type { ExecTarget } from './exec-target.ts';
import { callJson } from './json-api.ts';
import { ApiError } from './query-api.ts';

/** What docker exits with when the command could not be run, or it is not known how it ended. */
export const notRun = 125;
/**
 * How a connection ends with its session: on purpose, without a status, or against the rules (RFC 6455, section 7.4.1). After all else, and where
 * nobody said goodbye, the session goes on: a server that stops or is in trouble may not be the one that has it.
 */
const goodbyes: readonly number[] = [1000, 1005, 1008];
/** For how long another one is tried for; a server waits as long. Milliseconds. */
const away = 30_000;

export interface ConnectionPorts {
  readonly output: (bytes: Buffer, stream: 'stdout' | 'stderr') => void;
  /** Whether more output can be taken; see {@link ExecConnection.resume}. */
  readonly hasRoom: () => boolean;
}

/** One command in a container: its streams and its end. */
export class ExecConnection {
  #ws: WebSocket;
  readonly #sessionId: string;
  readonly #streamUrl: string;
  readonly #client: ExecClient;
  readonly #over = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<number>();
  #drained: () => void = () => undefined;
  #code: number | undefined;

  private constructor({ sessionId = '', streamUrl = '', tokenValue = '' }: Session, ports: ConnectionPorts) {
    this.#sessionId = sessionId;
    this.#streamUrl = streamUrl;
    this.#ended.promise.catch(() => undefined);
    this.#ready.promise.catch(() => undefined);
    this.#client = new ExecClient({
      clock: systemClock,
      random: randomBytes,
      socket: {
        send: (frame) => {
          if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(frame);
        },
      },
      ...ports,
      ready: () => this.#ready.resolve(),
      drained: () => this.#drained(),
      exited: (code) => (this.#code = code),
      closed: (said) => this.#end(said),
    });
    let began = false;
    this.#ready.promise.then(
      () => (began = true),
      () => undefined,
    );
    const ws = this.#connect();
    ws.on('open', () => {
      this.#client.run(tokenValue, this.#over.signal).then(
        (how) => how === 'silent' && this.#end('the server does not answer any more'),
        () => this.#end('the connection broke'),
      );
    });
    ws.on('error', (error) => {
      if (!began) this.#end(error.message);
    });
    const closed = (status: number, reason: Buffer): void => {
      if (goodbyes.includes(status) || !began) this.#end(reason.toString());
      else this.#goOn(closed).catch((error: unknown) => this.#end((error as Error).message));
    };
    ws.on('close', closed);
    this.#ws = ws;
  }

  #connect(): WebSocket {
    const generateMask = maskTo(new URL(this.#streamUrl));
    const ws = new WebSocket(this.#streamUrl, {
      perMessageDeflate: false,
      handshakeTimeout: 15_000,
      ...(generateMask === undefined ? {} : { generateMask }),
    });
    ws.on('error', () => ws.terminate());
    ws.on('message', (data, isBinary) => {
      try {
        if (isBinary && ws === this.#ws) this.#client.receive(data as Buffer);
      } catch (error) {
        this.#end((error as Error).message);
      }
    });
    return ws;
  }

  /**
   * The connection broke: opens another one, on which nothing is lost or comes twice.
   * @throws Error when nobody answers for so long that the session is over, and what the server refuses it with
   */
  async #goOn(closed: (status: number, reason: Buffer) => void): Promise<void> {
    const { signal } = this.#over;
    const until = performance.now() + away;
    for (let wait = 50; !signal.aborted; wait = Math.min(2 * wait, 2_000)) {
      try {
        const { TokenValue = '' } = await callJson<{ TokenValue?: string }>(
          'ssm',
          'ResumeSession',
          { SessionId: this.#sessionId },
          AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
        );
        if (TokenValue === '') throw new CliError('the session is over', notRun);
        const ws = this.#connect();
        await once(ws, 'open', { signal });
        this.#ws = ws;
        ws.on('close', closed);
        this.#client.reopen(TokenValue);
        return;
      } catch (error) {
        // Whoever does not answer, or is in trouble, may be there the next time.
        if (error instanceof ApiError ? error.code === 'AccessDeniedException' : error instanceof CliError) throw error;
        if (performance.now() > until)
          throw new CliError(`the connection broke, and there is no other one: ${(error as Error).message}`, notRun);
      }
      await systemClock.sleep(wait, signal).catch(() => undefined);
    }
  }

  /** Asks for a session, and opens it; resolves when the command is about to run. @throws CliError, and what ExecuteCommand answers */
  static async open(
    client: ECSClient,
    target: ExecTarget,
    words: readonly string[],
    interactive: boolean,
    ports: ConnectionPorts,
  ): Promise<ExecConnection> {
    const { session } = await client.send(
      new ExecuteCommandCommand({ ...target, command: joinCommand(words), interactive }),
    );
    const connection = new ExecConnection(session ?? {}, ports);
    await Promise.race([connection.#ready.promise, connection.#ended.promise]);
    return connection;
  }

  /** The exit code of the command. @throws CliError when it is not known, with what the server says of that */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  /** Resolves when more may be written, or nothing needs to be any more. */
  async write(bytes: Buffer): Promise<void> {
    this.#client.write(bytes);
    const { signal } = this.#over;
    while (!this.#client.hasRoom && !signal.aborted)
      await waitAtMost(Infinity, (wake) => void (this.#drained = wake), systemClock, signal);
  }

  endInput(): void {
    this.#client.end();
  }

  resize(cols: number, rows: number): void {
    this.#client.resize(cols, rows);
  }

  /** More output can be taken again. */
  resume(): void {
    this.#client.resume();
  }

  /** Ends the command. */
  terminate(): void {
    this.#client.terminate();
  }

  #end(said: string): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#ws.close();
    if (this.#code === undefined) {
      const error = new CliError(said === '' ? 'the session ended before the command did' : said, notRun);
      this.#ready.reject(error);
      this.#ended.reject(error);
    } else this.#ended.resolve(this.#code);
  }
}
