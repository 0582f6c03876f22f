import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** How a call fails: an error of the other side, an answer that is none, a connection that ends before the answer or within it. */
export type Failure = (typeof failures)[number];
export const failures = ['refuses', 'answers rubbish', 'hangs up', 'hangs up midway'] as const;

/** The way to another HTTP server: calls and upgrades go through as they are, and fail on demand. */
export class FailingWay implements AsyncDisposable {
  /** Asked before every call: `METHOD /path`, or the AWS operation. */
  fail: (call: string) => Failure | undefined = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(to: string) {
    this.#server = createServer((asked, response) => {
      const failure = this.fail(callOf(asked));
      if (failure === undefined) forward(to, asked, response);
      else spoil(failure, asked, response);
    });
    this.#server.on('upgrade', (asked, socket, head) => {
      socket.on('error', () => undefined);
      this.#sockets.add(socket);
      const failure = this.fail(callOf(asked));
      if (failure !== undefined) socket.end(spoiled[failure]);
      else this.#join(to, asked, socket, head);
    });
  }

  /** @param to origin of the server behind it */
  static async open(to: string): Promise<FailingWay> {
    const way = new FailingWay(to);
    way.#server.listen(0, '127.0.0.1');
    await once(way.#server, 'listening');
    return way;
  }

  /** Origin to call instead. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(to: string, asked: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { hostname, port } = new URL(to);
    const beyond = connect(Number(port), hostname);
    this.#sockets.add(beyond);
    beyond.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.on('close', () => beyond.destroy());
    const lines = asked.rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`));
    beyond.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${lines.join('')}\r\n`);
    beyond.write(head);
    socket.pipe(beyond).pipe(socket);
  }
}

function callOf({ method, url = '', headers }: IncomingMessage): string {
  const target = headers['x-amz-target'];
  return typeof target === 'string' ? (target.split('.')[1] ?? '') : `${method} ${url.split('?')[0]}`;
}

function forward(to: string, asked: IncomingMessage, response: ServerResponse): void {
  const { method, headers, url } = asked;
  const beyond = request(`${to}${url}`, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.on('error', () => response.destroy()).pipe(response);
  });
  beyond.on('error', () => response.destroy());
  asked.on('error', () => beyond.destroy()).pipe(beyond);
}

function spoil(failure: Failure, asked: IncomingMessage, response: ServerResponse): void {
  asked.resume().on('error', () => undefined);
  response.on('error', () => undefined);
  switch (failure) {
    case 'refuses':
      response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"injected"}');
      break;
    case 'answers rubbish':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>not what was asked for');
      break;
    case 'hangs up':
      response.destroy();
      break;
    case 'hangs up midway':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"half":"of it', () => response.destroy());
  }
}

/** What upgrades are answered with before the connection ends. */
const spoiled: Readonly<Record<Failure, string>> = {
  refuses: 'HTTP/1.1 500 Internal Server Error\r\ncontent-length: 22\r\n\r\n{"message":"injected"}',
  'answers rubbish': '<html>not what was asked for',
  'hangs up': '',
  'hangs up midway': 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1000\r\n\r\n{"half',
};

/** Rejections that nobody handles, which end a server's process, from when it is made until it is disposed of. */
export class UnhandledRejections implements Disposable {
  readonly #seen: unknown[] = [];
  readonly #note = (reason: unknown): void => void this.#seen.push(reason);

  constructor() {
    process.on('unhandledRejection', this.#note);
  }

  /** What there was since the last time. Node tells of a rejection once the queue of promises is empty, so that is waited for. */
  async take(): Promise<unknown[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.#seen.splice(0);
  }

  [Symbol.dispose](): void {
    process.off('unhandledRejection', this.#note);
  }
}
