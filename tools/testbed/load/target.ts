import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/**
 * A server that stands behind a load balancer while load is on it: answers with proof of who it is and of what it got, and tells a witness
 * each request before it answers it. Uses nothing but Node, so that the file alone runs in a container:
 * `node target.ts SERVICE PORT [WITNESS_HOST:PORT] [BEHAVIOUR as JSON]`.
 */
export interface Behaviour {
  /** What SIGTERM does. `abrupt`: the process is gone at once; `graceful`: what was asked is answered first; `deaf`: nothing. Default graceful. */
  readonly onTerm?: 'abrupt' | 'graceful' | 'deaf';
  /** Milliseconds after which an idle connection is closed. Default 60,000. */
  readonly keepAlive?: number;
  /** Ends every connection with its answer. */
  readonly closes?: boolean;
  /** Milliseconds added to every answer. */
  readonly slow?: number;
  /** Of so many requests one is answered with half a body, and its connection reset. */
  readonly crashEvery?: number;
}

/** One line to the witness for each request: its service, its id and its method. */
export const witnessLine = (service: string, id: string, method: string): string => `${service} ${id} ${method}\n`;

export interface RunningTarget extends AsyncDisposable {
  readonly service: string;
  readonly address: string;
  readonly port: number;
  /** Ends at once, with all its connections reset: what a killed process looks like. */
  kill(): Promise<void>;
  /** Closes idle connections, and the others with their answers. */
  drain(): Promise<void>;
}

/** Starts a target in this process. `port` 0: any. */
export async function startTarget(
  service: string,
  given: {
    readonly address?: string;
    readonly port?: number;
    readonly witness?: string | undefined;
    readonly behaviour?: Behaviour;
  } = {},
): Promise<RunningTarget> {
  const { address = '127.0.0.1', port = 0, behaviour = {} } = given;
  const witness = given.witness === undefined ? undefined : await reach(given.witness);
  const sockets = new Set<Socket>();
  const server = serve(service, behaviour, (line) => witness?.write(line));
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
  const end = async (): Promise<void> => {
    if (server.listening) {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    }
    witness?.end();
  };
  return {
    service,
    address,
    port: (server.address() as AddressInfo).port,
    kill: end,
    async drain() {
      await new Promise((resolve) => server.close(resolve));
      witness?.end();
    },
    [Symbol.asyncDispose]: end,
  };
}

async function reach(witness: string): Promise<Socket> {
  const at = witness.lastIndexOf(':');
  const socket = connect({ host: witness.slice(0, at), port: Number(witness.slice(at + 1)), noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  return socket;
}

function serve(service: string, behaviour: Behaviour, tell: (line: string) => void): Server {
  let count = 0;
  const server = createServer({ keepAliveTimeout: behaviour.keepAlive ?? 60_000, requestTimeout: 0 });
  // The server's own extra second would hide the moment at which it closes.
  server.keepAliveTimeoutBuffer = 0;
  server.on('request', (request, response) => {
    const { id, size, delay, events, every } = readRequest(request);
    // Whoever asks for health is not of the load.
    if (id !== '') tell(witnessLine(service, id, request.method ?? ''));
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const hash = createHash('sha1');
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      hash.update(chunk);
    });
    request.on('end', () => {
      const trailers = request.rawTrailers.length;
      const answer = (): void => {
        response.setHeader('x-target', service);
        response.setHeader('x-id', id);
        response.setHeader('x-length', length);
        response.setHeader('x-digest', hash.digest('hex'));
        response.setHeader('x-trailers', trailers);
        if (behaviour.closes === true) response.setHeader('connection', 'close');
        if (events > 0) return stream(response, id, events, every);
        const body = Buffer.alloc(size, id);
        response.setHeader('content-length', size);
        count++;
        if (behaviour.crashEvery !== undefined && count % behaviour.crashEvery === 0) {
          response.write(body.subarray(0, size >> 1), () => request.socket.resetAndDestroy());
          return;
        }
        response.end(body);
      };
      const wait = delay + (behaviour.slow ?? 0);
      if (wait === 0) answer();
      else setTimeout(answer, wait);
    });
  });
  // Any other protocol: bytes come back as they went.
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    tell(witnessLine(service, readRequest(request).id, request.method ?? ''));
    socket.on('error', () => socket.destroy());
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nx-target: ${service}\r\n\r\n`,
    );
    socket.write(head);
    socket.pipe(socket);
  });
  return server;
}

/** What a request of the load asks for: `/?size=BYTES&delay=MS&events=COUNT&every=MS`, and its id. */
function readRequest(request: IncomingMessage): {
  readonly id: string;
  readonly size: number;
  readonly delay: number;
  readonly events: number;
  readonly every: number;
} {
  const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
  const number = (name: string, most: number): number => Math.min(most, Math.max(0, Number(query.get(name)) || 0));
  return {
    id: String(request.headers['x-request-id'] ?? ''),
    size: number('size', 64 << 20),
    delay: number('delay', 60_000),
    events: number('events', 1000),
    every: number('every', 10_000),
  };
}

/** The text of an event; a client knows what must come. */
export const eventOf = (id: string, place: number): string => `data: ${id} ${place}\n\n`;

function stream(response: ServerResponse, id: string, events: number, every: number): void {
  response.setHeader('content-type', 'text/event-stream');
  let place = 0;
  const next = (): void => {
    response.write(eventOf(id, place++));
    if (place < events) setTimeout(next, every);
    else response.end();
  };
  next();
}

if (import.meta.main) {
  const [service = 'target', port = '8080', witness = '', behaviour = '{}'] = process.argv.slice(2);
  const told = JSON.parse(behaviour) as Behaviour;
  const target = await startTarget(service, {
    address: '0.0.0.0',
    port: Number(port),
    witness: witness === '' ? undefined : witness,
    behaviour: told,
  });
  process.on('SIGTERM', () => {
    switch (told.onTerm ?? 'graceful') {
      case 'deaf':
        return;
      case 'abrupt':
        process.exit(0);
        break;
      case 'graceful':
        void target.drain().then(() => process.exit(0));
    }
  });
}
