import { posix } from 'node:path';
import { Readable } from 'node:stream';

import type { Log } from '@slipway/auth/contract';
import { type Clock, waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import {
  copyFrame,
  copyLimits,
  copyOrder,
  type CopyReport,
  type CopyStart,
  CopyTaken,
  CopyWindow,
  framesOf,
  parseCopyFrame,
} from '../../../exec/protocol/index.ts';
import { execEnded } from '../../wire/index.ts';
import type { ArchiveEngine } from './archives.ts';
import { watchServer } from './watch-server.ts';

/** How often it is looked whether the container of a copy runs still. Milliseconds. */
const look = 1_000;

export interface CopySessionPorts {
  readonly archives: ArchiveEngine;
  readonly clock: Clock;
  readonly log: Log;
  /** Why nothing is copied, if nothing is; asked again while a copy lasts. */
  readonly refusal: (start: CopyStart) => string | undefined;
}

/** One copy: an archive of a container's files on its way to a client, or a client's on its way into a container. It ends with its connection. */
export class CopySession {
  readonly #ws: WebSocket;
  readonly #ports: CopySessionPorts;
  readonly #ended = new AbortController();
  readonly #window = new CopyWindow();
  /** What came and the engine did not take yet. */
  readonly #input: Buffer[] = [];
  #waiting = 0;
  #inputEnded = false;
  #inputCame: () => void = () => undefined;
  #begun: Promise<void> | undefined;

  constructor(ws: WebSocket, ports: CopySessionPorts) {
    this.#ws = ws;
    this.#ports = ports;
  }

  /** Serves the copy until it ends. */
  async run(stopped: AbortSignal): Promise<void> {
    const ws = this.#ws;
    const stop = (): void => ws.close(1001, 'the agent is stopping');
    stopped.addEventListener('abort', stop, { once: true });
    const closed = new Promise<void>((resolve) => {
      ws.once('close', () => {
        this.#ended.abort();
        resolve();
      });
    });
    ws.on('message', (data, isBinary) => {
      if (isBinary) this.#take(data as Buffer);
      else this.#order(data as Buffer);
    });
    ws.resume();
    if (stopped.aborted) stop();
    await Promise.all([closed, watchServer(ws, this.#ports.clock, this.#ended.signal)]);
    stopped.removeEventListener('abort', stop);
    await this.#begun;
  }

  /** Ends the copy, as somebody asked for. */
  end(): void {
    this.#ws.close(execEnded, 'the copy was terminated');
  }

  #say(report: CopyReport): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(copyFrame(report));
  }

  #order(frame: Buffer): void {
    const order = parseCopyFrame(copyOrder, frame);
    switch (order?.type) {
      case undefined:
        this.#ws.close(1008, 'that is no part of a copy');
        return;
      case 'CopyStart':
        this.#begun ??= this.#copy(order.message).catch((error: unknown) => this.#refuse(error));
        return;
      case 'CopyInputEnd':
        this.#inputEnded = true;
        this.#inputCame();
        return;
      case 'CopyCredit':
        this.#window.grant(order.message.bytes);
    }
  }

  #take(bytes: Buffer): void {
    this.#waiting += bytes.length;
    const isTooMuch = this.#waiting > copyLimits.windowBytes || this.#input.length >= copyLimits.frames;
    if (isTooMuch || this.#inputEnded) {
      this.#ws.close(1008, 'that is more than there is room for');
      return;
    }
    this.#input.push(bytes);
    this.#inputCame();
  }

  #refuse(error: unknown): void {
    // What breaks off because the connection is gone is no news.
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    this.#ports.log.warn({ err: error }, 'files could not be copied');
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 1024);
    this.#say({ type: 'CopyRefused', message: { reason } });
  }

  async #copy(start: CopyStart): Promise<void> {
    const { refusal } = this.#ports;
    const why = refusal(start);
    if (why !== undefined) throw new Error(why);
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#ended.signal]);
    let ended: string | undefined;
    const watched = this.#watch(start, over.signal, (reason) => {
      ended = reason;
      over.abort();
    });
    try {
      await (start.direction === 'from' ? this.#from(start, signal) : this.#to(start, signal));
    } catch (error) {
      throw ended === undefined ? error : new Error(ended, { cause: error });
    } finally {
      over.abort();
      await watched;
    }
    if (ended !== undefined) throw new Error(ended);
    this.#say({ type: 'CopyEnd', message: {} });
  }

  /** The engine would go on with a container that has ended. */
  async #watch(start: CopyStart, over: AbortSignal, end: (reason: string) => void): Promise<void> {
    const { clock, refusal } = this.#ports;
    while (!over.aborted) {
      const why = refusal(start);
      if (why !== undefined) end(why);
      await clock.sleep(look, over).catch(() => undefined);
    }
  }

  async #from({ runtimeId, path }: CopyStart, signal: AbortSignal): Promise<void> {
    const { archives, clock } = this.#ports;
    const there = await archives.stat(runtimeId, path);
    if (there === undefined) throw new Error(`there is no ${path} in the container`);
    const archive = await archives.read(runtimeId, path, signal);
    this.#say({ type: 'CopyReady', message: { is: there.is === 'folder' ? 'folder' : 'other' } });
    for await (const bytes of archive)
      for (const frame of framesOf(bytes as Buffer)) {
        await this.#window.take(frame.length, clock, signal);
        if (signal.aborted) return;
        this.#ws.send(frame);
      }
  }

  /** Into a folder, or under the name that the path ends with: as `docker cp` has it. */
  async #to({ runtimeId, path }: CopyStart, signal: AbortSignal): Promise<void> {
    const { archives } = this.#ports;
    let to = path;
    let there = await archives.stat(runtimeId, to);
    if (there?.is === 'link') {
      to = posix.resolve(posix.dirname(to), there.leads);
      there = await archives.stat(runtimeId, to);
    }
    const isFolder = there?.is === 'folder';
    const name = posix.basename(to);
    if (!isFolder && (/\/\.?$/.test(path) || ['', '.', '..'].includes(name)))
      throw new Error(`there is no folder ${path} in the container`);
    const folder = isFolder ? to : posix.dirname(to);
    if (!isFolder && (await archives.stat(runtimeId, folder)) === undefined)
      throw new Error(`there is no folder ${folder} in the container`);
    const is = there === undefined ? 'nothing' : isFolder ? 'folder' : 'other';
    this.#say({ type: 'CopyReady', message: isFolder ? { is } : { is, name } });
    const archive = Readable.from(this.#archive(signal), {
      objectMode: false,
      highWaterMark: copyLimits.frameBytes,
    });
    // What is cut off is told by the engine, which was not told that it had all of it.
    archive.on('error', () => undefined);
    await archives.write(runtimeId, folder, archive, signal);
  }

  async *#archive(signal: AbortSignal): AsyncGenerator<Buffer> {
    const { clock } = this.#ports;
    const taken = new CopyTaken((bytes) => this.#say({ type: 'CopyCredit', message: { bytes } }));
    while (true) {
      const next = this.#input.shift();
      if (next !== undefined) {
        yield next;
        this.#waiting -= next.length;
        taken.add(next.length);
        continue;
      }
      if (signal.aborted) throw new Error('the copy broke off');
      if (this.#inputEnded) return;
      await waitAtMost(Infinity, (wake) => void (this.#inputCame = wake), clock, signal);
    }
  }
}
