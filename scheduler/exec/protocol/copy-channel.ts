import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { type Duplex, finished, type Readable } from 'node:stream';

import { type copyFrame, copyLimits, framesOf } from './copy.ts';
import { giveBack } from './give-back.ts';

/** What the connections of a copy are upgraded to: a client's to a server, and a host's. */
export const copyProtocol = 'slipway-copy';

/** Each frame begins with what is in it, and its bytes as 32 bits, the greatest first. */
const headBytes = 5;
const kinds = { text: 0, archive: 1 } as const;

/** A connection that says nothing for so long is asked by the system whether its other end is there. Milliseconds. */
const silence = 15_000;

interface CopyEvents {
  /** A text whole; of an archive whatever has come: its frames have no meaning. A text of no bytes is what cannot be read. */
  readonly message: [bytes: Buffer, isArchive: boolean];
  /** More may be sent. */
  readonly drain: [];
  /** It is over, and all that came was told of; whoever pauses it hears of that no sooner than of the rest. */
  readonly close: [];
}

/**
 * One connection of a copy. WebSockets would have each frame put together in memory of its own before it goes on; here the pieces of an archive
 * go on in the memory that they came in, and give it back: they are not worth a collector's going through the heap of a server.
 */
export class CopyChannel extends EventEmitter<CopyEvents> {
  readonly OPEN = 1;
  readonly CLOSED = 3;
  readonly #socket: Duplex;
  /** What came while nobody read. */
  #left: Buffer = Buffer.alloc(0);
  #head: Buffer = Buffer.alloc(0);
  #text: Buffer[] = [];
  #kind: number = kinds.text;
  /** Bytes of the frame that are to come. */
  #toCome = 0;
  #isPaused = true;
  #isParsing = false;
  #isWrong = false;
  /** Its end was told of. */
  #isOver = false;
  /** Pieces that did not get on their way yet. */
  #waiting = 0;
  #isFull = false;
  /** Pieces of an archive for the next frame, and their bytes. */
  #gathered: (readonly [bytes: Buffer, sent: () => void])[] = [];
  #gatheredBytes = 0;

