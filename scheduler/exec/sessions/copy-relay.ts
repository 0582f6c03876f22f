import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import { execEnded } from '../../hosts/wire/index.ts';

import {
  copyFrame,
  copyLimits,
  copyReport,
  copyRequest,
  type CopyStart,
  giveBack,
  parseCopyFrame,
} from '../protocol/index.ts';
import type { SessionRow } from './session.ts';

/** Times in milliseconds. */
const timing = {
  /** A copy of which nothing moves for so long is over. */
  idle: 5 * 60_000,
  /** How often it is looked whether it may go on. */
  look: 30_000,
} as const;

/** Bytes that wait for one side, at most: the other one sends fewer until this one says that it took them. */
const mostWaiting = 2 * copyLimits.windowBytes;

export interface CopyParts extends SessionRow {
  readonly clock: Clock;
  readonly log: Log;
  readonly client: WebSocket;
  readonly host: WebSocket;
  readonly start: CopyStart;
}

/** What became of a copy. */
export interface Copied {
  /** Of the archive. */
  bytes: number;
  /** Whether the host has said that all of it is there. */
  whole: boolean;
}

/** Sends a client's archive on to a host, or a host's to its client, as it comes: how much is on the way is between the two of them. */
export class CopyRelay {
  readonly copied: Copied = { bytes: 0, whole: false };
  readonly #parts: CopyParts;
  readonly #over = new AbortController();
  #moved: number;
  /** Frames that did not get on their way yet. */
  #waiting = 0;
  /** The host has said its last word. */
  #isLast = false;

  constructor(parts: CopyParts) {
    this.#parts = parts;
    this.#moved = parts.clock.monotonic();
  }

  /** Serves the copy until it ends. @param stopped aborts when the server stops */
  async run(stopped: AbortSignal): Promise<void> {
    const { client, host, start } = this.#parts;
    const stop = (): void => this.#end('The server is stopping; copy again.');
    stopped.addEventListener('abort', stop, { once: true });
    host.on('error', () => host.terminate());
    host.once('close', (status) => {
      if (this.#isLast) return;
      const wasAsked = status === execEnded;
      this.#end(wasAsked ? 'The copy was terminated.' : 'The connection to the host of the task was lost.');
    });
    client.once('close', () => this.#over.abort());
    client.on('message', (data, isBinary) => this.#fromClient(data as Buffer, isBinary));
    host.on('message', (data, isBinary) => this.#fromHost(data as Buffer, isBinary));
    host.send(copyFrame({ type: 'CopyStart', message: start }));
    if (stopped.aborted) stop();
    if (client.readyState !== client.OPEN || host.readyState !== host.OPEN) this.#end('The connection broke.');
    client.resume();
    host.resume();
    await this.#watch();
    stopped.removeEventListener('abort', stop);
    host.close(1000);
  }

  #fromClient(bytes: Buffer, isBinary: boolean): void {
    const { host, start } = this.#parts;
    if (isBinary ? start.direction === 'from' : parseCopyFrame(copyRequest, bytes) === undefined)
      this.#end('That is no part of a copy.');
    else this.#pass(bytes, isBinary, host);
  }

  #fromHost(bytes: Buffer, isBinary: boolean): void {
    const { client, host, start } = this.#parts;
    if (this.#isLast) return;
    const report = isBinary ? undefined : parseCopyFrame(copyReport, bytes);
    if (isBinary ? start.direction === 'to' : report === undefined) {
      this.#end('The host of the task does not know how to copy.');
      return;
    }
    if (report?.type !== 'CopyEnd' && report?.type !== 'CopyRefused') {
      this.#pass(bytes, isBinary, client);
      return;
    }
    this.#isLast = true;
    if (report.type === 'CopyEnd') this.copied.whole = true;
    // A slow client has a whole window of the archive to take before that, and as long for it as it takes any of it.
    this.#pass(bytes, isBinary, client, () => this.#over.abort());
    host.close(1000);
  }

  /** @param sent told when it is on its way, or will never be */
  #pass(bytes: Buffer, isBinary: boolean, to: WebSocket, sent?: () => void): void {
    if (this.#over.signal.aborted) return;
    this.#moved = this.#parts.clock.monotonic();
    if (isBinary) this.copied.bytes += bytes.length;
    // Whoever sends so much beyond what was taken keeps to nothing.
    const isTooMuch = to.bufferedAmount > mostWaiting || this.#waiting > copyLimits.frames;
    if (isTooMuch) this.#end('That is more than there is room for.');
    if (isTooMuch || to.readyState !== to.OPEN) return;
    this.#waiting += 1;
    to.send(bytes, { binary: isBinary }, () => {
      this.#waiting -= 1;
      giveBack(bytes);
      sent?.();
    });
  }

  /** @param reason what the client is told */
  #end(reason: string): void {
    const { client } = this.#parts;
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    if (client.readyState === client.OPEN) client.send(copyFrame({ type: 'CopyRefused', message: { reason } }));
  }

  async #watch(): Promise<void> {
    const { clock, keep } = this.#parts;
    const { signal } = this.#over;
    while (!signal.aborted) {
      await clock.sleep(timing.look, signal).catch(() => undefined);
      if (signal.aborted) return;
      if (clock.monotonic() - this.#moved > timing.idle) this.#end('Nothing was copied for five minutes.');
      // While nobody can tell, it goes on.
      else if (await keep().catch(() => false)) this.#end('The copy was terminated.');
    }
  }
}
