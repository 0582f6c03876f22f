import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '@slipway/storage/clock';
import { AwsError } from '../../contract/index.ts';

/** Fetches from an address somebody configured; refuses private ranges and follows no redirect it has not checked. */
export type GuardedFetch = (
  url: string,
  init: { readonly signal: AbortSignal; readonly headers: Record<string, string> },
) => Promise<Response>;

/** What an OpenID provider says of itself is kept this long; milliseconds. */
const keptFor = 10 * 60_000;
/** Keys are fetched again for an unknown key id at most this often; milliseconds. */
const cooldown = 30_000;
const fetchTimeout = 5000;
const maxBody = 512 * 1024;
const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'];

interface KnownKeys {
  readonly keys: JSONWebKeySet;
  readonly readAt: number;
}

const invalid = (message: string, cause?: unknown): AwsError =>
  new AwsError('InvalidIdentityTokenException', message, cause === undefined ? {} : { cause });
const unreachable = (message: string, cause?: unknown): AwsError =>
  new AwsError('IDPCommunicationErrorException', message, cause === undefined ? {} : { cause });

/** Verifies tokens of OpenID Connect providers by the keys they publish. */
export class WebIdentities {
  readonly #clock: Clock;
  readonly #fetch: GuardedFetch | undefined;
  readonly #known = new LRUCache<string, KnownKeys>({ max: 1000 });
  readonly #fetching = new Map<string, Promise<KnownKeys>>();

  constructor(clock: Clock, fetch: GuardedFetch | undefined) {
    this.#clock = clock;
    this.#fetch = fetch;
  }

  /** The issuer a token names, unverified, only to find which provider is to verify it. @throws AwsError `InvalidIdentityToken` */
  issuerOf(token: string): string {
    try {
      const { iss } = decodeJwt(token);
      if (typeof iss === 'string') return iss;
    } catch (cause) {
      throw invalid('The ID Token provided is not a valid JWT.', cause);
    }
    throw invalid('The ID Token provided has no issuer (iss).');
  }

  /**
   * @param issuer `https://…`, as it was registered
   * @param clientIds the audiences that were registered; the token must be for one of them
   * @throws AwsError `InvalidIdentityToken`, `ExpiredToken`, `IDPCommunicationError`
   */
  async verify(token: string, issuer: string, clientIds: readonly string[]): Promise<JWTPayload & { sub: string }> {
    if (clientIds.length === 0) throw invalid('Incorrect token audience: the provider has no client IDs');
    const keys = await this.#keysFor(issuer, keyIdOf(token));
    try {
      const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
        issuer,
        audience: [...clientIds],
        algorithms,
        requiredClaims: ['exp', 'sub', 'aud'],
        clockTolerance: 60,
        currentDate: new Date(this.#clock.now()),
      });
      return payload as JWTPayload & { sub: string };
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw new AwsError('ExpiredTokenException', 'Token expired', { cause });
      if (cause instanceof errors.JWTClaimValidationFailed && cause.claim === 'aud')
        throw invalid('Incorrect token audience', cause);
      throw invalid("Couldn't verify the ID Token with the identity provider's keys", cause);
    }
  }

  /** Published keys, fetched again when the token's key is not among them. */
  async #keysFor(issuer: string, keyId: string | undefined): Promise<JSONWebKeySet> {
    const known = this.#known.get(issuer);
    const age = known === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonic() - known.readAt;
    const has = known?.keys.keys.some((key) => keyId === undefined || key.kid === keyId) === true;
    if (known !== undefined && (has ? age < keptFor : age < cooldown)) return known.keys;
    let fetching = this.#fetching.get(issuer);
    if (fetching === undefined) {
      fetching = this.#discover(issuer).finally(() => this.#fetching.delete(issuer));
      this.#fetching.set(issuer, fetching);
    }
    const fresh = await fetching;
    this.#known.set(issuer, fresh);
    return fresh.keys;
  }

  /** OpenID Connect Discovery 1.0, section 4. */
  async #discover(issuer: string): Promise<KnownKeys> {
    const configuration = (await this.#json(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)) as {
      issuer?: unknown;
      jwks_uri?: unknown;
    } | null;
    if (configuration?.issuer !== issuer) {
      throw unreachable(`The configuration of ${issuer} names another issuer`);
    }
    const address = configuration.jwks_uri;
    if (typeof address !== 'string' || !address.startsWith('https://')) {
      throw unreachable(`The configuration of ${issuer} names no https:// address of its keys`);
    }
    const keys = (await this.#json(address)) as Partial<JSONWebKeySet> | null;
    if (!Array.isArray(keys?.keys) || !keys.keys.every((key: unknown) => typeof key === 'object' && key !== null))
      throw unreachable(`What ${issuer} publishes as its keys is not a key set`);
    return { keys: keys as JSONWebKeySet, readAt: this.#clock.monotonic() };
  }

  async #json(url: string): Promise<unknown> {
    if (this.#fetch === undefined) throw unreachable('Requests to identity providers are not enabled on this server');
    try {
      const response = await this.#fetch(url, {
        signal: AbortSignal.timeout(fetchTimeout),
        headers: { accept: 'application/json' },
      });
      if (!response.ok) {
        await response.body?.cancel();
        throw unreachable(`${url} answered ${response.status}`);
      }
      return JSON.parse(await readAtMost(response, maxBody)) as unknown;
    } catch (cause) {
      if (cause instanceof AwsError) throw cause;
      throw unreachable(`${url} could not be read`, cause);
    }
  }
}

function keyIdOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch (cause) {
    throw invalid('The ID Token provided is not a valid JWT.', cause);
  }
}

async function readAtMost(response: Response, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > limit) throw unreachable(`the answer is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
