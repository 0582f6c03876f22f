import type { IncomingMessage } from 'node:http';
import { type AccessList, GatewayError, type Scope, type Standing } from '../contract/index.ts';
import { formatScopes, TokenError, type TokenService, type Verified } from '../tokens/index.ts';
import type { Exchange } from './exchange.ts';

/** A docker client's credentials, verified. */
export interface DockerCaller {
  readonly via: 'basic' | 'bearer';
  readonly verified: Verified;
}

/**
 * Reads and verifies the Authorization header of a docker client: Basic `AWS:<authorization token>` or a Bearer token of
 * ours. Access keys are never passwords here.
 * @returns undefined without the header
 * @throws GatewayError `bad-request` for two headers, `unauthenticated` for anything that is not accepted
 */
export async function dockerCaller(
  request: IncomingMessage,
  tokens: TokenService,
  standing: Standing,
  exchange: Exchange,
): Promise<DockerCaller | undefined> {
  const header = request.headers.authorization;
  if (header === undefined) return undefined;
  // node:http silently keeps the first of several.
  if (countAuthorization(request.rawHeaders) > 1) {
    throw new GatewayError('bad-request', 'there must be one Authorization header');
  }
  const space = header.indexOf(' ');
  const scheme = header.slice(0, space === -1 ? undefined : space).toLowerCase();
  const value = space === -1 ? '' : header.slice(space + 1).trim();
  const via = scheme === 'basic' || scheme === 'bearer' ? scheme : undefined;
  const token = via === 'basic' ? passwordOf(value) : value;
  if (via === undefined || token === undefined || token === '') {
    exchange.detail = 'credentials are neither Basic with user AWS nor Bearer';
    throw rejected();
  }
  return {
    via,
    verified: await verifyToken(via === 'basic' ? 'authorization' : 'access', token, tokens, standing, exchange),
  };
}

/**
 * Verifies a docker token and that its principal may still act.
 * @throws GatewayError `unauthenticated`; `denied` for a login that has ended; `unavailable` when it cannot be found out
 */
export async function verifyToken(
  use: 'authorization' | 'access',
  token: string,
  tokens: TokenService,
  standing: Standing,
  exchange: Exchange,
): Promise<Verified> {
  let verified: Verified;
  let stands: boolean;
  try {
    verified = await tokens.verify(use, token);
    stands = verified.principal.type === 'anonymous' || (await standing.standing(verified.principal));
  } catch (cause) {
    exchange.detail = cause instanceof Error ? cause.message : 'the token could not be checked';
    if (cause instanceof TokenError) throw use === 'authorization' && cause.expired ? expired() : rejected();
    throw new GatewayError('unavailable', 'the credentials could not be checked; try again', 1);
  }
  if (!stands) {
    exchange.detail = `the token's principal ${verified.principal.arn} may no longer act`;
    throw rejected();
  }
  return verified;
}

/** ECR's own words, which docker shows. Only who has once logged in gets here: the signature of an expired token is right. */
const expired = (): GatewayError =>
  new GatewayError('denied', 'Your authorization token has expired. Reauthenticate and try again.');

/** One answer to every other credential that is not accepted, whatever was wrong with it. */
const rejected = (): GatewayError =>
  new GatewayError(
    'unauthenticated',
    'the credentials are not valid; log in with user AWS and the password from GetAuthorizationToken',
  );

function passwordOf(value: string): string | undefined {
  const text = Buffer.from(value, 'base64').toString('utf8');
  return text.startsWith('AWS:') ? text.slice(4) : undefined;
}

function countAuthorization(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 13 && name.toLowerCase() === 'authorization') count++;
  }
  return count;
}

/** The `WWW-Authenticate` values we send. */
export interface Challenges {
  /** For a caller without accepted credentials. An endpoint that is not reachable for it cannot be where it gets its tokens. */
  login(endpoint: string, scopes: readonly Scope[], reachable: boolean): string;
  /** For a Bearer token whose scopes do not cover what was asked. */
  insufficientScope(endpoint: string, scopes: readonly Scope[]): string;
}

export const challenges = (kind: 'basic' | 'bearer'): Challenges => ({
  login: (endpoint, scopes, reachable) =>
    kind === 'basic' || !reachable
      ? `Basic realm="${endpoint}/",service="ecr.amazonaws.com"`
      : bearer(endpoint, scopes),
  insufficientScope: (endpoint, scopes) => `${bearer(endpoint, scopes)},error="insufficient_scope"`,
});

const bearer = (endpoint: string, scopes: readonly Scope[]): string =>
  `Bearer realm="${endpoint}/token",service="${endpoint.replace(/^https?:\/\//, '')}"` +
  (scopes.length === 0 ? '' : `,scope="${formatScopes(scopes)}"`);

/** What a docker client must ask `/token` for to be allowed this: the repositories and verbs behind an access list. */
export function scopesFor(list: AccessList): readonly Scope[] {
  const actions = new Map<string, Set<string>>();
  for (const { action, resources } of list) {
    const verb = verbOf(action);
    for (const { arn } of resources) {
      const name = /^arn:[^:]*:ecr:[^:]*:[^:]*:repository\/([a-z0-9._/-]{1,256})$/.exec(arn)?.[1];
      if (name === undefined || verb === undefined) continue;
      const known = actions.get(name);
      if (known === undefined) actions.set(name, new Set([verb]));
      else known.add(verb);
    }
  }
  return [...actions].map(([name, verbs]) => ({
    type: 'repository' as const,
    name,
    // Whoever pushes also looks whether the layer is there.
    actions: verbs.has('push') ? ['pull', ...[...verbs].filter((verb) => verb !== 'pull')] : [...verbs],
  }));
}

function verbOf(action: string): string | undefined {
  switch (action) {
    case 'ecr:PutImage':
    case 'ecr:InitiateLayerUpload':
    case 'ecr:UploadLayerPart':
    case 'ecr:CompleteLayerUpload':
    case 'ecr:CreateRepository':
      return 'push';
    case 'ecr:BatchDeleteImage':
      return 'delete';
    default:
      return action.startsWith('ecr:') ? 'pull' : undefined;
  }
}
