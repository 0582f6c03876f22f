import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '@slipway/storage/clock';
import type { Principal } from '../contract/index.ts';
import {
  canonicalPath,
  canonicalRequest,
  type HeaderValues,
  headerValues,
  objectPath,
  type RawRequest,
  stringToSign,
} from './canonical.ts';
import type { Credentials } from './credentials.ts';
import { MISMATCH, SignatureError } from './errors.ts';
import { type Claim, parseClaim } from './parse.ts';
import { objectPayload, type ObjectPayload } from './payload.ts';

export interface VerifierOptions {
  readonly credentials: Credentials;
  readonly clock: Pick<Clock, 'now'>;
  /** How far a caller's clock may be off, in seconds. Default 900: AWS allows 300 for most services, hosts at home drift further. */
  readonly maxSkewSeconds?: number;
}

/** What the request is for; a signature for another service or region is refused. */
export interface Expected {
  readonly service: string;
  readonly regions: readonly string[];
  /** Whether the signing values may be in the query (Query protocol only). */
  readonly presigned: boolean;
}

/** Whose request it seems to be: all is checked but the body. */
export interface Opened {
  readonly principal: Principal;
  /**
   * Checks the body's bytes as received (before any decoding) and the signature over everything.
   * @throws SignatureError `mismatch`
   */
  finish(body: Uint8Array): Principal;
}

/** A request's signature as read, with the raw parts that it covers. */
export interface SignedRequest {
  readonly claim: Claim;
  readonly headers: HeaderValues;
  readonly method: string;
  readonly path: string;
  readonly query: string;
}

/**
 * Reads the signature of a request; nothing is verified yet.
 * @throws SignatureError `missing` without credentials, `incomplete` when they cannot be read
 */
export function readSignature(request: RawRequest): SignedRequest {
  const headers = headerValues(request.rawHeaders);
  const at = request.target.indexOf('?');
  const path = at === -1 ? request.target : request.target.slice(0, at);
  const query = at === -1 ? '' : request.target.slice(at + 1);
  return { claim: parseClaim(headers, query), headers, method: request.method, path, query };
}

const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** Whose request to an object store it is, and what its body must be. */
export interface OpenedObject {
  readonly principal: Principal;
  readonly payload: ObjectPayload;
}

/** A claim whose key is known: what is left is to compare its signature. */
interface Checked {
  readonly principal: Principal;
  readonly used: () => void;
  readonly key: Buffer;
  /** @throws SignatureError `mismatch` */
  readonly compare: (payloadHash: string) => void;
}

/**
 * Verifies Signature Version 4. The AWS APIs sign their payloads whole, and the body comes last, so that nobody can make us read one
 * without a key and a plausible signature; S3, whose bodies are streamed, has ways of its own (`openObject`).
 */
export class SignatureVerifier {
  readonly #credentials: Credentials;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #maxSkewMs: number;
  /** Derived keys by secret and scope: four of the six HMACs of a verification. */
  readonly #keys = new LRUCache<string, { readonly secret: string; readonly key: Buffer }>({ max: 1000 });

  constructor(options: VerifierOptions) {
    this.#credentials = options.credentials;
    this.#clock = options.clock;
    this.#maxSkewMs = (options.maxSkewSeconds ?? 900) * 1000;
  }

  /**
   * Checks everything that the head of a request can tell.
   * @throws SignatureError
   */
  async open(request: SignedRequest, expected: Expected): Promise<Opened> {
    const { claim, headers } = request;
    this.#checkHead(request, expected);
    const declaredHash = payloadHashOf(claim, headers);
    const { principal, compare, used } = await this.#found(request, canonicalPath);
    if (declaredHash !== undefined) compare(declaredHash);
    return {
      principal,
      finish(body) {
        const hash = body.byteLength === 0 ? EMPTY_SHA256 : createHash('sha256').update(body).digest('hex');
        if (declaredHash === undefined) compare(hash);
        else if (hash !== declaredHash) throw mismatch(claim, 'the body differs from its signed hash');
        used();
        return principal;
      },
    };
  }

  /**
   * Verifies the head of a request to an object store as S3 has it (S3 API reference, "Authenticating Requests"). What its body must be
   * is told, and is checked while it is read.
   * @throws SignatureError
   */
  async openObject(request: SignedRequest, expected: Omit<Expected, 'presigned'>): Promise<OpenedObject> {
    const { claim } = request;
    this.#checkHead(request, { ...expected, presigned: true });
    if (claim.kind === 'presigned' && claim.expires === undefined)
      throw new SignatureError('incomplete', 'Query-string authentication requires the X-Amz-Expires parameter.');
    const declared = objectPayload(request);
    if (declared === undefined)
      throw mismatch(
        claim,
        'payload mode',
        'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER or a valid sha256 value.',
      );
    const { principal, compare, used, key } = await this.#found(request, objectPath);
    compare(declared.text);
    used();
    return { principal, payload: declared.payload(key) };
  }

