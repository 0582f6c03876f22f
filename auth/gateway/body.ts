import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { GatewayError } from '../contract/index.ts';
import type { Exchange } from './exchange.ts';

const unzip = promisify(gunzip);

/** Bytes of a body that are not counted: small requests are served however much others hold. */
const FREE = 16 * 1024;

/** Gzip makes a thousand of one; no large body that means something comes near this. */
const MOST_PER_BYTE = 64;

/** Bytes that any body may have once it is unpacked: a call of PutMetricData whose thousand data are alike is a hundredth of it before. */
const SMALL = 256 * 1024;

/**
 * The request bodies that a process holds in memory, together: what is read before it is known who sends it must not fill it. A
 * body counts as its bytes arrive and until its answer is through; one address may hold half of the whole.
 */
export class Bodies {
  readonly #most: number;
  #held = 0;
  readonly #heldBy = new Map<string, number>();

  /** @param most bytes */
  constructor(most: number) {
    this.#most = most;
  }

  /** Bytes that are held now. */
  get held(): number {
    return this.#held;
  }

  /**
   * Reads a whole request body as received.
   * @param limit bytes; a longer one is refused at the byte, a longer Content-Length before the first
   * @throws GatewayError `too-large`; `unavailable` when too much is held already; `bad-request` when the client goes away
   */
  read(exchange: Exchange, limit: number): Promise<Buffer> {
    const { request } = exchange;
    const declared = request.headers['content-length'];
    if (declared !== undefined && Number(declared) > limit) return Promise.reject(tooLarge(limit));
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const take = this.#counter(exchange);
      let size = 0;
      const refuse = (error: GatewayError): void => {
        request.pause();
        request.removeAllListeners('data');
        chunks.length = 0;
        reject(error);
      };
      request.on('data', (chunk: Buffer) => {
        size += chunk.byteLength;
        if (size > limit) refuse(tooLarge(limit));
        else if (!take(chunk.byteLength)) refuse(full());
        else chunks.push(chunk);
      });
      request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)));
      const gone = (): void =>
        reject(new GatewayError('bad-request', 'the request ended before its body was complete'));
      request.once('error', gone);
      request.once('aborted', gone);
    });
  }

  /**
   * A body after its Content-Encoding is taken off. Only for bodies whose signature stands: it was over what was received.
   * @throws GatewayError for an encoding that is not gzip, bytes that are not, or more than `limit` bytes inside
   */
  async decode(exchange: Exchange, body: Buffer, limit: number): Promise<Buffer> {
    if (!isEncoded(exchange.request)) return body;
    if (encodingOf(exchange.request) !== 'gzip')
      throw new GatewayError('bad-request', 'the only Content-Encoding supported is gzip');
    const most = Math.min(limit, Math.max(SMALL, body.byteLength * MOST_PER_BYTE));
    try {
      const decoded = await unzip(body, { maxOutputLength: most });
      if (!this.#counter(exchange)(decoded.byteLength)) throw full();
      return decoded;
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(most);
      throw new GatewayError('bad-request', 'the body is not valid gzip');
    }
  }

  /** Counts bytes of one body; false when there is no room for more. */
  #counter({ sourceIp, request, response }: Exchange): (bytes: number) => boolean {
    let uncounted = FREE;
    let counted = 0;
    return (bytes) => {
      const more = Math.max(0, bytes - uncounted);
      uncounted = Math.max(0, uncounted - bytes);
      if (more === 0) return true;
      const ofAddress = (this.#heldBy.get(sourceIp) ?? 0) + more;
      const until = response ?? request.socket;
      // Whose end has been told already would be counted for ever.
      if (this.#held + more > this.#most || ofAddress > this.#most / 2 || until.destroyed) return false;
      if (counted === 0) until.once('close', () => this.#giveBack(sourceIp, counted));
      counted += more;
      this.#held += more;
      this.#heldBy.set(sourceIp, ofAddress);
      return true;
    };
  }

  #giveBack(address: string, bytes: number): void {
    this.#held -= bytes;
    const left = (this.#heldBy.get(address) ?? 0) - bytes;
    if (left > 0) this.#heldBy.set(address, left);
    else this.#heldBy.delete(address);
  }
}

const encodingOf = (request: IncomingMessage): string =>
  request.headers['content-encoding']?.trim().toLowerCase() ?? '';

/** Whether a body is anything but what it says. `aws-chunked` is of S3's streaming payloads, which are refused with the signature. */
export const isEncoded = (request: IncomingMessage): boolean => !['', 'identity'].includes(encodingOf(request));

const tooLarge = (limit: number): GatewayError =>
  new GatewayError('too-large', `the request body is larger than ${limit} bytes`);

const full = (): GatewayError =>
  new GatewayError('unavailable', 'The server holds too many request bodies just now; try again.', 1);
