import type Koa from 'koa';
import { StoreUnavailable } from '@slipway/storage/records';
import type { Clock } from '@slipway/storage/clock';
import type { TokenService } from '../tokens/index.ts';
import { deniedMessage, firstDenied } from './authorize.ts';
import type { Authorizer } from './authorizer.ts';
import { type Challenges, type DockerCaller, dockerCaller, scopesFor } from './docker-auth.ts';
import { type Exchange, GatewayCall } from './exchange.ts';
import type { Log } from './log.ts';
import type { Origins } from './origin.ts';
import { type AccessList, type Call, GatewayError, type WebRoute, type WebService } from './service.ts';
import type { Standing } from './standing.ts';
import type { Throttle } from './throttle.ts';

export interface WebFrontParts {
  readonly tokens: TokenService;
  readonly standing: Standing;
  readonly authorizer: Authorizer;
  readonly throttle: Throttle;
  readonly origins: Origins;
  readonly challenges: Challenges;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly region: string;
  readonly account: string;
}

/** Serves the services that are not AWS APIs: find the route, find out who calls, authorize, run. */
export class WebFront {
  readonly #parts: WebFrontParts;

  constructor(parts: WebFrontParts) {
    this.#parts = parts;
  }

  /** Answers one request; every error is rendered by the service in its own format. */
  async serve(ctx: Koa.Context, exchange: Exchange, service: WebService): Promise<void> {
    exchange.service = service.name;
    let caller: DockerCaller | undefined;
    let list: AccessList | undefined;
    let proves = false;
    try {
      if (service.authentication === 'docker') caller = await this.#caller(exchange);
      const admitted = this.#parts.throttle.admit(exchange);
      if (admitted !== undefined) await admitted;
      const route = find(service, ctx, exchange);
      proves = route.caller !== undefined;
      if (route.caller !== undefined) await this.#prove(route.caller, ctx, exchange);
      const call = this.#call(exchange);
      if (typeof route.access === 'function') {
        list = await this.#accessOf(route, call, caller !== undefined || proves);
        await this.#authorize(exchange, call, list);
      } else if (route.access === 'authenticated') {
        if (caller === undefined || caller.verified.principal.type === 'anonymous') throw unauthenticated();
      } else if (route.access !== 'anonymous') {
        throw new Error(`route ${route.name} declares no access`);
      }
      await route.handle(ctx, call);
    } catch (error) {
      // Who proves itself to a route has no use for docker's challenges.
      this.#render(ctx, exchange, service, proves ? unavailable(error) : this.#worded(error, exchange, caller, list));
    }
  }

