import type Koa from 'koa';
import { StoreUnavailable } from '@slipway/storage/records';
import type { Clock } from '@slipway/storage/clock';
import {
  type AccessList,
  type Answer,
  type Authorizer,
  AwsError,
  type BrowserCalls,
  type Call,
  GatewayError,
  type Log,
  type Scope,
  type Standing,
  type StreamedBody,
  type WebRoute,
  type WebService,
} from '../contract/index.ts';
import { SignatureError, type SignatureVerifier } from '../sigv4/index.ts';
import { asksOnly, browserCaller } from './browser-caller.ts';
import { formatScopes, type TokenService } from '../tokens/index.ts';
import { deniedMessage, firstDenied } from './authorize.ts';
import type { Bodies } from './body.ts';
import { type Challenges, type DockerCaller, dockerCaller, scopesFor } from './docker-auth.ts';
import { type Exchange, GatewayCall } from './exchange.ts';
import type { Origins } from './origin.ts';
import { oneByteText, type Remember, type Repeatable, Repeats, send } from './repeats.ts';
import { identifySigner } from './signed-caller.ts';
import { identifyObjectSigner, nothing as noBody } from './signed-object.ts';
import type { Throttle } from './throttle.ts';

export interface WebFrontPorts {
  readonly tokens: TokenService;
  readonly verifier: SignatureVerifier;
  readonly standing: Standing;
  readonly authorizer: Authorizer;
  readonly throttle: Throttle;
  readonly bodies: Bodies;
  readonly origins: Origins;
  readonly challenges: Challenges;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly stamp?: (() => number) | undefined;
  readonly log: Log;
  readonly region: string;
  readonly account: string;
}

/** Lets a piece of work answer within Koa. */
export type WithinKoa = (work: (ctx: Koa.Context) => Promise<void>) => Promise<void>;

/** What was found out about a request before it was refused or let in. */
interface Seen {
  caller: DockerCaller | undefined;
  list: AccessList | undefined;
  route: WebRoute | undefined;
}

/** Serves the services that are not AWS APIs: find the route, find out who calls, authorize, run. */
export class WebFront {
  readonly #ports: WebFrontPorts;
  readonly #repeats: Repeats | undefined;

  constructor(ports: WebFrontPorts) {
    this.#ports = ports;
    this.#repeats = ports.stamp && new Repeats(ports.stamp, ports.clock);
  }

  /**
   * Answers one request; every error is rendered by the service in its own format.
   * @param koa goes on within Koa, for whatever is not answered without it
   * @param browser who has a session, where the request comes by one instead of a signature
   */
  serve(exchange: Exchange, service: WebService, koa: WithinKoa, browser?: BrowserCalls): void | Promise<void> {
    exchange.service = service.name;
    try {
      if (browser !== undefined) return this.#anew(exchange, service, koa, undefined, browser);
      const before = reads(exchange) ? this.#repeats?.find(exchange) : undefined;
      if (before === undefined || typeof before === 'function') return this.#anew(exchange, service, koa, before);
      const given = this.#again(exchange, before);
      return given === undefined ? undefined : given.catch((error) => this.#refuse(error, exchange, service, koa));
    } catch (error) {
      return this.#refuse(error, exchange, service, koa);
    }
  }

  #refuse(error: unknown, exchange: Exchange, service: WebService, koa: WithinKoa, seen = nothing): Promise<void> {
    return koa(async (ctx) => this.#render(ctx, exchange, service, this.#worded(error, exchange, service, seen)));
  }

  async #anew(
    exchange: Exchange,
    service: WebService,
    koa: WithinKoa,
    remember: Remember | undefined,
    browser?: BrowserCalls,
  ): Promise<void> {
    const seen: Seen = { ...nothing };
    let route: WebRoute;
    let call: Call;
    let body = noBody;
    try {
      const { authentication } = service;
      if (browser !== undefined) await browserCaller(exchange, browser, this.#ports);
      else if (authentication === 'docker') seen.caller = await this.#caller(exchange);
      else if (authentication !== 'none') body = await this.#signer(exchange, authentication);
      const admitted = this.#ports.throttle.admit(exchange);
      if (admitted !== undefined) await admitted;
      seen.route = route = find(service, exchange);
      const { caller: prove } = route;
      if (prove !== undefined) return await koa((ctx) => this.#serveProven(ctx, exchange, service, route, prove));
      call = this.#call(exchange);
      await this.#admit(exchange, route, call, seen);
      if (browser !== undefined && asksOnly(exchange))
        return await koa(async (ctx) => {
          ctx.body = { allowed: true };
        });
      if (route.respond !== undefined) {
        const answered = route.respond(exchange.request, answerTo(exchange, seen, remember), call);
        if (answered !== undefined) await answered;
        return;
      }
    } catch (error) {
      return this.#refuse(error, exchange, service, koa, seen);
    }
    const { handle } = route;
    await koa(async (ctx) => {
      try {
        await handle(ctx, call, body);
      } catch (error) {
        this.#render(ctx, exchange, service, this.#worded(error, exchange, service, seen));
      }
    });
  }

  /** @throws GatewayError when the caller is over its rate */
  #again(exchange: Exchange, answer: Repeatable): void | Promise<void> {
    exchange.principal = answer.principal;
    exchange.via = answer.via;
    const admitted = this.#ports.throttle.admit(exchange);
    if (admitted === undefined) return give(exchange, answer);
    return admitted.then(() => give(exchange, answer));
  }

  /** A route whose requests carry their own proof; who sends them has no use for docker's challenges. */
  async #serveProven(
    ctx: Koa.Context,
    exchange: Exchange,
    service: WebService,
    route: WebRoute,
    prove: NonNullable<WebRoute['caller']>,
  ): Promise<void> {
    try {
      await this.#prove(prove, ctx, exchange);
      const call = this.#call(exchange);
      await this.#admit(exchange, route, call, { caller: undefined, list: undefined, route }, true);
      if (route.handle === undefined) throw new Error(`route ${route.name} proves its callers, which needs Koa`);
      await route.handle(ctx, call);
    } catch (error) {
      this.#render(ctx, exchange, service, unavailable(error));
    }
  }

