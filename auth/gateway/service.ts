import type Koa from 'koa';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Constraints } from '../protocol/constraints.ts';
import type { Scope } from '../tokens/scopes.ts';

/** Who is calling, as authentication established it. */
export interface Principal {
  readonly type: 'root' | 'user' | 'assumed-role' | 'federated-user' | 'anonymous';
  /** 12 digits; the account whose identity policies apply. Empty for `anonymous`. */
  readonly account: string;
  /** `arn:aws:iam::…:user/…`, `arn:aws:sts::…:assumed-role/…/…`, …; `*` for `anonymous`. */
  readonly arn: string;
  /** The unique id (`AIDA…`, `AROA…:session`); what policies bind to when a name is reused. */
  readonly id: string;
  readonly accessKeyId?: string;
  /** When temporary credentials end, milliseconds since the epoch. */
  readonly expiresAt?: number;
  /** A token's restriction (docker Bearer scope, session policy), as policy documents that must all allow as well. */
  readonly restrictions?: readonly unknown[];
  /**
   * Nobody's credentials are at hand: something that the principal made acts in its name (a webhook). A session then stands
   * for its role, without session policies.
   */
  readonly delegated?: true;
}

/** What every handler is told about the request. Handlers never see headers and never check permissions by hand. */
export interface Call {
  readonly requestId: string;
  readonly principal: Principal;
  /** The account that the operation works on: the caller's own. */
  readonly account: string;
  readonly region: string;
  /** Where the client reached us, scheme and authority, e.g. `http://127.0.0.1:7500`; for URIs that are handed back. */
  readonly endpoint: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly time: Date;
  /** Aborts when the client goes away or the time limit of the request is over. */
  readonly signal: AbortSignal;
}

/** Condition keys and their values for one authorization, e.g. `{ 'aws:ResourceTag/team': 'a' }`. */
export type ConditionContext = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A thing that is acted on. */
export interface ResourceRef {
  readonly arn: string;
  /** The text of the policy attached to the resource itself (a repository policy), when it has one. */
  readonly policy?: string;
  /** The resource's tags, offered as `aws:ResourceTag/<key>`. */
  readonly tags?: Readonly<Record<string, string>>;
  /**
   * Actions that everybody may do with it, also without a login, while no policy denies them (pulls of a public repository). Nothing
   * else opens a resource to strangers: `Principal: "*"` in its policy means everybody who has logged in.
   */
  readonly open?: readonly string[];
}

/** One thing that must be allowed before a handler runs. */
export interface AccessRequest {
  /** `service:Action`. */
  readonly action: string;
  readonly resources: readonly ResourceRef[];
  readonly context?: ConditionContext;
}

/**
 * One AWS operation: what it needs, and what it does. Input and output are the SDK's own wire types; the gateway has
 * validated the input against the service model and authorized `access` before `handle` runs.
 */
export interface Operation<Input, Output> {
  /** Everything the caller must be allowed; an empty list is not possible, `'authenticated'` means any valid caller (GetCallerIdentity). */
  readonly access: 'authenticated' | 'anonymous' | ((input: Input, call: Call) => AccessList | Promise<AccessList>);
  readonly handle: (input: Input, call: Call) => Promise<Output>;
}

export type AccessList = readonly [AccessRequest, ...AccessRequest[]];

type OperationName<Client> = keyof { [K in keyof Client as K extends `${infer Name}Command` ? Name : never]: true };

/** The instance type of a command class of an SDK client module. */
type CommandOf<Client, Name extends string> = `${Name}Command` extends keyof Client
  ? Client[`${Name}Command`] extends { prototype: infer Command }
    ? Command
    : never
  : never;

type InputOf<Client, Name extends string> =
  CommandOf<Client, Name> extends { readonly input: infer Input } ? Input : never;

type OutputOf<Client, Name extends string> =
  CommandOf<Client, Name> extends {
    resolveMiddleware: (...args: never[]) => (...args: never[]) => Promise<{ output: infer Output }>;
  }
    ? Omit<Output, '$metadata'>
    : never;

/** Every operation of an SDK client module that is served; names, inputs and outputs come from the module's types. */
export type Operations<Client> = {
  readonly [Name in OperationName<Client> & string]?: Operation<InputOf<Client, Name>, OutputOf<Client, Name>>;
};

/** How a service is spoken to on the wire. */
export type WireProtocol =
  | { readonly kind: 'aws-json'; readonly version: '1.0' | '1.1'; readonly target: string }
  | { readonly kind: 'aws-query'; readonly apiVersion: string; readonly xmlNamespace: string };

export const awsJson = (version: '1.0' | '1.1', target: string): WireProtocol => ({
  kind: 'aws-json',
  version,
  target,
});
export const awsQuery = (apiVersion: string, xmlNamespace: string): WireProtocol => ({
  kind: 'aws-query',
  apiVersion,
  xmlNamespace,
});

/** An SDK client module, seen as what it exports. */
export type SchemaModule = Readonly<Record<string, unknown>>;

