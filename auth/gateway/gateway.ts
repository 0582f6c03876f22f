import { Router } from '@koa/router';
import Koa from 'koa';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import type { Socket } from 'node:net';
import { SignatureVerifier } from '../sigv4/index.ts';
import { AwsFront, isRpc } from './aws.ts';
import { AwsRoutes } from './aws-routes.ts';
import { Bodies } from './body.ts';
import { audited, auditMoment } from './audited.ts';
import { denialOf } from './denied.ts';
import { challenges } from './docker-auth.ts';
import { GatewayConfigError } from './errors.ts';
import { Exchange, goneStatus } from './exchange.ts';
import { answerRaw, badHead } from './heads.ts';
import { type Listener, type Listening, type ListenOptions, openListener } from './listener.ts';
import { GatewayMetrics } from './metrics.ts';
import { defaultLimits, type GatewayOptions, type Limits } from './options.ts';
import { addressList, Origins, unknownHost } from './origin.ts';
import { ownRoutes } from './own-routes.ts';
import { noSniffing } from './repeats.ts';
import { isSignedFor, mayNameBucket, objectsOf } from './signed-object.ts';
import { beginSpan, endSpan } from './request-span.ts';
import type { UpgradeService, WebService } from '../contract/index.ts';
import { Throttle } from './throttle.ts';
import { TokenRoute } from './token-route.ts';
import { UpgradeFront } from './upgrades.ts';
import { WebFront, type WithinKoa } from './web.ts';

/** One thing that can be called, for the authorization matrix and for people. */
export interface GatewayRoute {
  readonly kind: 'aws' | 'web' | 'upgrade' | 'own';
  readonly service: string;
  readonly operation: string;
  /** `policy`: what the caller's policies say; `proof`: what those say of whoever the request's own proof is for. */
  readonly access: 'authenticated' | 'anonymous' | 'policy' | 'proof';
  /** How to call it: method and path of a web route, `X-Amz-Target` or `Action` of an operation. */
  readonly method?: string;
  readonly path?: string;
  /** Of an operation by a Query protocol: services that share a signing name are told apart by it. */
  readonly apiVersion?: string;
}

export interface Gateway {
  /** Everything that can be called. */
  readonly routes: readonly GatewayRoute[];
  /** @throws ListenError whose message says what to do */
  listen(options: ListenOptions): Promise<Listening>;
  /** Stops accepting, lets requests finish, then closes. @param deadlineMs default 10,000 */
  close(deadlineMs?: number): Promise<void>;
}

/**
 * Puts the front door together. Everything that can be called must declare what its callers need; what does not, does not start.
 * @throws GatewayConfigError
 */
