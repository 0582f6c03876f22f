import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import {
  type CopyChannel,
  copyFrame,
  copyLimits,
  copyPath,
  CopyRefused,
  copyReport,
  type CopyReport,
  openCopy,
  parseCopyFrame,
} from '@slipway/scheduler/exec/protocol';
import { systemClock, waitAtMost } from '@slipway/storage/clock';
import aws4 from 'aws4';
import { clientSettings } from './aws-client.ts';
import { CliError } from './errors.ts';
import type { ExecTarget } from './exec-target.ts';

type Ready = Extract<CopyReport, { type: 'CopyReady' }>['message'];

/** One archive on its way from or to a container. */
export class CopyConnection {
  readonly #channel: CopyChannel;
  readonly #ready = Promise.withResolvers<Ready>();
  /** No more needs to be sent: the host has all of it, or the copy is over. */
  readonly #enough = new AbortController();
  /** What comes, and was not taken yet. */
  readonly #came: Readable;
  #whole = false;
  #isOver = false;
  #why: CliError | undefined;

  private constructor(channel: CopyChannel) {
    this.#channel = channel;
    this.#ready.promise.catch(() => undefined);
    this.#came = new Readable({ highWaterMark: copyLimits.frameBytes, read: () => channel.resume() });
    // A client that sends reads none.
    this.#came.on('error', () => undefined);
    channel.on('message', (bytes, isArchive) => {
      if (!isArchive) this.#report(parseCopyFrame(copyReport, bytes));
      else if (!this.#whole && !this.#came.push(bytes)) channel.pause();
    });
    channel.on('close', () => this.#end('the connection broke, or the right to it was taken away'));
    channel.resume();
  }

  /**
   * Asks for a copy, and resolves when it begins.
   * @throws CliError with what the server or the host says
   */
  static async open(
    target: ExecTarget,
    direction: 'from' | 'to',
    path: string,
  ): Promise<{ readonly connection: CopyConnection; readonly ready: Ready }> {
    const { endpoint, region, credentials } = clientSettings();
    const url = new URL(copyPath, endpoint);
    for (const [name, value] of Object.entries({ ...target, direction, path })) url.searchParams.set(name, value);
    const to = { method: 'GET', host: url.host, path: `${url.pathname}${url.search}`, service: 'ecs', region };
    const { headers } = aws4.sign(to, credentials);
    const channel = await openCopy(url, headers as Record<string, string>).catch(async (error: unknown) => {
      throw new CliError(error instanceof CopyRefused ? await refusalOf(error) : (error as Error).message);
    });
    const connection = new CopyConnection(channel);
    return { connection, ready: await connection.#ready.promise };
  }

  /** The archive that comes. It fails with a CliError when not all of it does. */
  archive(): Readable {
    return this.#came;
  }

  /**
   * Sends an archive, no faster than it is taken.
   * @param sent told of the bytes of each piece that is on its way
   * @throws CliError when it is not taken any more, and is not whole
   */
  async send(archive: Readable, sent: (bytes: number) => void): Promise<void> {
    await this.#channel.sendAll(archive, this.#enough.signal, sent);
    if (!this.#whole && this.#why !== undefined) throw this.#why;
    // An engine has all of an archive before the zeros that it ends with.
    await finished(archive.resume(), { writable: false });
  }

  /** The archive is whole; resolves when it is unpacked. @throws CliError when it is not */
  async finish(): Promise<void> {
    this.#channel.say(copyFrame({ type: 'CopyInputEnd', message: {} }));
    await waitAtMost(Infinity, () => undefined, systemClock, this.#enough.signal);
    this.close();
    if (!this.#whole && this.#why !== undefined) throw this.#why;
  }

  /** Ends it, wherever it is. */
  close(): void {
    this.#end('the copy was ended');
  }

  #report(report: CopyReport | undefined): void {
    if (report?.type === 'CopyReady') this.#ready.resolve(report.message);
    else if (report?.type === 'CopyEnd') {
      this.#whole = true;
      this.#enough.abort();
      this.#came.push(null);
    } else this.#end(report?.message.reason ?? 'the server says what this command does not know');
  }

  /** @param why what is told, where it is not whole by now */
  #end(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#why = new CliError(why);
    this.#enough.abort();
    this.#ready.reject(this.#why);
    if (!this.#whole) this.#came.destroy(this.#why);
    this.#channel.terminate();
  }
}

/** What a server answers, in its own words where it has any. */
async function refusalOf({ response, message }: CopyRefused): Promise<string> {
  try {
    let body = '';
    for await (const part of response.setEncoding('utf8')) {
      body += String(part);
      if (body.length > 65_536) break;
    }
    return (JSON.parse(body) as { message?: string }).message ?? message;
  } catch {
    return message;
  }
}
