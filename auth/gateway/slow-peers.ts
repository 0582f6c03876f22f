import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Watched {
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** The request that was under way, and what had come, at the last look. */
  seen: IncomingMessage | undefined;
  bytes: number;
}

/**
 * Closes connections of peers that keep us waiting: a body below a least rate, a body or an answer that stands still, and,
 * when there are too many, the one that has been idle for longest, so that nobody shuts others out by holding connections.
 * A slow upload that makes progress lives as long as it needs (there is no limit on a request's whole time), and nobody
 * is cut while it is us who are slow.
 */
export class SlowPeers {
  /** The connection whose last request began longest ago comes first. */
  readonly #watched = new Map<Socket, Watched>();
  readonly #most: number;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param stallMs silence until the end; the least rate is taken over half of it
   * @param most connections; a further one takes the place of an idle one, or is closed when all are at work
   */
  constructor(server: Server, secure: boolean, stallMs: number, bytesPerSecond: number, most: number) {
    this.#most = most;
    server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => this.#watch(socket));
    server.setTimeout(stallMs, (socket) => this.#silent(socket));
    const interval = stallMs / 2;
    this.#timer = setInterval(() => this.#sweep((bytesPerSecond * interval) / 1000), interval).unref();
  }

  /** A request begins on its connection. */
  begin(request: IncomingMessage, response: ServerResponse): void {
    const watched = this.#watched.get(request.socket);
    if (watched === undefined) return;
    watched.request = request;
    watched.response = response;
    this.#watched.delete(request.socket);
    this.#watched.set(request.socket, watched);
  }

  /** The connection is no longer HTTP. */
  release(socket: Socket): void {
    this.#watched.delete(socket);
    socket.setTimeout(0);
  }

  /** Whether a request of this connection is not answered yet. */
  isBusy(socket: Socket): boolean {
    const { response } = this.#watched.get(socket) ?? {};
    return response !== undefined && !response.writableFinished;
  }

  get connections(): number {
    return this.#watched.size;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #watch(socket: Socket): void {
    if (this.#watched.size >= this.#most && !this.#closeIdle()) {
      socket.destroy();
      return;
    }
    this.#watched.set(socket, { request: undefined, response: undefined, seen: undefined, bytes: 0 });
    socket.once('close', () => this.#watched.delete(socket));
  }

  /** @returns false when no connection is idle */
  #closeIdle(): boolean {
    for (const [socket, { request, response }] of this.#watched) {
      if (request === undefined || (response?.writableFinished === true && request.complete)) {
        this.#watched.delete(socket);
        socket.destroy();
        return true;
      }
    }
    return false;
  }

  #silent(socket: Socket): void {
    const watched = this.#watched.get(socket);
    const { request, response } = watched ?? {};
    if (request === undefined || response === undefined || response.writableFinished) {
      socket.destroy();
      return;
    }
    // Neither waiting for the client's bytes nor for it to read ours: we are still at work.
    if (waitsForBody(request) || socket.writableLength > 0) socket.destroy();
  }

  #sweep(leastBytes: number): void {
    for (const [socket, watched] of this.#watched) {
      const { request } = watched;
      const waiting = request !== undefined && waitsForBody(request);
      if (waiting && watched.seen === request && socket.bytesRead - watched.bytes < leastBytes) {
        socket.destroy();
        continue;
      }
      watched.seen = waiting ? request : undefined;
      watched.bytes = socket.bytesRead;
    }
  }
}

/** Whether more of the body is to come and we would take it. */
const waitsForBody = (request: IncomingMessage): boolean =>
  !request.complete && !request.destroyed && request.readableLength < request.readableHighWaterMark;