export function createGateway(options: GatewayOptions): Gateway {
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const web = options.web ?? [];
  const byPath = web.filter((service) => objectsOf(service) === undefined);
  const objects = web.find((service) => objectsOf(service) !== undefined);
  const objectsName = objects && objectsOf(objects);
  const upgrades = new Map((options.upgrades ?? []).map((service) => [service.path, service] as const));
  const protocols = new Set(['websocket', ...[...upgrades.values()].flatMap(({ protocol }) => protocol ?? [])]);
  const routes = new AwsRoutes(options.services, options.region, limits.bodyBytes);
  const known = enumerate(routes, web, [...upgrades.values()]);
  const shared = {
    ...options,
    verifier: new SignatureVerifier(options),
    throttle: new Throttle(options.rates),
    origins: new Origins(options),
    bodies: new Bodies(limits.heldBytes),
    limits,
  };
  const awsFront = new AwsFront({ ...shared, routes });
  const webFront = new WebFront({ ...shared, challenges: challenges(options.dockerChallenge ?? 'bearer') });
  const upgradeFront = new UpgradeFront({ ...shared, services: upgrades, cutOff: (exchange) => finish(exchange) });
  const tokenRoute = new TokenRoute(shared);
  let listener: Listener | undefined;
  const metrics = new GatewayMetrics(options.metrics, () => listener?.slowPeers.connections ?? 0);
  const own = ownRoutes(new Router(), {
    token: (ctx, exchange) => tokenRoute.serve(ctx, exchange),
    registry: options.metrics,
    origins: shared.origins,
    metricsFrom: addressList(options.metricsFrom ?? ['127.0.0.0/8', '::1']),
    ready: options.ready ?? (async () => ({ ok: true })),
    closing: () => closing,
  }).routes();
  let closing = false;

  const { tracing } = options;
  const begin = (request: IncomingMessage, response: Koa.Response['res'] | undefined): Exchange => {
    const exchange = new Exchange(request, response, options.clock.monotonic(), shared.origins.sourceIp(request));
    if (tracing !== undefined) exchange.span = beginSpan(tracing, exchange);
    return exchange;
  };

  const finish = (exchange: Exchange): void => {
    const milliseconds = options.clock.monotonic() - exchange.startedAt;
    metrics.record(exchange, milliseconds);
    if (exchange.span !== undefined) endSpan(exchange.span, exchange);
    // First of all what must not be lost.
    if (exchange.service !== 'gateway')
      options.audit.write(auditMoment(exchange, options.clock.now(), milliseconds), audited(exchange));
    const { denials } = options;
    const denial = denials && denialOf(exchange, options.clock.now(), options, shared.origins);
    if (denial !== undefined) denials?.write(denial);
  };

  const app = new Koa();
  app.silent = true;
  app.on('error', (err: NodeJS.ErrnoException, ctx: Koa.Context) => {
    const requestId = ctx.res.getHeader('x-amzn-requestid');
    if (!clientGone(err)) options.log.warn({ requestId, err }, 'an answer could not be written');
  });
  const aws = async (ctx: Koa.Context, exchange: Exchange): Promise<void> => {
    const answer = await awsFront.serve(exchange);
    if (!ctx.req.complete) await discard(ctx.req, limits.bodyBytes, ctx.res);
    ctx.status = answer.status;
    ctx.set('Content-Type', answer.contentType);
    for (const [name, value] of Object.entries(answer.headers ?? {})) ctx.set(name, value);
    if (answer.retryAfter !== undefined) ctx.set('Retry-After', String(answer.retryAfter));
    ctx.body = Buffer.isBuffer(answer.body) ? answer.body : Readable.from(answer.body);
  };
  const rest = async (ctx: Koa.Context, exchange: Exchange): Promise<void> => {
    ctx.state['exchange'] = exchange;
    await own(ctx as never, async () => {
      ctx.status = 404;
      ctx.body = 'There is nothing at this path.\n';
    });
  };
  // One middleware: what is to be done within Koa was decided before.
  const works = new WeakMap<IncomingMessage, (ctx: Koa.Context) => Promise<void>>();
  app.use((ctx) => works.get(ctx.req)?.(ctx));
  const koa = app.callback();

  const dispatch = (exchange: Exchange, response: ServerResponse): void | Promise<void> => {
    const { request } = exchange;
    const withinKoa: WithinKoa = async (work) => {
      works.set(request, work);
      if (!response.headersSent) {
        response.setHeader('x-amzn-requestid', exchange.requestId);
        response.setHeader(...noSniffing);
      }
      await koa(request, response);
    };
    const url = request.url ?? '/';
    if (objects !== undefined && objectsName !== undefined && isSignedFor(request, url, objectsName))
      return webFront.serve(exchange, objects, withinKoa);
    if (isAwsCall(request, url, routes)) return withinKoa((ctx) => aws(ctx, exchange));
    const fromBrowser = url === options.browser?.path && request.method === 'POST';
    const own = options.browser && ownRouteOf(url, options.browser.path, byPath);
    if (own !== undefined) {
      if (!shared.origins.isKnownHost(request)) return misdirected(exchange, response);
      request.url = own.url;
      return webFront.serve(exchange, own.service, withinKoa, options.browser);
    }
    const service = fromBrowser
      ? undefined
      : (byPath.find(({ prefix }) => owns(prefix, url)) ?? (mayNameBucket(url) ? objects : undefined));
    if (isOpen(url, request, service) && !shared.origins.isKnownHost(request)) return misdirected(exchange, response);
    if (fromBrowser) return withinKoa((ctx) => aws(ctx, exchange));
    if (service !== undefined) return webFront.serve(exchange, service, withinKoa);
    return withinKoa((ctx) => rest(ctx, exchange));
  };
  /** Whatever one connection brings about ends that connection at most. */
  const contain = (connection: Pick<Duplex, 'destroy'>, work: () => void | Promise<void>): void => {
    try {
      const working = work();
      if (working !== undefined) void working.catch((err) => cut(connection, err));
    } catch (err) {
      cut(connection, err);
    }
  };
  const cut = (connection: Pick<Duplex, 'destroy'>, err: unknown): void => {
    options.log.error({ err }, 'a connection was ended by an error of the server');
    connection.destroy();
  };
  const serve = (request: IncomingMessage, response: ServerResponse): void =>
    contain(request.socket, () => respond(request, response));
  const respond = (request: IncomingMessage, response: ServerResponse): void | Promise<void> => {
    const bad =
      listener?.refusedUpgrade(request) === true
        ? { status: 400, message: 'An upgrade is asked for without a body, once everything before is answered.' }
        : badHead(request);
    if (bad !== undefined) {
      listener?.slowPeers.begin(request, response);
      response.writeHead(bad.status, { Connection: 'close', 'Content-Type': 'text/plain; charset=utf-8' });
      response.end(`${bad.message}\n`);
      return;
    }
    const exchange = begin(request, response);
    listener?.slowPeers.begin(request, response);
    response.on('close', () => {
      exchange.status = response.headersSent ? response.statusCode : goneStatus;
      contain(request.socket, () => finish(exchange));
      // A connection whose last request began before the stop is idle only now.
      if (closing) setImmediate(() => listener?.server.closeIdleConnections());
    });
    if (closing) response.setHeader('Connection', 'close');
    const { span } = exchange;
    return tracing === undefined || span === undefined
      ? dispatch(exchange, response)
      : tracing.within(span, () => dispatch(exchange, response));
  };
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    listener?.slowPeers.release(socket as Socket);
    const exchange = begin(request, undefined);
    const { span } = exchange;
    const serve = (): Promise<void> => upgradeFront.serve(exchange, socket, head);
    try {
      await (tracing === undefined || span === undefined ? serve() : tracing.within(span, serve));
    } finally {
      finish(exchange);
    }
  };

  return {
    routes: known,
    async listen(where) {
      if (listener !== undefined) throw new GatewayConfigError('the gateway listens already');
      const onError = (err: Error): void => options.log.error({ err }, 'the port could not take a connection');
      const isProxy = (address: string): boolean => shared.origins.isProxy(address);
      listener = await openListener(serve, where, limits, isProxy, onError, protocols);
      listener.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        socket.on('error', () => socket.destroy());
        contain(socket, async () => {
          const bad = badHead(request);
          if (bad === undefined) await upgrade(request, socket, head);
          else
            answerRaw(
              socket,
              `${bad.status} Bad Request`,
              ['Content-Type: text/plain; charset=utf-8'],
              `${bad.message}\n`,
            );
        });
      });
      return listener.listening;
    },
    async close(deadlineMs = 10_000) {
      closing = true;
      // First, nobody gets in any more; then, what would keep a connection open ends.
      const closed = listener?.close(deadlineMs);
      await Promise.all([...upgrades.values()].map((service) => service.close()));
      await closed;
    },
  };
}