  /** @throws GatewayError when the caller is not allowed what the route declares */
  async #admit(exchange: Exchange, route: WebRoute, call: Call, seen: Seen, proven = false): Promise<void> {
    const { access } = route;
    const { caller } = seen;
    if (typeof access === 'function') {
      seen.list = await this.#accessOf(
        access,
        call,
        exchange.principal.type !== 'anonymous' || caller !== undefined || proven,
      );
      await this.#authorize(exchange, call, seen.list);
    } else if (access === 'authenticated') {
      if (exchange.principal.type === 'anonymous') throw unauthenticated();
      if (caller?.via === 'bearer' && !holds(caller, route.scopes ?? []))
        throw new GatewayError(
          'denied',
          `the token is not for this; it takes one for ${formatScopes(route.scopes ?? [])}`,
        );
    } else if (access !== 'anonymous') {
      throw new Error(`route ${route.name} declares no access`);
    }
  }

  async #caller(exchange: Exchange): Promise<DockerCaller | undefined> {
    const { tokens, standing, throttle } = this.#ports;
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

  /** @throws GatewayError `unauthenticated` in the words of AWS; SignatureError of a service of objects, which has words of its own */
  async #signer(
    exchange: Exchange,
    authentication: Exclude<WebService['authentication'], string>,
  ): Promise<StreamedBody> {
    if ('objects' in authentication) return identifyObjectSigner(exchange, authentication.objects, this.#ports);
    try {
      await identifySigner(exchange, authentication.sigv4, this.#ports);
      return noBody;
    } catch (error) {
      throw error instanceof SignatureError ? new GatewayError('unauthenticated', error.message) : error;
    }
  }

  /** Whoever a route's own proof is for acts; one that is not good counts as a failed login for this very path. */
  async #prove(prove: NonNullable<WebRoute['caller']>, ctx: Koa.Context, exchange: Exchange): Promise<void> {
    try {
      ({ principal: exchange.principal, via: exchange.via } = await prove(
        ctx,
        (limit) => this.#ports.bodies.read(exchange, limit),
        { sourceIp: exchange.sourceIp, endpoint: this.#ports.origins.endpoint(exchange.request, false) },
      ));
    } catch (error) {
      if (error instanceof GatewayError && error.kind === 'unauthenticated')
        await this.#ports.throttle.failed(exchange, ctx.path);
      throw error;
    }
  }

  #call(exchange: Exchange): Call {
    const { region, account, origins, clock } = this.#ports;
    return new GatewayCall(exchange, {
      account,
      region,
      endpoint: origins.endpoint(exchange.request, false),
      now: clock.now(),
    });
  }

  /** A caller who has not logged in learns nothing from how its request fails before it was allowed. */
  async #accessOf(
    access: (call: Call) => AccessList | Promise<AccessList>,
    call: Call,
    known: boolean,
  ): Promise<AccessList> {
    try {
      return await access(call);
    } catch (error) {
      if (!known && !(error instanceof StoreUnavailable)) throw unauthenticated();
      throw error;
    }
  }

  async #authorize(exchange: Exchange, call: Call, list: AccessList): Promise<void> {
    const denied = await firstDenied(this.#ports.authorizer, exchange, call, list);
    if (denied === undefined) return;
    if (exchange.principal.type === 'anonymous') throw unauthenticated();
    throw new GatewayError('denied', deniedMessage(exchange.principal, denied));
  }

  /** Adds docker's challenge to whatever means "log in (again)" to docker. */
  #worded(error: unknown, exchange: Exchange, { authentication }: WebService, { caller, list, route }: Seen): unknown {
    if (!(error instanceof GatewayError)) return unavailable(error);
    if (typeof authentication === 'object') return error;
    const { challenges, origins } = this.#ports;
    const scopes = list === undefined ? (route?.scopes ?? []) : scopesFor(list);
    const endpoint = (): string => origins.endpoint(exchange.request, false);
    if (error.kind === 'unauthenticated') {
      return new GatewayError(
        'unauthenticated',
        error.message,
        undefined,
        challenges.login(endpoint(), scopes, origins.isReachable(exchange.request)),
      );
    }
    if (error.kind !== 'denied' || caller?.via !== 'bearer' || holds(caller, scopes)) return error;
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
      this.#ports.log.error(
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
    if (ctx.status >= 500 && !(error instanceof GatewayError) && !(error instanceof AwsError)) {
      this.#ports.log.error(
        { requestId: exchange.requestId, service: service.name, operation: exchange.operation, err: error },
        'a request failed',
      );
    }
    if (!(error instanceof GatewayError)) return;
    if (error.challenge !== undefined && !ctx.res.headersSent) ctx.set('WWW-Authenticate', error.challenge);
    if (error.retryAfter !== undefined && !ctx.res.headersSent) ctx.set('Retry-After', String(error.retryAfter));
  }
}

