import { Agent as PlainAgent, type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http';
import { Agent, request as requestSecure } from 'node:https';
import { setImmediate, setTimeout } from 'node:timers/promises';

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Sends the body in pieces, without a Content-Length. */
  readonly streamed?: boolean;
  /** Waits for an answer after the first piece, for five seconds: the registry may not want to read the rest. */
  readonly hesitant?: boolean;
}

export interface Answer {
  /** Method and address, as a reason names them. */
  readonly what: string;
  readonly status: number;
  /** By name in lower case; every line of a header is an entry. */
  readonly headers: Readonly<Partial<Record<string, readonly string[]>>>;
  readonly body: Buffer;
  /** Where the answer came from, after redirects: what a relative Location is relative to. */
  readonly url: URL;
}

/** There was no answer, or none that HTTP allows. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

const maxBody = 64 * 2 ** 20;
const piece = 64 * 1024;
const hesitation = 5000;

/** Connections to web servers, kept open between requests. */
export class Connections {
  readonly #timeout: number;
  readonly #agents = { 'http:': new PlainAgent({ keepAlive: true }), 'https:': new Agent({ keepAlive: true }) };

  /** @param timeout milliseconds that an answer may take, with its body */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /**
   * Sends one request and reads the whole answer.
   * @throws NoAnswer when there is none in time, or one of more than 64 MiB
   */
  async exchange(method: string, url: URL, options: AskOptions): Promise<Answer> {
    const query = url.search.length > 200 ? `${url.search.slice(0, 200)}…` : url.search;
    const what = `${method} ${url.pathname}${query}`;
    for (;;) {
      const request = this.#open(what, method, url, options);
      try {
        const response = await answerTo(request, options);
        const body = await read(response);
        // An answer that did not wait for the body leaves a connection that is good for nothing more.
        if (!request.writableFinished) request.destroy();
        return { what, status: response.statusCode ?? 0, headers: response.headersDistinct, body, url };
      } catch (error) {
        request.destroy();
        // The server closed an idle connection just when it was taken again: that is nobody's fault.
        if (request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET') continue;
        throw new NoAnswer(`${what}: no answer (${(error as Error).message})`);
      }
    }
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #open(what: string, method: string, url: URL, { headers, body, streamed }: AskOptions): ClientRequest {
    const { protocol } = url;
    if (protocol !== 'http:' && protocol !== 'https:') throw new NoAnswer(`${what}: '${url.href}' is no web address`);
    const sends = body !== undefined || !['GET', 'HEAD', 'DELETE'].includes(method);
    const length = sends && !streamed ? { 'content-length': String(body?.length ?? 0) } : {};
    return (protocol === 'http:' ? requestPlain : requestSecure)(url, {
      method,
      headers: { ...headers, ...length },
      agent: this.#agents[protocol],
      signal: AbortSignal.timeout(this.#timeout),
    });
  }
}

function answerTo(request: ClientRequest, { body, streamed, hesitant }: AskOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const answered = new AbortController();
    request.on('error', reject);
    request.on('response', (response) => {
      answered.abort();
      resolve(response);
    });
    if (body === undefined || (body.length <= piece && !streamed)) request.end(body);
    else void sendPieces(request, body, answered.signal, hesitant ? hesitation : 0).catch(reject);
  });
}

/** Stops when the answer is there: a server that refuses a long body need not read it. */
async function sendPieces(request: ClientRequest, body: Buffer, answered: AbortSignal, wait: number): Promise<void> {
  const size = Math.min(piece, Math.max(1, Math.ceil(body.length / 2)));
  for (let at = 0; at < body.length && !request.destroyed; at += size) {
    const flowing = request.write(body.subarray(at, at + size));
    await (flowing ? setImmediate() : drained(request));
    if (at === 0 && wait > 0) await setTimeout(wait, undefined, { signal: answered }).catch(() => {});
    if (answered.aborted) return;
  }
  request.end();
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      request.off('drain', done).off('close', done);
      resolve();
    };
    request.on('drain', done).on('close', done);
  });
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBody) throw new Error(`the body is longer than ${maxBody} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
