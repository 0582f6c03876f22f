import type { Clock } from '@slipway/storage/clock';
import { type CryptoKey, FlattenedSign, type JWK } from 'jose';
import { z } from 'zod';
import { type Outbound, OutboundError } from '../outbound/index.ts';
import { AcmeProblem, AuthorityUnavailable, problemDocument } from './problem.ts';

const directoryDocument = z.object({
  newNonce: z.url(),
  newAccount: z.url(),
  newOrder: z.url(),
  renewalInfo: z.url().optional(),
});

export type Directory = z.output<typeof directoryDocument>;

/** Who signs: a new account by its key, a known one by its URL (RFC 8555, section 6.2). */
export interface Signer {
  readonly key: CryptoKey;
  readonly publicJwk: JWK;
  readonly url: string | undefined;
}

export interface Answer {
  readonly text: string;
  readonly location: string | undefined;
  readonly retryAfterMs: number | undefined;
}

export interface SessionOptions {
  readonly directory: string;
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const timeoutMs = 30_000;
const maxBytes = 256 * 1024;
const badNonces = 10;
const reads = 4;
/** Milliseconds that an authority may have us wait: a week, as rate limits have it. What says more would put renewals off until nothing is valid. */
const longestWait = 7 * 86_400_000;

/** Requests to one authority: directory, nonces, signatures (RFC 8555, section 6). It lives for one piece of work. */
export class AcmeSession {
  readonly #options: SessionOptions;
  #directory: Promise<Directory> | undefined;
  #nonce: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** @throws AuthorityUnavailable */
  directory(): Promise<Directory> {
    this.#directory ??= this.get(this.#options.directory).then(({ text }) => parsed(directoryDocument, text));
    return this.#directory;
  }

  /** An unsigned request, for the directory and renewal information. @throws AcmeProblem, AuthorityUnavailable */
  async get(url: string): Promise<Answer> {
    return this.#again(async () => this.#answer(url, await this.#send('GET', url)));
  }

  /** A signed request. @throws AcmeProblem when the authority refuses, AuthorityUnavailable */
  async post(url: string, payload: object, signer: Signer): Promise<Answer> {
    return this.#signed(url, JSON.stringify(payload), signer);
  }

  /** A signed request that reads (POST-as-GET) and is therefore repeated when the authority does not answer. */
  async read(url: string, signer: Signer): Promise<Answer> {
    return this.#again(() => this.#signed(url, '', signer));
  }

  async #signed(url: string, payload: string, signer: Signer): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const nonce = this.#nonce ?? (await this.#newNonce());
      this.#nonce = undefined;
      const who = signer.url === undefined ? { jwk: signer.publicJwk } : { kid: signer.url };
      const signed = await new FlattenedSign(new TextEncoder().encode(payload))
        .setProtectedHeader({ alg: accountAlgorithm, nonce, url, ...who })
        .sign(signer.key);
      try {
        return await this.#answer(url, await this.#send('POST', url, JSON.stringify(signed)));
      } catch (error) {
        if (!(error instanceof AcmeProblem && error.kind === 'badNonce') || tries >= badNonces) throw error;
      }
    }
  }

  async #newNonce(): Promise<string> {
    const { newNonce } = await this.directory();
    await this.#again(async () => this.#answer(newNonce, await this.#send('HEAD', newNonce)));
    if (this.#nonce === undefined) throw new AuthorityUnavailable(`${newNonce} gives no Replay-Nonce`);
    return this.#nonce;
  }

  async #send(method: 'GET' | 'HEAD' | 'POST', url: string, body?: string): Promise<Response> {
    const { outbound, signal } = this.#options;
    const headers = { 'user-agent': 'slipway/0.1.0', ...(body && { 'content-type': 'application/jose+json' }) };
    try {
      return await outbound.fetch(url, { method, headers, signal, timeoutMs, maxBytes, ...(body && { body }) });
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      throw new AuthorityUnavailable(`${url}: ${error.detail}`, { cause: error });
    }
  }

  async #answer(url: string, response: Response): Promise<Answer> {
    this.#nonce = response.headers.get('replay-nonce') ?? this.#nonce;
    const text = await response.text();
    const retryAfterMs = this.#retryAfter(response.headers.get('retry-after'));
    if (response.ok) return { text, location: response.headers.get('location') ?? undefined, retryAfterMs };
    if (!response.headers.get('content-type')?.startsWith('application/problem+json'))
      throw new AuthorityUnavailable(`${url} answers ${response.status}`);
    throw new AcmeProblem(parsed(problemDocument, text), response.status, retryAfterMs);
  }

  /** Seconds or a date (RFC 9110, section 10.2.3). */
  #retryAfter(text: string | null): number | undefined {
    if (text === null) return undefined;
    const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - this.#options.clock.now();
    return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), longestWait);
  }

  async #again<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        const passing =
          error instanceof AuthorityUnavailable || (error instanceof AcmeProblem && error.kind === 'serverInternal');
        if (!passing || tries >= reads) throw error;
        await this.#options.clock.sleep(500 * 2 ** tries, this.#options.signal);
      }
    }
  }
}

/** ECDSA with P-256 and SHA-256, which every authority must take. */
export const accountAlgorithm = 'ES256';

/** Reads a JSON answer. @throws AuthorityUnavailable when it is not what RFC 8555 says */
export function parsed<T extends z.ZodType>(shape: T, text: string): z.output<T> {
  try {
    return shape.parse(JSON.parse(text));
  } catch (cause) {
    throw new AuthorityUnavailable(`the authority's answer is not understood: ${text.slice(0, 200)}`, { cause });
  }
}
