import { randomBytes } from 'node:crypto';
import { type ECSClient, ExecuteCommandCommand } from '@aws-sdk/client-ecs';
import { ExecClient, joinCommand } from '@slipway/scheduler/exec/protocol';
import { systemClock, waitAtMost } from '@slipway/storage/clock';
import { WebSocket } from 'ws';
import { CliError } from './errors.ts';
import type { ExecTarget } from './exec-target.ts';

/** What docker exits with when the command could not be run, or it is not known how it ended. */
export const notRun = 125;

export interface ConnectionPorts {
  readonly output: (bytes: Buffer, stream: 'stdout' | 'stderr') => void;
  /** Whether more output can be taken; see {@link ExecConnection.resume}. */
  readonly hasRoom: () => boolean;
}

/** One command in a container: its streams and its end. */
export class ExecConnection {
  readonly #ws: WebSocket;
  readonly #client: ExecClient;
  readonly #over = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<number>();
  #drained: () => void = () => undefined;
  #code: number | undefined;

  private constructor(streamUrl: string, tokenValue: string, ports: ConnectionPorts) {
    const ws = new WebSocket(streamUrl, { perMessageDeflate: false, handshakeTimeout: 15_000 });
    this.#ws = ws;
    this.#ended.promise.catch(() => undefined);
    this.#ready.promise.catch(() => undefined);
    this.#client = new ExecClient({
      clock: systemClock,
      random: randomBytes,
      socket: {
        send: (frame) => {
          if (ws.readyState === ws.OPEN) ws.send(frame);
        },
      },
      ...ports,
      ready: () => this.#ready.resolve(),
      drained: () => this.#drained(),
      exited: (code) => (this.#code = code),
      closed: (said) => this.#end(said),
    });
    ws.on('open', () => {
      this.#client.run(tokenValue, this.#over.signal).then(
        (how) => how === 'silent' && this.#end('the server does not answer any more'),
        () => this.#end('the connection broke'),
      );
    });
    ws.on('message', (data, isBinary) => {
      try {
        if (isBinary) this.#client.receive(data as Buffer);
      } catch (error) {
        this.#end((error as Error).message);
      }
    });
    ws.on('error', (error) => this.#end(error.message));
    ws.on('close', (_status, reason) => this.#end(reason.toString()));
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
    const connection = new ExecConnection(session?.streamUrl ?? '', session?.tokenValue ?? '', ports);
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
