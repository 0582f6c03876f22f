import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { type copyFrame, copyLimits } from './copy.ts';
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
  /** Frames that did not get on their way yet. */
  #waiting = 0;
  #isFull = false;

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
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.emit('close'));
  }

  get readyState(): number {
    return this.#socket.closed ? this.CLOSED : this.#socket.writable ? this.OPEN : 2;
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#parse();
    if (!this.#isPaused) this.#socket.resume();
  }

  /** @param sent told when it is on its way, or never will be @returns whether there is room for more; else it is told with `drain` */
  say(text: ReturnType<typeof copyFrame>, sent?: () => void): boolean {
    return this.#write(kinds.text, text, sent);
  }

  /**
   * Sends more of an archive, whose memory is given back once it is on its way.
   * @param bytes at most {@link copyLimits.frameBytes}
   * @param sent told then, or when it never will be
   * @returns whether there is room for more; else it is told with `drain`
   */
  send(bytes: Buffer, sent?: () => void): boolean {
    return this.#write(kinds.archive, bytes, () => {
      giveBack(bytes);
      sent?.();
    });
  }

  /** Nothing more is said; what was, arrives. */
  close(): void {
    if (this.#socket.writable) this.#socket.end();
  }

  terminate(): void {
    this.#socket.destroy();
  }

  #write(kind: number, bytes: Buffer, sent?: () => void): boolean {
    const socket = this.#socket;
    if (!socket.writable) {
      sent?.();
      return true;
    }
    const head = Buffer.allocUnsafe(headBytes);
    head[0] = kind;
    head.writeUInt32BE(bytes.length, 1);
    this.#waiting += 1;
    socket.cork();
    socket.write(head);
    socket.write(bytes, () => {
      this.#waiting -= 1;
      sent?.();
      if (!this.#isFull || this.#waiting > copyLimits.waitingFrames / 2) return;
      this.#isFull = false;
      this.emit('drain');
    });
    socket.uncork();
    this.#isFull ||= this.#waiting >= copyLimits.waitingFrames || socket.writableLength >= copyLimits.waitingBytes;
    return !this.#isFull;
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
