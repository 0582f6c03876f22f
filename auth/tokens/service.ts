import { hash, randomUUID } from 'node:crypto';
import { decodeProtectedHeader, errors, jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '@slipway/storage/clock';
import { barePrincipal, type Principal, type Scope } from '../contract/index.ts';
import { TokenError } from './errors.ts';
import { SigningKeys, type SigningKeysOptions } from './keys.ts';
import { restrictionOf } from './scopes.ts';
import { ALGORITHM, MAX_TOKEN_LENGTH, tokenUses, type TokenUse } from './uses.ts';

export interface TokenServiceOptions extends SigningKeysOptions {
  /** The `iss` of every token: the installation's own name, the same on all its servers, e.g. `slipway:000000000000`. */
  readonly issuer: string;
  readonly region: string;
}

/** A token that was just issued. */
export interface Issued {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** What a verified token says. */
export interface Verified {
  readonly principal: Principal;
  /** For `access`: what the token may be used for at most. */
  readonly scopes: readonly Scope[];
  readonly expiresAt: number;
  readonly id: string;
}

/** The private claims. */
interface Claims {
  readonly principal: Principal;
  readonly scopes?: readonly Scope[];
}

/**
 * Issues and verifies the installation's own tokens (JWT, Ed25519 only). Verification checks algorithm, key, `typ`, `aud`,
 * `iss`, `iat`, `exp`, `jti` and the lifetime; whether the principal may still act is the gateway's next question.
 */
export class TokenService {
  readonly #keys: SigningKeys;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #issuer: string;
  readonly #region: string;
  /** Verified tokens by digest: a pull asks with the same token for every layer. */
  readonly #verified = new LRUCache<string, Verified>({ max: 10_000 });

  constructor(options: TokenServiceOptions) {
    this.#keys = new SigningKeys(options);
    this.#clock = options.clock;
    this.#issuer = options.issuer;
    this.#region = options.region;
  }

  /**
   * ECR's authorization token for a caller: `token` is base64 of `AWS:<password>`, as GetAuthorizationToken answers it.
   * It ends with the caller's own credentials when those end first.
   */
  async issueAuthorization(principal: Principal): Promise<Issued & { readonly password: string }> {
    const issued = await this.#issue('authorization', { principal: barePrincipal(principal) });
    return { ...issued, password: issued.token, token: Buffer.from(`AWS:${issued.token}`).toString('base64') };
  }

  /** A docker Bearer token for scopes that the caller's policies were found to allow. */
  issueAccess(principal: Principal, scopes: readonly Scope[]): Promise<Issued> {
    return this.#issue('access', { principal: barePrincipal(principal), scopes });
  }

  /** A token by which one of our own processes speaks for a principal to another. */
  issueService(principal: Principal): Promise<Issued> {
    return this.#issue('service', { principal: barePrincipal(principal) });
  }

  async #issue(use: TokenUse, claims: Claims): Promise<Issued> {
    const { typ, audience, maxSeconds } = tokenUses[use];
    const issuedAt = Math.floor(this.#clock.now() / 1000);
    const ends = claims.principal.expiresAt;
    const expiresAt = Math.min(issuedAt + maxSeconds, ends === undefined ? Infinity : Math.floor(ends / 1000));
    const { kid, privateKey } = await this.#keys.signing();
    const token = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: ALGORITHM, kid, typ })
      .setIssuer(this.#issuer)
      .setAudience(audience)
      .setSubject(claims.principal.id === '' ? 'anonymous' : claims.principal.id)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .setJti(randomUUID())
      .sign(privateKey);
    if (token.length > MAX_TOKEN_LENGTH) throw new TokenError('the session policy is too long for a token');
    return { token, issuedAt: issuedAt * 1000, expiresAt: expiresAt * 1000 };
  }

  /**
   * @throws TokenError when the token is not one of ours for this use, or has ended
   */
  async verify(use: TokenUse, token: string): Promise<Verified> {
    if (token.length > MAX_TOKEN_LENGTH) throw new TokenError('the token is too long');
    const digest = `${use}:${hash('sha256', token, 'base64')}`;
    const known = this.#verified.get(digest);
    if (known !== undefined) {
      if (known.expiresAt > this.#clock.now()) return known;
      this.#verified.delete(digest);
      throw new TokenError('the token has expired', { expired: true });
    }
    const verified = await this.#verify(use, token);
    this.#verified.set(digest, verified);
    return verified;
  }

  async #verify(use: TokenUse, token: string): Promise<Verified> {
    const { typ, audience, maxSeconds } = tokenUses[use];
    let payload: JWTPayload & Partial<Claims>;
    try {
      const { kid } = decodeProtectedHeader(token);
      const key = typeof kid === 'string' && /^k[0-9]{1,12}$/.test(kid) ? await this.#keys.verifying(kid) : undefined;
      if (key === undefined) throw new TokenError('the token was signed by an unknown key');
      ({ payload } = await jwtVerify<Claims>(token, key, {
        algorithms: [ALGORITHM],
        issuer: this.#issuer,
        audience,
        typ,
        requiredClaims: ['exp', 'iat', 'jti', 'sub'],
        maxTokenAge: maxSeconds,
        currentDate: new Date(this.#clock.now()),
        clockTolerance: 5,
      }));
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError)
        throw new TokenError(error.message, { cause: error, expired: error instanceof errors.JWTExpired });
      throw error;
    }
    const { principal, scopes, exp, iat, jti, aud } = payload;
    // jose accepts an audience list that holds ours among others; a token of ours names exactly one.
    if (aud !== audience || typeof jti !== 'string') throw new TokenError('the token is for another audience');
    if (principal === undefined || exp === undefined || iat === undefined || exp - iat > maxSeconds) {
      throw new TokenError('the token lives longer than its use allows');
    }
    const granted = scopes ?? [];
    const restrictions = [
      ...(principal.restrictions ?? []),
      ...(use === 'access' ? [restrictionOf(granted, this.#region, principal.account)] : []),
    ];
    return {
      principal: { ...principal, ...(restrictions.length > 0 ? { restrictions } : {}) },
      scopes: granted,
      expiresAt: exp * 1000,
      id: jti,
    };
  }
}
