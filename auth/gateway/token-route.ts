import type Koa from 'koa';
import type { Clock } from '@slipway/storage/clock';
import {
  type Authorizer,
  type Call,
  GatewayError,
  type Principal,
  type ResourceRef,
  type Scope,
  type Standing,
} from '../contract/index.ts';
import {
  dockerActions,
  expandActions,
  formatScopes,
  parseScopes,
  ScopeError,
  type TokenService,
} from '../tokens/index.ts';
import { InputError, readForm } from '../protocol/index.ts';
import type { Bodies } from './body.ts';
import { dockerCaller, verifyToken } from './docker-auth.ts';
import { anonymous, type Exchange, GatewayCall } from './exchange.ts';
import type { Limits } from './options.ts';
import type { Origins } from './origin.ts';
import type { Throttle } from './throttle.ts';

export interface TokenRoutePorts {
  readonly tokens: TokenService;
  readonly standing: Standing;
  readonly authorizer: Authorizer;
  readonly repository: (account: string, name: string) => Promise<ResourceRef>;
  readonly throttle: Throttle;
  readonly bodies: Bodies;
  readonly limits: Pick<Limits, 'unsignedBytes'>;
  readonly origins: Origins;
  readonly clock: Pick<Clock, 'now'>;
  readonly region: string;
  readonly account: string;
}

/** Scopes of one token; a client without a login asks for the one image that it pulls. */
const MAX_SCOPES = 100;
const MAX_ANONYMOUS_SCOPES = 10;

/** Those of the specification are ten, of which `scope` may come often. */
const MAX_PARAMETERS = 200;

/**
 * The docker token endpoint (distribution's token and OAuth2 specifications), GET and POST. Scopes are cut to what the
 * caller's policies allow now; asking for more is not an error, and no answer tells whether a repository exists.
 */
export class TokenRoute {
  readonly #ports: TokenRoutePorts;

  constructor(ports: TokenRoutePorts) {
    this.#ports = ports;
  }

  async serve(ctx: Koa.Context, exchange: Exchange): Promise<void> {
    exchange.service = 'token';
    exchange.operation = `${ctx.method} token`;
    const { bodies, limits } = this.#ports;
    ctx.set('Cache-Control', 'no-store');
    try {
      const post = ctx.method === 'POST';
      const form = readForm(
        post ? (await bodies.read(exchange, limits.unsignedBytes)).toString('utf8') : ctx.querystring,
        MAX_PARAMETERS,
      );
      exchange.principal = post ? await this.#fromForm(form, exchange) : await this.#fromHeader(exchange);
      await this.#ports.throttle.admit(exchange);
      const most = exchange.principal.type === 'anonymous' ? MAX_ANONYMOUS_SCOPES : MAX_SCOPES;
      const granted = await this.#grant(parseScopes(form.getAll('scope'), most), exchange);
      const { token, issuedAt, expiresAt } = await this.#ports.tokens.issueAccess(exchange.principal, granted);
      ctx.body = {
        token,
        access_token: token,
        // Clients take less than a minute for a mistake; a session in its last minute has its token end with it all the same.
        expires_in: Math.max(60, Math.floor((expiresAt - issuedAt) / 1000)),
        issued_at: new Date(issuedAt).toISOString(),
        ...(post ? { scope: formatScopes(granted), token_type: 'Bearer' } : {}),
      };
    } catch (error) {
      this.#refuse(ctx, exchange, error);
    }
  }

