import {
  type CopyChannel,
  copyFrame,
  copyLimits,
  copyPath,
  CopyRefused,
  copyReport,
  type CopyReport,
  framesOf,
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
  readonly #over = new AbortController();
  /** What came and was not taken yet. */
  readonly #came: Buffer[] = [];
  #waiting = 0;
  #more: () => void = () => undefined;
  #room: () => void = () => undefined;
  #whole = false;
  #why: CliError | undefined;

  private constructor(channel: CopyChannel) {
    this.#channel = channel;
    this.#ready.promise.catch(() => undefined);
    channel.on('message', (bytes, isArchive) => {
      if (isArchive) this.#hear(bytes);
      else this.#report(parseCopyFrame(copyReport, bytes));
    });
    channel.on('drain', () => this.#room());
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

  /** The archive that comes, piece by piece. @throws CliError when not all of it does */
  async *archive(): AsyncGenerator<Buffer> {
    while (true) {
      const next = this.#came.shift();
      if (next !== undefined) {
        // Whoever takes it may give its memory back.
        const { length } = next;
        yield next;
        this.#waiting -= length;
        if (this.#waiting <= copyLimits.frameBytes) this.#channel.resume();
      } else if (this.#whole) {
        this.close();
        return;
      } else if (this.#why === undefined) {
        await waitAtMost(Infinity, (wake) => void (this.#more = wake), systemClock, this.#over.signal);
      } else throw this.#why;
    }
  }

  /** Sends more of an archive, no faster than it is taken. @throws CliError when it is not taken any more, and is not whole */
  async send(bytes: Buffer): Promise<void> {
    for (const frame of framesOf(bytes)) {
      // An engine has all of an archive before the zeros that it ends with.
      if (this.#whole) return;
      if (this.#why !== undefined) throw this.#why;
      if (!this.#channel.send(frame))
        await waitAtMost(Infinity, (wake) => void (this.#room = wake), systemClock, this.#over.signal);
    }
  }

  /** The archive is whole; resolves when it is unpacked. @throws CliError when it is not */
  async finish(): Promise<void> {
    this.#channel.say(copyFrame({ type: 'CopyInputEnd', message: {} }));
    while (!this.#whole && this.#why === undefined)
      await waitAtMost(Infinity, (wake) => void (this.#more = wake), systemClock, this.#over.signal);
    this.close();
    if (!this.#whole && this.#why !== undefined) throw this.#why;
  }

  /** Ends it, wherever it is. */
  close(): void {
    this.#end('the copy was ended');
  }

  #hear(bytes: Buffer): void {
    this.#came.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting >= copyLimits.waitingBytes || this.#came.length >= copyLimits.waitingFrames)
      this.#channel.pause();
    this.#more();
  }

  #report(report: CopyReport | undefined): void {
    if (report?.type === 'CopyReady') this.#ready.resolve(report.message);
    else if (report?.type === 'CopyEnd') {
      this.#whole = true;
      this.#more();
    } else this.#end(report?.message.reason ?? 'the server says what this command does not know');
  }

  /** @param why what is told, where it is not whole by now */
  #end(why: string): void {
    if (this.#over.signal.aborted) return;
    this.#why ??= new CliError(why);
    this.#over.abort();
    this.#ready.reject(this.#why);
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
