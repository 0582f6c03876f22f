import type Koa from 'koa';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { AccessList } from './access.ts';
import type { Call } from './call.ts';
import type { Principal } from './principal.ts';
import type { Scope } from './scope.ts';

interface RouteDeclaration {
  /** For logs, metrics and the authorization matrix, e.g. `GET manifest`. */
  readonly name: string;
  /**
   * For requests that carry their own proof (a signature under a secret of the route's): who acts by them. Runs before `access`,
   * which is decided for that principal.
   * @param readBody reads the whole body, at most `limit` bytes, which counts among what strangers may have the process hold
   * @param from where the request came from, and the scheme and authority under which it reached us
   * @throws GatewayError `unauthenticated` when the proof is not good; counted like any failed login
   */
  readonly caller?: (
    ctx: Koa.Context,
    readBody: (limit: number) => Promise<Buffer>,
    from: { readonly sourceIp: string; readonly endpoint: string },
  ) => Promise<ProvenCaller>;
  /** What the caller must be allowed; `'authenticated'`: any valid caller; `'anonymous'`: everybody. */
  readonly access: 'authenticated' | 'anonymous' | ((call: Call) => AccessList | Promise<AccessList>);
  /** With `'authenticated'`: what a docker client's Bearer token must be for. Other routes say it by their access list. */
  readonly scopes?: readonly Scope[];
}

/**
 * A route of a service that is not an AWS API (the registry's `/v2/`): found by path, authorized like everything else. Then one
 * of two answers: `handle` within Koa, or `respond` on node's own objects, for reads so frequent that Koa's context and its
 * bookkeeping (about a fifth of such a request) are felt. What either throws is rendered by the service.
 */
export type WebRoute = RouteDeclaration &
  (
    | {
        /** @param body of services of objects, whose bodies are under their signatures */
        readonly handle: (ctx: Koa.Context, call: Call, body?: StreamedBody) => Promise<void>;
        readonly respond?: never;
      }
    | {
        readonly respond: (request: IncomingMessage, answer: Answer, call: Call) => void | Promise<void>;
        readonly handle?: never;
      }
  );

/** The body of a request as its signature covers it, for services whose bodies are streamed; others read the request themselves. */
export interface StreamedBody {
  /** Bytes that it must have, as the request declares; undefined where it does not. */
  readonly length: number | undefined;
  /** The SHA-256 that was signed, in hexadecimal digits; undefined where none was. */
  readonly sha256: string | undefined;
  /** To be read once. Fails at the latest at its end when the bytes are not those that were signed: nothing may be kept before. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Trailing headers by lower-case name; there when the bytes have ended. */
  readonly trailers: ReadonlyMap<string, string>;
}

/**
 * Writes the whole answer.
 * @param headers names and values in turn
 * @param repeatable that the answer depends on nothing but the request, who calls, the record store, and the time to within a
 *   second, so that it may be given again to the same request; `also` then happens with each further one
 */
export type Answer = (
  status: number,
  headers: readonly string[],
  body?: Buffer,
  repeatable?: { readonly also?: () => void },
) => void;

/** Who acts by a request, as its route found out. */
export interface ProvenCaller {
  readonly principal: Principal;
  readonly via: 'webhook' | 'browser' | 'machine';
}

/** A web service under one path prefix. */
export interface WebService {
  readonly name: string;
  /** The paths it owns, e.g. `/v2/`; also the prefix without its last slash. Object stores own none: see `authentication`. */
  readonly prefix: string;
  /**
   * How callers prove who they are: `docker` is Basic `AWS:<token>` or a Bearer token of ours; `sigv4` is Signature Version 4 for
   * that signing name, of requests without a body; `none` leaves it to the route. `objects` is Signature Version 4 as S3 has it, with
   * bodies that are streamed and presigned URLs: whatever is signed for that name is this service's, whatever its path, and what is not
   * signed when nobody else owns the path and it begins with what may be a bucket.
   */
  readonly authentication: 'docker' | 'none' | { readonly sigv4: string } | { readonly objects: string };
  /**
   * Answers under names that this installation knows itself by, and under no other: for what a browser is given, which a page of
   * somebody else's could lead here under that page's name (DNS rebinding).
   */
  readonly ownNamesOnly?: true;
  /**
   * One request for each route it has, with made-up names: checked when the gateway starts (each must find a route that
   * declares its access), and called by the authorization matrix test.
   */
  readonly samples?: readonly { readonly method: string; readonly path: string }[];
  /** Parses method and raw path once; undefined is answered as not found. */
  route(method: string, path: string, query: URLSearchParams, headers?: IncomingHttpHeaders): WebRoute | undefined;
  /** Writes any error, those of the gateway included (401, 403, 404, 429, 500), in the service's own format. */
  renderError(ctx: Koa.Context, error: unknown): void;
}

/**
 * How a browser that has signed in makes AWS calls without having a key: `POST` to one path, in JSON whatever the service's own protocol,
 * the operation in `X-Amz-Target` as `<target>.<Operation>` or `<API version>/<Operation>`. All else is as for a signed call. Routes of
 * ours below `/slipway/` that take signatures stand behind that path, too.
 */
export interface BrowserCalls {
  readonly path: string;
  /**
   * Who calls.
   * @param endpoint scheme and authority under which the client reached us
   * @throws GatewayError `unauthenticated` without a session, `denied` for what no page of ours has sent
   */
  caller(request: IncomingMessage, endpoint: string): Promise<Principal>;
}