/** A connection that the client closed or broke in the middle: its own matter, and in the audit line already. */
const clientGone = (error: NodeJS.ErrnoException): boolean =>
  error.code !== undefined && /^(?:HPE_|ECONNRESET$|ECONNABORTED$|EPIPE$|ERR_STREAM_PREMATURE_CLOSE$)/.test(error.code);

/**
 * AWS calls are `POST /`, and `GET /` with an action or a signature in its query; those of the RPC protocols by their header, those of
 * the REST protocols by their path.
 */
function isAwsCall(request: IncomingMessage, url: string, routes: AwsRoutes): boolean {
  const { method } = request;
  if (isRpc(request) ? url.startsWith('/service/') : routes.ownsPath(url)) return true;
  if (method === 'POST') return url === '/' || url.startsWith('/?');
  return method === 'GET' && url.startsWith('/?') && /[?&](?:Action|X-Amz-Signature)=/.test(url);
}

/**
 * Whether a request may be answered with something although nothing proves who sends it. Health is open to whatever asks for it,
 * under any name: it says nothing else. A service's bare prefix is how clients find out that they must log in.
 */
function isOpen(url: string, { headers }: IncomingMessage, service: WebService | undefined): boolean {
  if (service === undefined) return !/^\/(?:healthz|readyz)(?:$|\?)/.test(url);
  if (service.ownNamesOnly === true) return true;
  return service.authentication !== 'none' && headers.authorization === undefined && url !== service.prefix;
}

/**
 * A route of ours that others sign for, as a browser with a session asks for it: its path behind that of the session's calls. Signing names
 * say nothing then, as with operations: whoever acts, what is asked for and what policies say of it are the same.
 */