  async #fromHeader(exchange: Exchange): Promise<Principal> {
    const { tokens, standing, throttle } = this.#ports;
    try {
      const caller = await dockerCaller(exchange.request, tokens, standing, exchange);
      if (caller === undefined) return anonymous;
      // A Bearer token must not renew itself.
      if (caller.via === 'bearer')
        throw new GatewayError('unauthenticated', 'log in with user AWS and the password from GetAuthorizationToken');
      exchange.via = 'basic';
      return caller.verified.principal;
    } catch (error) {
      if (error instanceof GatewayError && error.kind === 'unauthenticated') await throttle.failed(exchange, 'docker');
      throw error;
    }
  }

  /** The OAuth2 form of containerd and BuildKit: `grant_type=password`. There are no refresh tokens to trade. */
  async #fromForm(form: URLSearchParams, exchange: Exchange): Promise<Principal> {
    const { tokens, standing, throttle } = this.#ports;
    const username = form.get('username');
    const password = form.get('password');
    // Clients take "not found" as "no OAuth2 here" and fall back to GET.
    if (form.get('grant_type') !== 'password') throw new GatewayError('not-found', 'the only grant type is password');
    try {
      if (username !== 'AWS' || password === null)
        throw new GatewayError('unauthenticated', 'the user name must be AWS');
      const { principal } = await verifyToken('authorization', password, tokens, standing, exchange);
      exchange.via = 'basic';
      return principal;
    } catch (error) {
      if (error instanceof GatewayError && error.kind === 'unauthenticated') await throttle.failed(exchange, 'docker');
      throw error;
    }
  }

  async #grant(scopes: readonly Scope[], exchange: Exchange): Promise<readonly Scope[]> {
    const { region, account, origins, clock } = this.#ports;
    const call = new GatewayCall(exchange, {
      account,
      region,
      endpoint: origins.endpoint(exchange.request, false),
      now: clock.now(),
    });
    const granted: Scope[] = [];
    for (const scope of scopes) {
      const actions =
        scope.type === 'registry' ? catalogActions(exchange.principal) : await this.#actions(scope, exchange, call);
      if (actions.length > 0) granted.push({ ...scope, actions });
    }
    return granted;
  }

  async #actions(scope: Scope, exchange: Exchange, call: Call): Promise<readonly string[]> {
    const resource = await this.#ports.repository(call.account, scope.name);
    const allowed: string[] = [];
    for (const action of expandActions(scope.actions)) {
      // Strangers may pull what is public, and nothing else.
      if (exchange.principal.type === 'anonymous' && action !== 'pull') continue;
      const needs = dockerActions[action]?.needs ?? [];
      if (needs.length > 0 && (await this.#all(needs, resource, exchange, call))) allowed.push(action);
    }
    return allowed;
  }

  async #all(needs: readonly string[], resource: ResourceRef, exchange: Exchange, call: Call): Promise<boolean> {
    for (const action of needs) {
      const access = { action, resources: [resource] };
      const decision = await this.#ports.authorizer.authorize(exchange.principal, access, call);
      exchange.judged.push({ access, decision });
      if (!decision.allowed) return false;
    }
    return true;
  }

  #refuse(ctx: Koa.Context, exchange: Exchange, error: unknown): void {
    const { status, code, message } = refusal(error);
    if (error instanceof GatewayError && error.retryAfter !== undefined)
      ctx.set('Retry-After', String(error.retryAfter));
    if (status === 401)
      ctx.set('WWW-Authenticate', `Basic realm="${this.#ports.origins.endpoint(exchange.request, false)}/token"`);
    exchange.errorCode = code;
    if (exchange.detail === undefined && error instanceof Error) exchange.detail = error.message;
    ctx.status = status;
    ctx.body = { errors: [{ code, message }] };
  }
}

function refusal(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof ScopeError || error instanceof InputError)
    return { status: 400, code: 'UNSUPPORTED', message: error.message };
  if (error instanceof GatewayError) {
    const [status, code] = kinds[error.kind];
    return { status, code, message: error.message };
  }
  return { status: 503, code: 'UNAVAILABLE', message: 'the token could not be issued; try again' };
}

/** The catalog shows each caller what its policies let it see: whoever has a name may ask for it. */
const catalogActions = (principal: Principal): readonly string[] => (principal.type === 'anonymous' ? [] : ['*']);

const kinds: Readonly<Record<GatewayError['kind'], readonly [number, string]>> = {
  unauthenticated: [401, 'UNAUTHORIZED'],
  denied: [403, 'DENIED'],
  'not-found': [404, 'UNSUPPORTED'],
  'method-not-allowed': [405, 'UNSUPPORTED'],
  throttled: [429, 'TOOMANYREQUESTS'],
  'too-large': [413, 'SIZE_INVALID'],
  'bad-request': [400, 'UNSUPPORTED'],
  unavailable: [503, 'UNAVAILABLE'],
};