  async #caller(exchange: Exchange): Promise<DockerCaller | undefined> {
    const { tokens, standing, throttle } = this.#parts;
    let caller: DockerCaller | undefined;
    try {
      caller = await dockerCaller(exchange.request, tokens, standing, exchange);
    } catch (error) {
      if (error instanceof GatewayError && error.kind === 'unauthenticated') await throttle.failed(exchange, 'docker');
      throw error;
    }
    if (caller !== undefined) {
      exchange.via = caller.via;
      exchange.principal = caller.verified.principal;
    }
    return caller;
  }

  /** Whoever a route's own proof is for acts; one that is not good counts as a failed login for this very path. */
  async #prove(prove: NonNullable<WebRoute['caller']>, ctx: Koa.Context, exchange: Exchange): Promise<void> {
    try {
      ({ principal: exchange.principal, via: exchange.via } = await prove(ctx));
    } catch (error) {
      if (error instanceof GatewayError && error.kind === 'unauthenticated')
        await this.#parts.throttle.failed(exchange, ctx.path);
      throw error;
    }
  }

  #call(exchange: Exchange): Call {
    const { region, account, origins, clock } = this.#parts;
    return new GatewayCall(exchange, {
      account,
      region,
      endpoint: origins.endpoint(exchange.request, false),
      now: clock.now(),
    });
  }

  /** A caller who has not logged in learns nothing from how its request fails before it was allowed. */
  async #accessOf(route: WebRoute, call: Call, known: boolean): Promise<AccessList> {
    const access = route.access as (call: Call) => AccessList | Promise<AccessList>;
    try {
      return await access(call);
    } catch (error) {
      if (!known && !(error instanceof StoreUnavailable)) throw unauthenticated();
      throw error;
    }
  }

  async #authorize(exchange: Exchange, call: Call, list: AccessList): Promise<void> {
    const denied = await firstDenied(this.#parts.authorizer, exchange, call, list);
    if (denied === undefined) return;
    if (exchange.principal.type === 'anonymous') throw unauthenticated();
    throw new GatewayError('denied', deniedMessage(exchange.principal, denied));
  }

  /** Adds the challenge to whatever means "log in (again)". */
  #worded(error: unknown, exchange: Exchange, caller: DockerCaller | undefined, list: AccessList | undefined): unknown {
    if (!(error instanceof GatewayError)) return unavailable(error);
    const { challenges, origins } = this.#parts;
    const scopes = list === undefined ? [] : scopesFor(list);
    const endpoint = (): string => origins.endpoint(exchange.request, false);
    if (error.kind === 'unauthenticated') {
      return new GatewayError('unauthenticated', error.message, undefined, challenges.login(endpoint(), scopes));
    }
    const narrow =
      error.kind === 'denied' &&
      caller?.via === 'bearer' &&
      scopes.some(({ name, actions }) => {
        const held = caller.verified.scopes.find((scope) => scope.name === name)?.actions ?? [];
        return actions.some((action) => !held.includes(action) && !held.includes('*'));
      });
    if (!narrow) return error;
    return new GatewayError(
      'unauthenticated',
      error.message,
      undefined,
      challenges.insufficientScope(endpoint(), scopes),
    );
  }

  #render(ctx: Koa.Context, exchange: Exchange, service: WebService, error: unknown): void {
    if (ctx.res.headersSent) {
      // Half an answer is out: all that is left is to let the client see that it is not whole.
      this.#parts.log.error(
        { requestId: exchange.requestId, service: service.name, operation: exchange.operation, err: error },
        'a response was cut',
      );
      ctx.respond = false;
      ctx.res.destroy();
      return;
    }
    ctx.respond = true;
    service.renderError(ctx, error);
    exchange.errorCode = error instanceof GatewayError ? error.kind : error instanceof Error ? error.name : 'Error';
    if (ctx.status >= 500 && !(error instanceof GatewayError)) {
      this.#parts.log.error(
        { requestId: exchange.requestId, service: service.name, operation: exchange.operation, err: error },
        'a request failed',
      );
    }
    if (!(error instanceof GatewayError)) return;
    if (error.challenge !== undefined && !ctx.res.headersSent) ctx.set('WWW-Authenticate', error.challenge);
    if (error.retryAfter !== undefined && !ctx.res.headersSent) ctx.set('Retry-After', String(error.retryAfter));
  }
}

/** What a store that cannot be asked means to callers; other errors as they are. */
const unavailable = (error: unknown): unknown =>
  error instanceof StoreUnavailable
    ? new GatewayError('unavailable', 'the service is unavailable; try again', 1)
    : error;

const unauthenticated = (): GatewayError => new GatewayError('unauthenticated', 'authentication required');

/** Finds the route; the path stays raw, so that nobody decodes it a second time. */
function find(service: WebService, ctx: Koa.Context, exchange: Exchange): WebRoute {
  const target = ctx.req.url ?? '/';
  const at = target.indexOf('?');
  const path = at === -1 ? target : target.slice(0, at);
  const route = service.route(
    ctx.req.method ?? 'GET',
    path,
    new URLSearchParams(at === -1 ? '' : target.slice(at + 1)),
  );
  if (route === undefined) throw new GatewayError('not-found', 'there is nothing at this path');
  exchange.operation = route.name;
  return route;
}