  /** It is paused at first. @param head what came with the upgrade */
  constructor(socket: Duplex, head: Buffer) {
    super();
    this.#socket = socket;
    this.#left = head;
    if (socket instanceof Socket) {
      // An upgraded connection may have had its request's limits.
      socket.setTimeout(0);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, silence);
    }
    socket.pause();
    socket.on('data', (bytes: Buffer) => {
      // Behind what cannot be read nothing has a meaning: kept, it would fill memory until the connection ends.
      if (this.#isWrong) return;
      this.#left = this.#left.length === 0 ? bytes : Buffer.concat([this.#left, bytes]);
      this.#parse();
    });
    socket.on('end', () => socket.end());
    socket.on('error', () => this.terminate());
    // A connection may end while what came last is still to be told of: a system tells of the end even to whoever reads no more.
    socket.once('close', () => this.#tellEnd());
  }

  get readyState(): number {
    return this.#socket.closed ? this.CLOSED : this.#socket.writable ? this.OPEN : 2;
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#parse();
    if (!this.#isPaused) this.#socket.resume();
    if (this.#socket.closed) this.#tellEnd();
  }

  /** @param sent told when it is on its way, or never will be @returns whether there is room for more; else it is told with `drain` */
  say(text: ReturnType<typeof copyFrame>, sent: () => void = () => undefined): boolean {
    this.#flush();
    this.#waiting += 1;
    this.#write(kinds.text, [[text, sent]]);
    return this.#hasRoom();
  }

  /**
   * Sends more of an archive, whose memory is given back once it is on its way.
   * @param bytes at most {@link copyLimits.frameBytes}
   * @param sent told then, or when it never will be
   * @returns whether there is room for more; else it is told with `drain`
   */
  send(bytes: Buffer, sent?: () => void): boolean {
    if (this.#gatheredBytes + bytes.length > copyLimits.frameBytes) this.#flush();
    // Pieces that come at once go in one frame: each frame costs a call of the system on every process of its way.
    if (this.#gathered.length === 0) process.nextTick(() => this.#flush());
    this.#waiting += 1;
    this.#gatheredBytes += bytes.length;
    this.#gathered.push([
      bytes,
      () => {
        giveBack(bytes);
        sent?.();
      },
    ]);
    return this.#hasRoom();
  }

  /**
   * Sends an archive as it is read, no faster than it is taken: read in turns, pieces would be put together in memory of their own.
   * @param signal resolves it before all is sent; what is not read then is left to the caller
   * @param sent told of the bytes of each piece that is on its way
   * @throws what the archive fails with
   */
  async sendAll(archive: Readable, signal: AbortSignal, sent: (bytes: number) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const more = (): void => {
      archive.resume();
    };
    const take = (bytes: Buffer): void => {
      for (const frame of framesOf(bytes)) {
        const { length } = frame;
        if (!this.send(frame, () => sent(length))) archive.pause();
      }
    };
    const stop = (): void => resolve();
    // It listens on afterwards, so that an error of what is left is nobody's end.
    finished(archive, { writable: false }, (error) => (error == null ? resolve() : reject(error)));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    else archive.on('data', take);
    this.on('drain', more);
    try {
      await promise;
    } finally {
      archive.off('data', take);
      this.off('drain', more);
      signal.removeEventListener('abort', stop);
    }
  }

  /** Nothing more is said; what was, arrives. */
  close(): void {
    this.#flush();
    if (this.#socket.writable) this.#socket.end();
  }

  terminate(): void {
    this.#left = Buffer.alloc(0);
    this.#socket.destroy();
    // It may have ended long ago, behind what nobody reads any more.
    if (this.#socket.closed) this.#tellEnd();
  }

  #tellEnd(): void {
    if (this.#isOver || this.#left.length > 0) return;
    this.#isOver = true;
    this.emit('close');
  }

  #hasRoom(): boolean {
    const bytes = this.#socket.writableLength + this.#gatheredBytes;
    this.#isFull ||= this.#waiting >= copyLimits.waitingFrames || bytes >= copyLimits.waitingBytes;
    return !this.#isFull;
  }

  /** Sends what was gathered. */
  #flush(): void {
    if (this.#gathered.length === 0) return;
    const pieces = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#write(kinds.archive, pieces);
  }

  #write(kind: number, pieces: readonly (readonly [bytes: Buffer, sent: () => void])[]): void {
    const socket = this.#socket;
    const gone = (sent: () => void): void => {
      this.#waiting -= 1;
      sent();
      if (!this.#isFull || this.#waiting > copyLimits.waitingFrames / 2) return;
      this.#isFull = false;
      this.emit('drain');
    };
    if (!socket.writable) {
      for (const [, sent] of pieces) gone(sent);
      return;
    }
    const head = Buffer.allocUnsafe(headBytes);
    head[0] = kind;
    head.writeUInt32BE(
      pieces.reduce((bytes, [piece]) => bytes + piece.length, 0),
      1,
    );
    socket.cork();
    socket.write(head);
    for (const [bytes, sent] of pieces) socket.write(bytes, () => gone(sent));
    socket.uncork();
  }

  /** Tells of what is there, until somebody pauses it. */
  #parse(): void {
    if (this.#isParsing) return;
    this.#isParsing = true;
    while (this.#left.length > 0 && !this.#isPaused && !this.#isWrong) {
      if (this.#toCome === 0) this.#begin();
      else this.#goOn(this.#next(this.#toCome));
    }
    this.#isParsing = false;
  }

  #next(most: number): Buffer {
    const bytes = this.#left.subarray(0, most);
    this.#left = this.#left.subarray(most);
    return bytes;
  }

  #begin(): void {
    const part = this.#next(headBytes - this.#head.length);
    this.#head = Buffer.concat([this.#head, part]);
    giveBack(part);
    if (this.#head.length < headBytes) return;
    this.#kind = this.#head[0] ?? kinds.text;
    this.#toCome = this.#head.readUInt32BE(1);
    this.#head = Buffer.alloc(0);
    const most =
      this.#kind === kinds.archive ? copyLimits.frameBytes : this.#kind === kinds.text ? copyLimits.textBytes : 0;
    if (this.#toCome > 0 && this.#toCome <= most) return;
    this.#isWrong = true;
    this.#left = Buffer.alloc(0);
    this.emit('message', Buffer.alloc(0), false);
  }

  #goOn(part: Buffer): void {
    this.#toCome -= part.length;
    if (this.#kind === kinds.archive) {
      this.emit('message', part, true);
      return;
    }
    this.#text.push(part);
    if (this.#toCome > 0) return;
    const parts = this.#text.splice(0);
    const text = Buffer.concat(parts);
    for (const each of parts) giveBack(each);
    this.emit('message', text, false);
  }
}

/**
 * Takes an upgrade that was let through.
 * @returns undefined for one to something else, which is answered
 */
export function acceptCopy(request: IncomingMessage, socket: Duplex, head: Buffer): CopyChannel | undefined {
  if (request.headers.upgrade?.toLowerCase() !== copyProtocol) {
    const message = `Copies are upgraded to ${copyProtocol}: this is another version of the server.`;
    const body = JSON.stringify({ __type: 'InvalidParameterException', message });
    socket.end(
      `HTTP/1.1 426 Upgrade Required\r\nUpgrade: ${copyProtocol}\r\nConnection: Upgrade, close\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      // Nobody reads it any more: one that is not closed from there would be kept for ever.
      () => socket.destroy(),
    );
    return undefined;
  }
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${copyProtocol}\r\nConnection: Upgrade\r\n\r\n`);
  return new CopyChannel(socket, head);
}