function ownRouteOf(
  url: string,
  path: string,
  services: readonly WebService[],
): { readonly url: string; readonly service: WebService } | undefined {
  if (!url.startsWith(`${path}/slipway/`)) return undefined;
  const rest = url.slice(path.length);
  const service = services.find(({ prefix }) => owns(prefix, rest));
  const { authentication } = service ?? {};
  return service !== undefined && typeof authentication === 'object' && 'sigv4' in authentication
    ? { url: rest, service }
    : undefined;
}

/** Answers a request that names a host which this installation does not know itself by. */
async function misdirected(exchange: Exchange, response: ServerResponse): Promise<void> {
  exchange.errorCode = 'Misdirected';
  response.writeHead(421, { 'Content-Type': 'text/plain; charset=utf-8', 'x-amzn-requestid': exchange.requestId });
  response.end(`${unknownHost}\n`);
}

/** `/v2/` owns `/v2`, `/v2/…` and `/v2?…`, not `/v2x`. */
function owns(prefix: string, url: string): boolean {
  if (url.startsWith(prefix)) return true;
  const bare = prefix.slice(0, -1);
  return prefix.endsWith('/') && url.startsWith(bare) && (url.length === bare.length || url[bare.length] === '?');
}

/**
 * Takes what is left of a body that will not be used, so that a client still sending reads the answer instead of a reset
 * connection; a body of unknown or great length is not worth it, and its connection ends with the answer.
 */
function discard(
  request: IncomingMessage,
  limit: number,
  response: { setHeader(name: string, value: string): unknown },
): Promise<void> {
  const length = Number(request.headers['content-length'] ?? NaN);
  if (request.destroyed) return Promise.resolve();
  if (!(length <= limit)) {
    response.setHeader('Connection', 'close');
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    request
      .once('end', resolve)
      .once('error', () => resolve())
      .once('close', resolve)
      .resume();
  });
}

function enumerate(
  aws: AwsRoutes,
  web: readonly WebService[],
  upgrades: readonly UpgradeService[],
): readonly GatewayRoute[] {
  const accessOf = (access: unknown): GatewayRoute['access'] =>
    access === 'authenticated' || access === 'anonymous' ? access : 'policy';
  return [
    ...aws.all.map(({ service: { definition }, name, operation }) => ({
      kind: 'aws' as const,
      service: definition.name,
      operation: name,
      access: accessOf(operation.access),
      ...definition.protocols.flatMap((one) => ('apiVersion' in one ? [{ apiVersion: one.apiVersion }] : []))[0],
    })),
    ...web.flatMap((service) =>
      (service.samples ?? []).map(({ method, path }) => {
        const [bare = '', query] = path.split('?');
        const route = service.route(method, bare, new URLSearchParams(query), {});
        if (route === undefined)
          throw new GatewayConfigError(`${service.name}: the sample ${method} ${path} finds no route`);
        if (route.access === undefined)
          throw new GatewayConfigError(
            `${service.name}: ${route.name} does not declare what its callers must be allowed (access)`,
          );
        return {
          kind: 'web' as const,
          service: service.name,
          operation: route.name,
          access: route.caller === undefined ? accessOf(route.access) : ('proof' as const),
          method,
          path,
        };
      }),
    ),
    ...upgrades.map((service) => {
      if (typeof service.access !== 'function' && service.access !== 'proof')
        throw new GatewayConfigError(`${service.path} does not declare what its callers must be allowed (access)`);
      return {
        kind: 'upgrade' as const,
        service: service.service,
        operation: `WS ${service.path}`,
        access: service.access === 'proof' ? ('proof' as const) : ('policy' as const),
        method: 'GET',
        path: service.path,
      };
    }),
    { kind: 'own', service: 'gateway', operation: 'health', access: 'anonymous', method: 'GET', path: '/healthz' },
    { kind: 'own', service: 'gateway', operation: 'ready', access: 'anonymous', method: 'GET', path: '/readyz' },
    { kind: 'own', service: 'gateway', operation: 'metrics', access: 'anonymous', method: 'GET', path: '/metrics' },
    { kind: 'own', service: 'token', operation: 'GET token', access: 'anonymous', method: 'GET', path: '/token' },
    { kind: 'own', service: 'token', operation: 'POST token', access: 'anonymous', method: 'POST', path: '/token' },
  ];
}
