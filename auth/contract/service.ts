import type { AccessList } from './access.ts';
import type { Call } from './call.ts';
import type { Constraints } from './constraints.ts';

/**
 * One AWS operation: what it needs, and what it does. Input and output are the SDK's own wire types; the gateway has
 * validated the input against the service model and authorized `access` before `handle` runs.
 */
export interface Operation<Input, Output> {
  /** Everything the caller must be allowed; an empty list is not possible, `'authenticated'` means any valid caller (GetCallerIdentity). */
  readonly access: 'authenticated' | 'anonymous' | ((input: Input, call: Call) => AccessList | Promise<AccessList>);
  readonly handle: (input: Input, call: Call) => Promise<Output>;
  /** Largest body, bytes, for what carries more than names and settings. Default: the gateway's `bodyBytes`. */
  readonly bodyBytes?: number;
}

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
  | { readonly kind: 'aws-query' | 'ec2-query'; readonly apiVersion: string; readonly xmlNamespace: string }
  | { readonly kind: 'rest-json'; readonly prefix: string }
  | { readonly kind: 'rpc-v2-cbor'; readonly target: string };

/** Operations by `X-Amz-Target: <target>.<Operation>`. */
export const awsJson = (version: '1.0' | '1.1', target: string): WireProtocol => ({
  kind: 'aws-json',
  version,
  target,
});
/** Operations by the parameters `Version` and `Action` of a form, lists as `Names.member.1`. */
export const awsQuery = (apiVersion: string, xmlNamespace: string): WireProtocol => ({
  kind: 'aws-query',
  apiVersion,
  xmlNamespace,
});
/** As {@link awsQuery}, with EC2's own names, flat lists (`Filter.1.Value.1`) and answers. */
export const ec2Query = (apiVersion: string, xmlNamespace: string): WireProtocol => ({
  kind: 'ec2-query',
  apiVersion,
  xmlNamespace,
});
/** Operations by method and path, which the SDK's schemas have. @param prefix of all of its paths: `/2015-02-01/` */
export const restJson1 = (prefix: string): WireProtocol => ({ kind: 'rest-json', prefix });
/** Operations by `POST /service/<target>/operation/<Operation>`. */
export const rpcV2Cbor = (target: string): WireProtocol => ({ kind: 'rpc-v2-cbor', target });

/** An SDK client module, seen as what it exports. */
export type SchemaModule = Readonly<Record<string, unknown>>;

/** An AWS service as the gateway serves it: the table of operations is the router. */
export interface ServiceDefinition {
  /**
   * The signing name: `ecr`, `ecs`, `iam`, `sts`. Services may share one: it is compared with a request's signature, and a request is
   * routed by its target, its path, or its version and action.
   */
  readonly name: string;
  /** Every protocol that callers may speak; one of each kind. */
  readonly protocols: readonly WireProtocol[];
  /** The SDK client module, whose runtime schemas decode, validate and encode; or how to load it at the first call. */
  readonly schemas: SchemaModule | (() => Promise<SchemaModule>);
  /** Lengths, ranges, patterns and enumerations, which the schemas do not carry. */
  readonly constraints?: Constraints;
  /** See {@link ServiceLimits}. */
  readonly limits?: ServiceLimits;
  readonly operations: Readonly<Record<string, Operation<never, unknown>>>;
}

/** What keeps requests to a service small before they are known to be allowed. */
export interface ServiceLimits {
  /** Largest body of an operation that declares none, bytes. Default: the gateway's `bodyBytes`. */
  readonly bodyBytes?: number;
  /**
   * The action that is on an operation's access list whatever its input says, for something that has no policy of its own; undefined
   * where there is none. A caller who can never do it is refused before a large body is parsed.
   */
  readonly needs?: (operation: string) => string | undefined;
}

/** What {@link defineService} takes beside the SDK client module. */
interface ServiceDeclaration<Client extends object> {
  readonly name: string;
  readonly protocol: WireProtocol | readonly WireProtocol[];
  readonly constraints?: Constraints;
  readonly limits?: ServiceLimits;
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
    protocols: [definition.protocol].flat(),
    schemas: schemas as ServiceDefinition['schemas'],
    ...(definition.constraints === undefined ? {} : { constraints: definition.constraints }),
    ...(definition.limits === undefined ? {} : { limits: definition.limits }),
    operations: definition.operations as Readonly<Record<string, Operation<never, unknown>>>,
  };
}
