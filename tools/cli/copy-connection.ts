import {
  copyFrame,
  copyLimits,
  copyPath,
  copyReport,
  type CopyReport,
  CopyTaken,
  CopyWindow,
  framesOf,
  maskTo,
  parseCopyFrame,
} from '@slipway/scheduler/exec/protocol';
import { systemClock, waitAtMost } from '@slipway/storage/clock';
import aws4 from 'aws4';
import { WebSocket } from 'ws';
import { clientSettings } from './aws-client.ts';
import { CliError } from './errors.ts';
import type { ExecTarget } from './exec-target.ts';

type Ready = Extract<CopyReport, { type: 'CopyReady' }>['message'];

/** One archive on its way from or to a container. */
export class CopyConnection {
  readonly #ws: WebSocket;
  readonly #window = new CopyWindow();
  readonly #taken: CopyTaken;
  readonly #ready = Promise.withResolvers<Ready>();
  readonly #over = new AbortController();
  /** What came and was not taken yet. */
  readonly #came: Buffer[] = [];
  #waiting = 0;
  #more: () => void = () => undefined;
  #whole = false;
  #why: CliError | undefined;

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    this.#ready.promise.catch(() => undefined);
    this.#taken = new CopyTaken((bytes) => this.#say({ type: 'CopyCredit', message: { bytes } }));
    ws.on('message', (data, isBinary) => {
      if (isBinary) this.#hear(data as Buffer);
      else this.#report(parseCopyFrame(copyReport, data as Buffer));
    });
    ws.on('error', (error) => this.#end(error.message));
    ws.on('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body = (body + part).slice(0, 65_536)));
      response.on('end', () => this.#end(messageOf(body) ?? `the server answers ${response.statusCode}`));
    });
    ws.on('close', () => this.#end('the connection broke, or the right to it was taken away'));
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
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const generateMask = maskTo(url);
    const ws = new WebSocket(url, {
      headers: headers as Record<string, string>,
      perMessageDeflate: false,
      handshakeTimeout: 15_000,
      maxPayload: copyLimits.frameBytes,
      ...(generateMask === undefined ? {} : { generateMask }),
    });
    const connection = new CopyConnection(ws);
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
        this.#taken.add(length);
      } else if (this.#whole) {
        this.close();
        return;
      } else if (this.#why === undefined) {
        await waitAtMost(Infinity, (wake) => void (this.#more = wake), systemClock, this.#over.signal);
      } else throw this.#why;
    }
  }

  /** Sends more of an archive, no faster than it is taken. @throws CliError when it is not taken any more */
  async send(bytes: Buffer): Promise<void> {
    for (const frame of framesOf(bytes)) {
      await this.#window.take(frame.length, systemClock, this.#over.signal);
      if (this.#why !== undefined) throw this.#why;
      this.#ws.send(frame);
    }
  }

  /** The archive is whole; resolves when it is unpacked. @throws CliError when it is not */
  async finish(): Promise<void> {
    this.#say({ type: 'CopyInputEnd', message: {} });
    while (!this.#whole && this.#why === undefined)
      await waitAtMost(Infinity, (wake) => void (this.#more = wake), systemClock, this.#over.signal);
    this.close();
    if (!this.#whole && this.#why !== undefined) throw this.#why;
  }

  /** Ends it, wherever it is. */
  close(): void {
    this.#ws.close(1000);
    this.#end('the copy was ended');
  }

  #say(message: Parameters<typeof copyFrame>[0]): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.send(copyFrame(message));
  }

  #hear(bytes: Buffer): void {
    this.#waiting += bytes.length;
    // The server counts what it holds itself, and it is the host that sends.
    if (this.#waiting > copyLimits.windowBytes || this.#came.length >= copyLimits.frames) {
      this.#end('the host sends more than there is room for');
      return;
    }
    this.#came.push(bytes);
    this.#more();
  }

  #report(report: CopyReport | undefined): void {
    if (report?.type === 'CopyReady') this.#ready.resolve(report.message);
    else if (report?.type === 'CopyCredit') this.#window.grant(report.message.bytes);
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
    this.#ws.terminate();
  }
}

function messageOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { message?: string }).message;
  } catch {
    return undefined;
  }
}
