import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

import {
  type CopyChannel,
  copyFrame,
  copyReport,
  copyRequest,
  type CopyStart,
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

export interface CopyParts extends SessionRow {
  readonly clock: Clock;
  readonly log: Log;
  readonly client: CopyChannel;
  readonly host: CopyChannel;
  readonly start: CopyStart;
}

/** What became of a copy. */
export interface Copied {
  /** Of the archive. */
  bytes: number;
  /** Whether the host has said that all of it is there. */
  whole: boolean;
}

/** Sends a client's archive on to a host, or a host's to its client, as it comes, and reads no more of one than the other takes. */
export class CopyRelay {
  readonly copied: Copied = { bytes: 0, whole: false };
  readonly #parts: CopyParts;
  readonly #over = new AbortController();
  #moved: number;
  /** The client has said that its archive is whole. */
  #isInputEnded = false;
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
    host.once('close', () => {
      if (!this.#isLast) this.#end('The connection to the host of the task was lost.');
    });
    client.once('close', () => this.#over.abort());
    client.on('message', (bytes, isArchive) => this.#fromClient(bytes, isArchive));
    host.on('message', (bytes, isArchive) => this.#fromHost(bytes, isArchive));
    client.on('drain', () => host.resume());
    host.on('drain', () => client.resume());
    host.say(copyFrame({ type: 'CopyStart', message: start }));
    if (stopped.aborted) stop();
    if (client.readyState !== client.OPEN || host.readyState !== host.OPEN) this.#end('The connection broke.');
    client.resume();
    host.resume();
    await this.#watch();
    stopped.removeEventListener('abort', stop);
    host.close();
  }

  #fromClient(bytes: Buffer, isArchive: boolean): void {
    const { client, host, start } = this.#parts;
    const isPart = isArchive ? start.direction === 'to' : parseCopyFrame(copyRequest, bytes) !== undefined;
    if (!isPart || this.#isInputEnded) {
      this.#end('That is no part of a copy.');
      return;
    }
    this.#isInputEnded = !isArchive;
    this.#pass(bytes, isArchive, client, host);
  }

  #fromHost(bytes: Buffer, isArchive: boolean): void {
    const { client, host, start } = this.#parts;
    if (this.#isLast) return;
    const report = isArchive ? undefined : parseCopyFrame(copyReport, bytes);
    if (isArchive ? start.direction === 'to' : report === undefined) {
      this.#end('The host of the task does not know how to copy.');
      return;
    }
    if (report?.type !== 'CopyEnd' && report?.type !== 'CopyRefused') {
      this.#pass(bytes, isArchive, host, client);
      return;
    }
    this.#isLast = true;
    if (report.type === 'CopyEnd') this.copied.whole = true;
    // A slow client has more of the archive to take before that, and as long for it as it takes any of it.
    client.say(bytes, () => this.#over.abort());
    host.close();
  }

  #pass(bytes: Buffer, isArchive: boolean, from: CopyChannel, to: CopyChannel): void {
    if (this.#over.signal.aborted) return;
    // What is only said moves nothing: who says it again and again has no copy for ever.
    if (isArchive) {
      this.#move();
      this.copied.bytes += bytes.length;
    }
    const hasRoom = isArchive ? to.send(bytes, () => this.#move()) : to.say(bytes);
    if (!hasRoom) from.pause();
  }

  #move(): void {
    this.#moved = this.#parts.clock.monotonic();
  }

  /** @param reason what the client is told */
  #end(reason: string): void {
    const { client } = this.#parts;
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    client.say(copyFrame({ type: 'CopyRefused', message: { reason } }));
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