const nothing: Seen = { caller: undefined, list: undefined, route: undefined };

/** Gives an earlier answer once more. */
function give(exchange: Exchange, answer: Repeatable): void {
  exchange.operation = answer.operation;
  exchange.judged = answer.judged;
  if (exchange.response !== undefined) send(exchange.response, exchange.requestId, answer);
  exchange.again = answer;
  answer.also?.();
}

/** Whether a token is for all of these scopes. */
const holds = ({ verified }: DockerCaller, scopes: readonly Scope[]): boolean =>
  scopes.every(({ type, name, actions }) => {
    const held = verified.scopes.find((scope) => scope.type === type && scope.name === name)?.actions ?? [];
    return held.includes('*') || actions.every((action) => held.includes(action));
  });

const reads = ({ request: { method } }: Exchange): boolean => method === 'GET' || method === 'HEAD';

const answerTo =
  (exchange: Exchange, { caller }: Seen, remember: Remember | undefined): Answer =>
  (status, headers, bytes, repeatable) => {
    const { request, response, requestId, principal, via, operation, judged } = exchange;
    if (response === undefined) throw new Error('there is nobody to answer to');
    const body = bytes === undefined || request.method === 'HEAD' ? undefined : oneByteText(bytes);
    send(response, requestId, { status, headers, body });
    if (remember === undefined || repeatable === undefined) return;
    remember(
      { principal, via, operation, judged: [...judged], status, headers, body, also: repeatable.also },
      caller?.verified.expiresAt,
    );
  };

/** What a store that cannot be asked means to callers; other errors as they are. */
const unavailable = (error: unknown): unknown =>
  error instanceof StoreUnavailable
    ? new GatewayError('unavailable', 'the service is unavailable; try again', 1)
    : error;

/** More than the specification's own two words: docker takes those alone, without a detail, for a failure to try again for 50 seconds. */
const unauthenticated = (): GatewayError =>
  new GatewayError('unauthenticated', 'authentication required; log in first');

/** Finds the route; the path stays raw, so that nobody decodes it a second time. */
function find(service: WebService, exchange: Exchange): WebRoute {
  const { url: target = '/', method = 'GET' } = exchange.request;
  const at = target.indexOf('?');
  const path = at === -1 ? target : target.slice(0, at);
  const query = new URLSearchParams(at === -1 ? '' : target.slice(at + 1));
  const route = service.route(method, path, query, exchange.request.headers);
  if (route === undefined) throw new GatewayError('not-found', 'there is nothing at this path');
  exchange.operation = route.name;
  return route;
}
