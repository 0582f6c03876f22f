import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Place, Recency } from './recency.ts';

interface Watched {
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** The request that was under way, and what had come, at the last look. */
  seen: IncomingMessage | undefined;
  bytes: number;
  readonly address: string;
  /** Among all connections, and among those of its address. */
  readonly place: Place<Socket>;
  readonly placeOfAddress: Place<Socket>;
  readonly ofAddress: Recency<Socket>;
}

/** How many connections there may be. */
export interface ConnectionLimits {
  /** Altogether; a further one takes the place of an idle one, or is closed when all are at work. */
  readonly connections: number;
  /** Of one address, in the same way. */
  readonly connectionsPerAddress: number;
  /** Whether an address stands for many clients, as a proxy's does. */
  readonly isShared: (address: string) => boolean;
}

/**
 * Closes connections of peers that keep us waiting: a body below a least rate, a body or an answer that stands still, and,
 * when there are too many, the one that has been idle for longest, so that nobody shuts others out by holding connections.
 * A slow upload that makes progress lives as long as it needs (there is no limit on a request's whole time), and nobody
 * is cut while it is us who are slow.
 */
export class SlowPeers {
  readonly #watched = new Map<Socket, Watched>();
  /** The connection whose last request began longest ago comes first. */
  readonly #all = new Recency<Socket>();
  /** The same by address. */
  readonly #ofAddress = new Map<string, Recency<Socket>>();
  readonly #limits: ConnectionLimits;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param stallMs silence until the end; the least rate is taken over half of it
   */
  constructor(server: Server, secure: boolean, stallMs: number, bytesPerSecond: number, limits: ConnectionLimits) {
    this.#limits = limits;
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
    this.#all.use(watched.place);
    watched.ofAddress.use(watched.placeOfAddress);
  }

  /** The connection is no longer HTTP. */
  release(socket: Socket): void {
    this.#forget(socket);
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
    const { connections, connectionsPerAddress, isShared } = this.#limits;
    const address = socket.remoteAddress ?? '';
    const ofAddress = this.#ofAddress.get(address);
    const tooMany = ofAddress !== undefined && ofAddress.size >= connectionsPerAddress && !isShared(address);
    if (
      (tooMany && !this.#closeIdle(ofAddress)) ||
      (this.#watched.size >= connections && !this.#closeIdle(this.#all))
    ) {
      socket.destroy();
      return;
    }
    this.#remember(socket, address);
    socket.once('close', () => this.#forget(socket));
  }

  #remember(socket: Socket, address: string): void {
    let ofAddress = this.#ofAddress.get(address);
    if (ofAddress === undefined) this.#ofAddress.set(address, (ofAddress = new Recency()));
    const [place, placeOfAddress] = [new Place(socket), new Place(socket)];
    this.#all.add(place);
    ofAddress.add(placeOfAddress);
    const none = { request: undefined, response: undefined, seen: undefined, bytes: 0 };
    this.#watched.set(socket, { ...none, address, place, placeOfAddress, ofAddress });
  }

  #forget(socket: Socket): void {
    const watched = this.#watched.get(socket);
    if (watched === undefined) return;
    const { address, place, placeOfAddress, ofAddress } = watched;
    this.#watched.delete(socket);
    this.#all.remove(place);
    ofAddress.remove(placeOfAddress);
    if (ofAddress.size === 0) this.#ofAddress.delete(address);
  }

  /** Closes the one that has been idle for longest. @returns false when none is idle */
  #closeIdle(among: Iterable<Socket>): boolean {
    for (const socket of among) {
      const { request, response } = this.#watched.get(socket) ?? {};
      if (request === undefined || (response?.writableFinished === true && request.complete)) {
        this.#forget(socket);
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