  #checkHead({ claim, headers }: SignedRequest, expected: Expected): void {
    this.#checkScope(claim, expected);
    this.#checkTime(claim);
    checkSignedHeaders(claim, headers);
  }

  async #found(
    { claim, headers, method, path, query }: SignedRequest,
    pathOf: (path: string) => string,
  ): Promise<Checked> {
    const found = await this.#credentials.find(claim.accessKeyId, claim.sessionToken);
    if ('refused' in found) throw refusal(found.refused, claim.accessKeyId);
    const { secret, principal } = found;
    const key = this.#signingKey(claim, secret);
    return {
      principal,
      used: () => found.used?.(claim.scope.service, claim.scope.region),
      key,
      compare: (payloadHash) => {
        const canonical = canonicalRequest(method, path, query, headers, claim.signedHeaders, payloadHash, pathOf);
        if (canonical === undefined) throw mismatch(claim, 'a signed header is missing');
        const scope = `${claim.scope.date}/${claim.scope.region}/${claim.scope.service}/aws4_request`;
        const calculated = createHmac('sha256', key)
          .update(stringToSign(claim.datetime, scope, canonical))
          .digest();
        if (!timingSafeEqual(calculated, Buffer.from(claim.signature, 'hex')))
          throw mismatch(claim, 'the signature differs');
      },
    };
  }

  #checkScope(claim: Claim, expected: Expected): void {
    if (claim.kind === 'presigned' && !expected.presigned) {
      throw new SignatureError(
        'incomplete',
        'This API takes credentials in the Authorization header only',
        undefined,
        claim.accessKeyId,
      );
    }
    if (claim.scope.service !== expected.service) {
      const message = `Credential should be scoped to correct service: '${expected.service}'.`;
      throw new SignatureError(
        'mismatch',
        message,
        `scope service is ${claim.scope.service.slice(0, 64)}`,
        claim.accessKeyId,
      );
    }
    if (!expected.regions.includes(claim.scope.region)) {
      const message = `Credential should be scoped to a valid region: ${expected.regions.join(' or ')}.`;
      throw new SignatureError(
        'mismatch',
        message,
        `scope region is ${claim.scope.region.slice(0, 64)}`,
        claim.accessKeyId,
      );
    }
    if (claim.scope.date !== claim.datetime.slice(0, 8)) {
      const message = 'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.';
      throw new SignatureError('mismatch', message, undefined, claim.accessKeyId);
    }
  }

  #checkTime(claim: Claim): void {
    const now = this.#clock.now();
    const window = `${this.#maxSkewMs / 60_000} min.`;
    const late = claim.time + (claim.expires === undefined ? this.#maxSkewMs : claim.expires * 1000);
    if (now > late && claim.expires !== undefined) {
      throw new SignatureError(
        'expired-request',
        `Request has expired: ${claim.datetime} + ${claim.expires} s`,
        undefined,
        claim.accessKeyId,
      );
    }
    if (now > late) {
      const message = `Signature expired: ${claim.datetime} is now earlier than ${basic(now - this.#maxSkewMs)} (${basic(now)} - ${window})`;
      throw new SignatureError('mismatch', message, undefined, claim.accessKeyId);
    }
    if (claim.time > now + this.#maxSkewMs) {
      const message = `Signature not yet current: ${claim.datetime} is still later than ${basic(now + this.#maxSkewMs)} (${basic(now)} + ${window})`;
      throw new SignatureError('mismatch', message, undefined, claim.accessKeyId);
    }
  }

  #signingKey(claim: Claim, secret: string): Buffer {
    const { date, region, service } = claim.scope;
    const name = `${claim.accessKeyId}/${date}/${region}/${service}`;
    const cached = this.#keys.get(name);
    if (cached !== undefined && cached.secret === secret) return cached.key;
    let key = createHmac('sha256', `AWS4${secret}`).update(date).digest();
    for (const part of [region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest();
    this.#keys.set(name, { secret, key });
    return key;
  }
}

/** What must be under the signature when it is there: a request must not change its meaning and stay valid. */
function checkSignedHeaders(claim: Claim, headers: HeaderValues): void {
  const signed = new Set(claim.signedHeaders);
  if (!signed.has('host'))
    throw mismatch(claim, 'host is not signed', "'Host' must be a 'SignedHeader' in the AWS Authorization.");
  for (const name of headers.keys()) {
    if (name.startsWith('x-amz-') && !signed.has(name)) {
      throw mismatch(
        claim,
        `${name.slice(0, 64)} is not signed`,
        `'${name.slice(0, 64)}' must be a 'SignedHeader' in the AWS Authorization.`,
      );
    }
  }
}

/** The hash that the request declares for its body; undefined when it declares none, so that the body alone decides. */
function payloadHashOf(claim: Claim, headers: HeaderValues): string | undefined {
  const values = headers.get('x-amz-content-sha256');
  if (values === undefined) return undefined;
  const value = values.length === 1 ? (values[0] as string).trim() : '';
  if (!/^[0-9a-f]{64}$/.test(value)) {
    // UNSIGNED-PAYLOAD and every STREAMING- value belong to S3 (`openObject`) and end here, like whatever comes after them.
    throw mismatch(
      claim,
      `payload mode ${value.slice(0, 64)}`,
      'x-amz-content-sha256 must be the SHA-256 of the body in hexadecimal digits.',
    );
  }
  return value;
}

function refusal(refused: 'unknown' | 'inactive' | 'expired' | 'bad-token', accessKeyId: string): SignatureError {
  if (refused === 'expired') {
    return new SignatureError(
      'expired-token',
      'The security token included in the request is expired',
      undefined,
      accessKeyId,
    );
  }
  return new SignatureError(
    'unknown-key',
    'The security token included in the request is invalid.',
    `access key: ${refused}`,
    accessKeyId,
  );
}

const mismatch = (claim: Claim, detail: string, message: string = MISMATCH): SignatureError =>
  new SignatureError('mismatch', message, detail, claim.accessKeyId);

const basic = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
