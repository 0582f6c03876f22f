import { posix } from 'node:path';
import { Readable } from 'node:stream';

import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

import {
  type CopyChannel,
  copyFrame,
  copyLimits,
  copyOrder,
  type CopyReport,
  type CopyStart,
  parseCopyFrame,
} from '../../../exec/protocol/index.ts';
import type { ArchiveEngine } from './archives.ts';

/** Times in milliseconds. */
const timing = {
  /** How often it is looked whether the container of a copy runs still. */
  look: 1_000,
  /** A connection on which nothing moves for so long has no server any more: one that is there ends it a minute earlier. */
  idle: 6 * 60_000,
} as const;

export interface CopySessionPorts {
  readonly archives: ArchiveEngine;
  readonly clock: Clock;
  readonly log: Log;
  /** Why nothing is copied, if nothing is; asked again while a copy lasts. */
  readonly refusal: (start: CopyStart) => string | undefined;
}

/** One copy: an archive of a container's files on its way to a client, or a client's on its way into a container. It ends with its connection. */
export class CopySession {
  readonly #channel: CopyChannel;
  readonly #ports: CopySessionPorts;
  readonly #ended = new AbortController();
  /** What comes, and the engine did not take yet. */
  readonly #input: Readable;
  #inputEnded = false;
  /** All was said: what comes now is for nobody, and how the connection ends must be seen. */
  #isOver = false;
  #moved: number;
  #begun: Promise<void> | undefined;

  constructor(channel: CopyChannel, ports: CopySessionPorts) {
    this.#channel = channel;
    this.#ports = ports;
    this.#moved = ports.clock.monotonic();
    this.#input = new Readable({ highWaterMark: copyLimits.frameBytes, read: () => channel.resume() });
    // What is cut off is told by the engine, which was not told that it had all of it.
    this.#input.on('error', () => undefined);
  }

  /** Serves the copy until it ends. */
  async run(stopped: AbortSignal): Promise<void> {
    const channel = this.#channel;
    const stop = (): void => channel.terminate();
    stopped.addEventListener('abort', stop, { once: true });
    const closed = new Promise<void>((resolve) => {
      channel.once('close', () => {
        this.#ended.abort();
        resolve();
      });
    });
    channel.on('message', (bytes, isArchive) => {
      if (isArchive) this.#take(bytes);
      else this.#order(bytes);
    });
    channel.resume();
    if (stopped.aborted) stop();
    await Promise.all([closed, this.#watchServer()]);
    stopped.removeEventListener('abort', stop);
    await this.#begun;
  }

  /** Ends the copy, as somebody asked for. */
  end(): void {
    this.#last({ type: 'CopyRefused', message: { reason: 'The copy was terminated.' } });
    this.#channel.close();
  }

  async #watchServer(): Promise<void> {
    const { clock } = this.#ports;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      if (clock.monotonic() - this.#moved > timing.idle) this.#channel.terminate();
      await clock.sleep(timing.idle / 8, signal).catch(() => undefined);
    }
  }

  #move(): void {
    this.#moved = this.#ports.clock.monotonic();
  }

  #say(report: CopyReport): void {
    this.#channel.say(copyFrame(report));
  }

  #last(report: CopyReport): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#say(report);
    this.#channel.resume();
  }

  #order(frame: Buffer): void {
    const order = parseCopyFrame(copyOrder, frame);
    switch (order?.type) {
      case undefined:
        this.#channel.terminate();
        return;
      case 'CopyStart':
        this.#begun ??= this.#copy(order.message).catch((error: unknown) => this.#refuse(error));
        return;
      case 'CopyInputEnd':
        if (this.#inputEnded) this.#channel.terminate();
        this.#inputEnded = true;
        this.#input.push(null);
    }
  }

  #take(bytes: Buffer): void {
    if (this.#isOver) return;
    if (this.#inputEnded) {
      this.#channel.terminate();
      return;
    }
    this.#move();
    // What is behind it waits where it came from.
    if (!this.#input.push(bytes)) this.#channel.pause();
  }

  #refuse(error: unknown): void {
    // What breaks off because the connection is gone is no news; what is left of what came is for nobody.
    if (this.#channel.readyState !== this.#channel.OPEN) {
      this.#channel.terminate();
      return;
    }
    this.#ports.log.warn({ err: error }, 'files could not be copied');
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, 1024);
    this.#last({ type: 'CopyRefused', message: { reason } });
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
    this.#last({ type: 'CopyEnd', message: {} });
  }

  /** The engine would go on with a container that has ended. */
  async #watch(start: CopyStart, over: AbortSignal, end: (reason: string) => void): Promise<void> {
    const { clock, refusal } = this.#ports;
    while (!over.aborted) {
      const why = refusal(start);
      if (why !== undefined) end(why);
      await clock.sleep(timing.look, over).catch(() => undefined);
    }
  }

  async #from({ runtimeId, path }: CopyStart, signal: AbortSignal): Promise<void> {
    const { archives } = this.#ports;
    const there = await archives.stat(runtimeId, path);
    if (there === undefined) throw new Error(`there is no ${path} in the container`);
    const archive = await archives.read(runtimeId, path, signal);
    this.#say({ type: 'CopyReady', message: { is: there.is === 'folder' ? 'folder' : 'other' } });
    try {
      await this.#channel.sendAll(archive, signal, () => this.#move());
    } finally {
      archive.destroy();
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
    const breakOff = (): void => {
      this.#input.destroy(new Error('the copy broke off'));
    };
    signal.addEventListener('abort', breakOff, { once: true });
    if (signal.aborted) breakOff();
    await archives.write(runtimeId, folder, this.#input, signal);
  }
}
