import { connect, type Socket } from 'node:net';

/** What a request was answered with, without its body. */
export interface PlainAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body. */
  readonly size: number;
}

interface Waiting {
  readonly head: boolean;
  readonly resolve: (answer: PlainAnswer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A keep-alive HTTP/1.1 connection that does next to nothing: bodies are counted and thrown away in one recycled buffer. A
 * general client costs more than the servers that are measured with it, and shares their cores.
 */
export class PlainConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #waiting: Waiting | undefined;
  #head = '';
  #answer: PlainAnswer | undefined;
  #left = 0;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** @param origin `http://host:port` */
  static open(origin: string): Promise<PlainConnection> {
    const { hostname, port, host } = new URL(origin);
    return new Promise((resolve, reject) => {
      const made: { connection?: PlainConnection } = {};
      const socket = connect({
        host: hostname,
        port: Number(port),
        noDelay: true,
        onread: {
          buffer: Buffer.allocUnsafeSlow(256 * 1024),
          callback: (size, buffer) => {
            made.connection?.take(buffer as Buffer, size);
            return true;
          },
        },
      });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        made.connection = new PlainConnection(socket, host);
        resolve(made.connection);
      });
    });
  }

  /** One request and its answer; the next may follow when this one has resolved. */
  request(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: readonly Uint8Array[] = [],
  ): Promise<PlainAnswer> {
    const length = body.reduce((sum, part) => sum + part.byteLength, 0);
    let head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n`;
    for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
    if (method !== 'GET' && method !== 'HEAD') head += `content-length: ${length}\r\n`;
    return new Promise((resolve, reject) => {
      this.#waiting = { head: method === 'HEAD', resolve, reject };
      if (length > 0) this.#socket.cork();
      this.#socket.write(`${head}\r\n`, 'latin1');
      for (const part of body) this.#socket.write(part);
      if (length > 0) this.#socket.uncork();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  private take(buffer: Buffer, size: number): void {
    let at = 0;
    if (this.#answer === undefined) {
      this.#head += buffer.toString('latin1', 0, size);
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      at = size - (this.#head.length - end - 4);
      this.#answer = parseHead(this.#head.slice(0, end));
      this.#head = '';
      const bare = this.#waiting?.head === true || this.#answer.status === 204 || this.#answer.status === 304;
      this.#left = bare ? 0 : this.#answer.size;
    }
    this.#left -= size - at;
    if (this.#left > 0) return;
    const [answer, waiting] = [this.#answer, this.#waiting];
    this.#answer = undefined;
    this.#waiting = undefined;
    waiting?.resolve(answer);
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

function parseHead(text: string): PlainAnswer {
  const [first = '', ...lines] = text.split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  if (headers.has('transfer-encoding')) throw new Error('this client does not read chunked answers');
  return { status: Number(first.slice(9, 12)), headers, size: Number(headers.get('content-length') ?? 0) };
}
