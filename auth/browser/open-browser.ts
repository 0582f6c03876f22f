import type { IncomingMessage } from 'node:http';
import type Koa from 'koa';
import type { Clock } from '@slipway/storage/clock';
import {
  type BrowserCalls,
  GatewayError,
  type Job,
  type Principal,
  renderPlainError,
  type WebRoute,
  type WebService,
} from '../contract/index.ts';
import type { Identity } from '../identity/index.ts';
import { type SignIn, signInSchema, whoSignsIn } from './credentials.ts';
import { cookieName, cookieOf, fromOwnPage, proofHeader } from './own-page.ts';
import { type OidcOptions, OidcSignIn } from './oidc.ts';
import { Sessions, type SessionsPorts } from './sessions.ts';

export interface BrowserOptions extends SessionsPorts {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly identity: Pick<Identity, 'credentials' | 'signIn' | 'standing' | 'takeRole' | 'sealer'>;
  /** Where people sign in by OpenID Connect; undefined: nowhere. */
  readonly oidc: OidcOptions | undefined;
}

/** What lets browsers in: who signs in, and the calls of those who have. */
export interface Browser {
  readonly calls: BrowserCalls;
  /** Who asks, for other routes below `/console`: whoever has a session. It may be asked again while an answer goes on. */
  readonly caller: NonNullable<WebRoute['caller']>;
  readonly web: readonly WebService[];
  readonly jobs: readonly Job[];
}

const sessionPath = '/console/session';
const codePath = '/console/code';
const oidcPath = '/console/oidc';
/** Keys, passwords and session tokens are short. Bytes. */
const mostOfSignIn = 16 * 1024;

/** Sessions under `/console/session`, codes that become one under `/console/code`, and their calls under `/console/api`; OpenID Connect under `/console/oidc`. */
export function openBrowser(options: BrowserOptions): Browser {
  const sessions = new Sessions(options);
  const { identity, clock } = options;
  const oidc = options.oidc && new OidcSignIn(options.oidc, options);

  const callerOf = async (request: IncomingMessage, endpoint: string): Promise<Principal> => {
    fromOwnPage(request, endpoint);
    const token = cookieOf(request, cookieName(request, isSecure(endpoint)));
    const proof = request.headers[proofHeader];
    const session = token === undefined || typeof proof !== 'string' ? undefined : await sessions.find(token, proof);
    // Whose key, user or role is gone since is signed out by that.
    if (session === undefined || !(await identity.standing.standing(session.principal)))
      throw new GatewayError('unauthenticated', 'the session is over; sign in again');
    return session.principal;
  };
  const proven: NonNullable<WebRoute['caller']> = async (ctx, _readBody, { endpoint }) => ({
    principal: await callerOf(ctx.req, endpoint),
    via: 'browser',
  });

  const routes: Readonly<Record<string, WebRoute>> = {
    GET: {
      name: 'GET session',
      caller: proven,
      access: 'authenticated',
      handle: async (ctx, call) => answer(ctx, { ...shown(call.principal), region: call.region }),
    },
    POST: {
      name: 'POST session',
      async caller(ctx, readBody, { sourceIp, endpoint }) {
        fromOwnPage(ctx.req, endpoint);
        const userAgent = (ctx.req.headers['user-agent'] ?? '').slice(0, 512);
        const given = read(await readBody(mostOfSignIn));
        const principal = await whoSignsIn(given, { sourceIp, userAgent, endpoint }, { identity, sessions, oidc });
        return { principal, via: 'browser' };
      },
      access: 'authenticated',
      async handle(ctx, call) {
        const name = cookieName(ctx.req, isSecure(call.endpoint));
        const { token, proof, expires } = await sessions.open(call.principal, cookieOf(ctx.req, name));
        setCookie(ctx, call.endpoint, token, Math.ceil((expires - clock.now()) / 1000));
        answer(ctx, { ...shown(call.principal), region: call.region, proof, expires });
      },
    },
    DELETE: {
      name: 'DELETE session',
      caller: proven,
      access: 'authenticated',
      async handle(ctx, call) {
        await sessions.close(cookieOf(ctx.req, cookieName(ctx.req, isSecure(call.endpoint))) ?? '');
        setCookie(ctx, call.endpoint, '', 0);
        answer(ctx, {});
      },
    },
  };

  /** Whether people sign in by OpenID Connect, and the beginning of that. */
  const oidcRoutes: Readonly<Record<string, WebRoute>> = {
    GET: {
      name: 'GET OpenID Connect',
      access: 'anonymous',
      handle: async (ctx) => answer(ctx, oidc === undefined ? {} : { name: oidc.name }),
    },
    POST: {
      name: 'POST OpenID Connect',
      access: 'anonymous',
      async handle(ctx, call) {
        fromOwnPage(ctx.req, call.endpoint);
        if (oidc === undefined) throw new GatewayError('not-found', 'nobody signs in here by OpenID Connect');
        answer(ctx, await oidc.begin(call.endpoint));
      },
    },
  };

  return {
    calls: { path: '/console/api', caller: callerOf },
    caller: proven,
    web: [
      {
        name: 'console-session',
        prefix: sessionPath,
        authentication: 'none',
        ownNamesOnly: true,
        samples: Object.keys(routes).map((method) => ({ method, path: sessionPath })),
        route: (method, path) => (path === sessionPath ? routes[method] : undefined),
        renderError,
      },
      {
        name: 'console-oidc',
        prefix: oidcPath,
        authentication: 'none',
        ownNamesOnly: true,
        samples: Object.keys(oidcRoutes).map((method) => ({ method, path: oidcPath })),
        route: (method, path) => (path === oidcPath ? oidcRoutes[method] : undefined),
        renderError,
      },
      {
        name: 'console-code',
        prefix: codePath,
        authentication: { sigv4: 'ecs' },
        samples: [{ method: 'POST', path: codePath }],
        route: (method, path) =>
          path === codePath && method === 'POST'
            ? {
                name: 'POST code',
                access: 'authenticated',
                handle: async (ctx, call) => answer(ctx, await sessions.issueCode(call.principal)),
              }
            : undefined,
        renderError,
      },
    ],
    jobs: [
      {
        name: 'browser-sessions',
        every: 3_600_000,
        run: async () => {
          const removed = await sessions.sweep();
          return removed === 0 ? undefined : { removed };
        },
      },
    ],
  };
}

const isSecure = (endpoint: string): boolean => endpoint.startsWith('https:');

/** No other site has the cookie sent, no script reads it, and only the console's own paths get it. */
function setCookie(ctx: Koa.Context, endpoint: string, value: string, seconds: number): void {
  const secure = isSecure(endpoint);
  const attributes = `Path=/console; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
  ctx.set('Set-Cookie', `${cookieName(ctx.req, secure)}=${value}; ${attributes}`);
}

function answer(ctx: Koa.Context, body: object): void {
  ctx.set('Cache-Control', 'no-store');
  ctx.body = body;
}

const renderError: WebService['renderError'] = (ctx, error) => {
  ctx.set('Cache-Control', 'no-store');
  renderPlainError(ctx, error);
};

/** What the page says of whoever has signed in. */
const shown = ({ type, arn, account }: Principal): object => ({ type, arn, account });

/** @throws GatewayError `bad-request` */
function read(body: Buffer): SignIn {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw new GatewayError('bad-request', 'the body is not JSON');
  }
  const { data } = signInSchema.safeParse(parsed);
  if (data === undefined)
    throw new GatewayError(
      'bad-request',
      'sign in with accessKeyId and secretAccessKey, with account, user and password, with a code, or by OpenID Connect',
    );
  return data;
}
