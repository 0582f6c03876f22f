import { AwsError, ecs, send } from '../aws.ts';
import { type Bytes, type ExecClient, openExec } from './exec-client.js';

/** Which container, and what to run in it. */
export interface Target {
  readonly cluster: string;
  /** ARN or id. */
  readonly task: string;
  readonly container: string;
  readonly command: string;
}

export interface ConnectionPorts {
  readonly output: (bytes: Uint8Array) => void;
  /** Whether more of that can be taken; see {@link Connection.resume}. */
  readonly hasRoom: () => boolean;
  readonly ready: () => void;
  /** It is over. @param said why, where that is not usual @param code what the command ended with, where that is known */
  readonly ended: (said: string, code: number | undefined) => void;
}

/** How a connection ends with its session, as for `slipway exec`; after all else the session goes on over another one. */
const goodbyes: readonly number[] = [1000, 1005, 1008];
/** For how long another connection is tried for; the server waits as long. Milliseconds. */
const away = 30_000;

/**
 * One command in a container, as the server's data channel carries it. Rights are asked for by ExecuteCommand, with the caller's, and the
 * server looks again and again whether they still are; the token that it gives is good once.
 */
export class Connection {
  readonly #ports: ConnectionPorts;
  readonly #client: ExecClient;
  readonly #over = new AbortController();
  #socket: WebSocket | undefined;
  #session: { readonly id: string; readonly url: string } | undefined;
  #began = false;
  #code: number | undefined;

  private constructor(ports: ConnectionPorts) {
    this.#ports = ports;
    this.#client = openExec({
      send: (frame) => {
        if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(frame);
      },
      output: ports.output,
      hasRoom: ports.hasRoom,
      ready: () => {
        this.#began = true;
        ports.ready();
      },
      exited: (code) => {
        this.#code = code;
      },
      closed: (said) => this.#end(said),
    });
  }

  /** @throws AwsError with what ExecuteCommand is refused with */
  static async open(target: Target, ports: ConnectionPorts): Promise<Connection> {
    const { session } = await ecs('ExecuteCommand', { ...target, interactive: true });
    const connection = new Connection(ports);
    connection.#session = { id: session?.sessionId ?? '', url: ownAddress(session?.streamUrl ?? '') };
    await connection.#connect();
    connection.#client.run(session?.tokenValue ?? '', connection.#over.signal).then(
      (how) => how === 'silent' && connection.#end('The server does not answer any more.'),
      () => connection.#end('The connection broke.'),
    );
    return connection;
  }

  write(bytes: Bytes): void {
    this.#client.write(bytes);
  }

  resize(columns: number, rows: number): void {
    this.#client.resize(columns, rows);
  }

  /** More output can be taken again. */
  resume(): void {
    if (!this.#over.signal.aborted) this.#heed(() => this.#client.resume());
  }

  /** Ends the command; nothing is told any more. */
  close(): void {
    if (this.#over.signal.aborted) return;
    this.#client.terminate();
    this.#over.abort();
    // What is on its way leaves before the connection does.
    this.#socket?.close();
  }

  #connect(): Promise<void> {
    const socket = new WebSocket(this.#session?.url ?? '');
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      if (data instanceof ArrayBuffer && socket === this.#socket) this.#heed(() => this.#client.receive(data));
    });
    const opened = new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => {
        this.#socket = socket;
        resolve();
      });
      socket.addEventListener('close', ({ reason }) => {
        const why = reason === '' ? 'The data channel cannot be opened.' : reason;
        reject(new AwsError('ExecuteCommand', 'DataChannel', why, ''));
      });
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (socket !== this.#socket || this.#over.signal.aborted) return;
      if (goodbyes.includes(code) || !this.#began) this.#end(reason);
      else this.#goOn().catch((error: unknown) => this.#end((error as Error).message));
    });
    return opened;
  }

  /** The connection broke: another one, on which nothing is lost. @throws Error when there is none in time, or it is refused */
  async #goOn(): Promise<void> {
    const until = performance.now() + away;
    for (let wait = 100; !this.#over.signal.aborted; wait = Math.min(2 * wait, 2000)) {
      const input = { SessionId: this.#session?.id ?? '' };
      try {
        const { TokenValue = '' } = (await send('AmazonSSM.ResumeSession', input, {})) as { TokenValue?: string };
        if (TokenValue === '') return this.#end('');
        await this.#connect();
        this.#client.reopen(TokenValue);
        // Who has ended it meanwhile is heard only now.
        if (this.#over.signal.aborted) this.#socket?.close();
        return;
      } catch (error) {
        if ((error as { isRefusal?: boolean }).isRefusal === true || performance.now() > until) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** What is no message ends the session whenever it is read: what waited for room is read when there is some. */
  #heed(read: () => void): void {
    try {
      read();
    } catch (error) {
      this.#end((error as Error).message);
    }
  }

  #end(said: string): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#socket?.close();
    this.#ports.ended(this.#code === undefined && said === '' ? 'The session ended.' : said, this.#code);
  }
}

/** The data channel is this server's; under whichever of its names the page was opened, the page may speak with no other. */
function ownAddress(streamUrl: string): string {
  const { pathname, search } = new URL(streamUrl);
  return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}${pathname}${search}`;
}