/** An AWS service as the gateway serves it: the table of operations is the router. */
export interface ServiceDefinition {
  /** The signing name: `ecr`, `ecs`, `iam`, `sts`. */
  readonly name: string;
  readonly protocol: WireProtocol;
  /** The SDK client module, whose runtime schemas decode, validate and encode; or how to load it at the first call. */
  readonly schemas: SchemaModule | (() => Promise<SchemaModule>);
  /** Lengths, ranges, patterns and enumerations, which the schemas do not carry. */
  readonly constraints?: Constraints;
  readonly operations: Readonly<Record<string, Operation<never, unknown>>>;
}

/** What {@link defineService} takes beside the SDK client module. */
interface ServiceDeclaration<Client extends object> {
  readonly name: string;
  readonly protocol: WireProtocol;
  readonly constraints?: Constraints;
  readonly operations: Operations<Client>;
}

/**
 * Declares an AWS service over an SDK client module:
 * `defineService({ name: 'ecr', protocol: awsJson('1.1', 'AmazonEC2ContainerRegistry_V20150921'), client: ecrClientModule, operations: { … } })`.
 * A service that is seldom called gives `load: () => import('@aws-sdk/client-…')` instead of `client`: the module, about
 * 5 MB, is loaded with the first call.
 */
export function defineService<Client extends object>(
  definition: ServiceDeclaration<Client> & ({ readonly client: Client } | { readonly load: () => Promise<Client> }),
): ServiceDefinition {
  const schemas = 'load' in definition ? definition.load : definition.client;
  return {
    name: definition.name,
    protocol: definition.protocol,
    schemas: schemas as ServiceDefinition['schemas'],
    ...(definition.constraints === undefined ? {} : { constraints: definition.constraints }),
    operations: definition.operations as Readonly<Record<string, Operation<never, unknown>>>,
  };
}

/**
 * An error that is the caller's to see, in the words of the service model (`ClusterNotFoundException`, …).
 * The gateway encodes it in the caller's protocol. Anything else that is thrown becomes a ServerException without details.
 */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly code: string;
  /** HTTP status; default 400, as ECR and ECS answer. */
  readonly status: number;
  /** Further members of the modeled error, e.g. `resourceIds`. */
  readonly members: Readonly<Record<string, unknown>>;
  constructor(
    code: string,
    message: string,
    options: { status?: number; members?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 400;
    this.members = options.members ?? {};
  }
}

interface RouteDeclaration {
  /** For logs, metrics and the authorization matrix, e.g. `GET manifest`. */
  readonly name: string;
  /**
   * For requests that carry their own proof (a signature under a secret of the route's): who acts by them. Runs before `access`,
   * which is decided for that principal.
   * @throws GatewayError `unauthenticated` when the proof is not good; counted like any failed login
   */
  readonly caller?: (ctx: Koa.Context) => Promise<ProvenCaller>;
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
    | { readonly handle: (ctx: Koa.Context, call: Call) => Promise<void>; readonly respond?: never }
    | {
        readonly respond: (request: IncomingMessage, answer: Answer, call: Call) => void | Promise<void>;
        readonly handle?: never;
      }
  );

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
  readonly via: 'webhook';
}

/** A web service under one path prefix. */
export interface WebService {
  readonly name: string;
  /** The paths it owns, e.g. `/v2/`; also the prefix without its last slash. */
  readonly prefix: string;
  /** How callers prove who they are: `docker` is Basic `AWS:<token>` or a Bearer token of ours; `none` leaves it to the route. */
  readonly authentication: 'docker' | 'none';
  /**
   * One request for each route it has, with made-up names: checked when the gateway starts (each must find a route that
   * declares its access), and called by the authorization matrix test.
   */
  readonly samples?: readonly { readonly method: string; readonly path: string }[];
  /** Parses method and raw path once; undefined is answered as not found. */
  route(method: string, path: string, query: URLSearchParams): WebRoute | undefined;
  /** Writes any error, those of the gateway included (401, 403, 404, 429, 500), in the service's own format. */
  renderError(ctx: Koa.Context, error: unknown): void;
}

/** A WebSocket endpoint; the upgrade request is authenticated by SigV4 for `service` and authorized before `accept` runs. */
export interface UpgradeService {
  readonly path: string;
  readonly service: string;
  readonly access: (query: URLSearchParams, call: Call) => AccessList | Promise<AccessList>;
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, call: Call): void;
}

/** What the gateway throws, for `renderError` to put into the service's format. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly kind:
    | 'unauthenticated'
    | 'denied'
    | 'not-found'
    | 'method-not-allowed'
    | 'throttled'
    | 'too-large'
    | 'bad-request'
    | 'unavailable';
  /** Seconds, for `throttled` and `unavailable`. */
  readonly retryAfter?: number;
  /** The exact `WWW-Authenticate` value, for `unauthenticated`; the gateway sets the header itself when the service did not. */
  readonly challenge?: string;
  constructor(kind: GatewayError['kind'], message: string, retryAfter?: number, challenge?: string) {
    super(message);
    this.kind = kind;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
    if (challenge !== undefined) this.challenge = challenge;
  }
}
