import { type Codec, codecFor, matchPath, modelOf, type ServiceModel } from '../protocol/index.ts';
import { GatewayConfigError } from './errors.ts';
import type { Operation, ServiceDefinition, WireProtocol } from '../contract/index.ts';

/** The protocols by kind. */
export type ProtocolKind = WireProtocol['kind'];

/** A service as it is spoken to in one of its protocols. */
export interface AwsSpeaker {
  readonly service: AwsServiceFront;
  readonly codec: Codec;
}

/** One operation as it is dispatched to, in one protocol. */
export interface AwsRoute extends AwsSpeaker {
  readonly name: string;
  readonly operation: Operation<never, unknown>;
  readonly bodyBytes: number;
  /** The action that is needed whatever the input says, where there is one. */
  readonly needs: string | undefined;
}

/** A service with what it takes to speak to its callers. */
export class AwsServiceFront {
  readonly definition: ServiceDefinition;
  /** Regions that a signature may be scoped to. */
  readonly regions: readonly string[];
  #model: ServiceModel | undefined;

  constructor(definition: ServiceDefinition, region: string) {
    this.definition = definition;
    this.regions = GLOBAL.has(definition.name) && region !== 'us-east-1' ? [region, 'us-east-1'] : [region];
    if (typeof definition.schemas !== 'function') this.#use(modelOf(definition.schemas));
  }

  /** What the SDK says about the service; undefined until a module that loads late was needed. */
  get model(): ServiceModel | undefined {
    return this.#model;
  }

  /** The model, loaded now if it was not. Two first calls load one module. */
  async load(): Promise<ServiceModel> {
    const { schemas } = this.definition;
    if (this.#model === undefined && typeof schemas === 'function') this.#use(modelOf(await schemas()));
    return this.#model as ServiceModel;
  }

  #use(model: ServiceModel): void {
    for (const name of Object.keys(this.definition.operations)) {
      if (!model.operations.has(name)) {
        throw new GatewayConfigError(`${this.definition.name}:${name} is not an operation of the SDK client`);
      }
    }
    this.#model = model;
  }
}

/** IAM is one for all regions, and its clients sign for us-east-1 wherever they are; STS has such clients too. */
const GLOBAL = new Set(['iam', 'sts']);

/** The router of AWS calls: the tables of operations themselves. */
export class AwsRoutes {
  /** By `X-Amz-Target`. */
  readonly #targets = new Map<string, AwsRoute>();
  /** By `<Version>/<Action>`. */
  readonly #actions = new Map<string, AwsRoute>();
  /** By `/service/<target>/operation/<Operation>`. */
  readonly #rpcPaths = new Map<string, AwsRoute>();
  /** The operations of one service by path, and the prefix of all of its paths. */
  readonly #rest: { readonly prefix: string; readonly speaker: AwsSpeaker; readonly routes: readonly AwsRoute[] }[] =
    [];
  /** By the part of a target before its dot. */
  readonly #targetServices = new Map<string, AwsSpeaker>();
  /** Who speaks a Query protocol, by signing name. */
  readonly #queryServices = new Map<string, AwsSpeaker & { readonly kind: ProtocolKind }>();
  readonly all: readonly AwsRoute[];
  readonly services: readonly AwsServiceFront[];

  /** @throws GatewayConfigError for an operation without `access`, or one that the SDK's model does not know */
  constructor(definitions: readonly ServiceDefinition[], region: string, bodyBytes: number) {
    const all: AwsRoute[] = [];
    this.services = definitions.map((definition) => {
      const service = new AwsServiceFront(definition, region);
      for (const [name, operation] of Object.entries(definition.operations))
        checkOperation(`${definition.name}:${name}`, operation);
      const spoken = definition.protocols.map((protocol) => this.#declare(service, protocol, bodyBytes));
      if (spoken[0] === undefined) throw new GatewayConfigError(`${definition.name} declares no protocol`);
      all.push(...spoken[0]);
      return service;
    });
    this.all = all;
  }

  /** The signing names of the services. */
  get names(): readonly string[] {
    return [...new Set(this.services.map(({ definition }) => definition.name))].sort();
  }

  /** Enters a service's operations under what one protocol finds them by. */
  #declare(service: AwsServiceFront, protocol: WireProtocol, bodyBytes: number): readonly AwsRoute[] {
    const { definition } = service;
    const speaker: AwsSpeaker = { service, codec: codecFor(protocol) };
    const routes = Object.entries(definition.operations).map(([name, operation]): AwsRoute => ({
      ...speaker,
      name,
      operation,
      bodyBytes: operation.bodyBytes ?? definition.limits?.bodyBytes ?? bodyBytes,
      needs: typeof operation.access === 'function' ? definition.limits?.needs?.(name) : undefined,
    }));
    const enter = (table: Map<string, AwsRoute>, keyOf: (name: string) => string): void => {
      for (const route of routes) {
        const key = keyOf(route.name);
        if (table.has(key)) throw new GatewayConfigError(`${definition.name}:${route.name} is declared twice`);
        table.set(key, route);
      }
    };
    switch (protocol.kind) {
      case 'aws-json':
        enter(this.#targets, (name) => `${protocol.target}.${name}`);
        this.#targetServices.set(protocol.target, speaker);
        break;
      case 'rpc-v2-cbor':
        enter(this.#rpcPaths, (name) => rpcPath(protocol.target, name));
        break;
      case 'rest-json':
        this.#rest.push({ prefix: protocol.prefix, speaker, routes });
        break;
      case 'aws-query':
      case 'ec2-query':
        enter(this.#actions, (name) => `${protocol.apiVersion}/${name}`);
        if (!this.#queryServices.has(definition.name))
          this.#queryServices.set(definition.name, { ...speaker, kind: protocol.kind });
    }
    return routes;
  }

  byTarget(target: string): AwsRoute | undefined {
    return this.#targets.get(target);
  }

  byAction(version: string, action: string): AwsRoute | undefined {
    return this.#actions.get(`${version}/${action}`);
  }

  byRpcPath(path: string): AwsRoute | undefined {
    return this.#rpcPaths.get(path);
  }

  /** Who answers a target, also when the operation is unknown. */
  serviceOfTarget(target: string): AwsSpeaker | undefined {
    const dot = target.indexOf('.');
    return this.#targetServices.get(dot === -1 ? target : target.slice(0, dot));
  }

  /** A service that speaks a Query protocol and signs by this name; which one of several is meant, version and action say. */
  queryService(name: string): (AwsSpeaker & { readonly kind: ProtocolKind }) | undefined {
    return this.#queryServices.get(name);
  }

  /** Whether a path is one of a service's that is spoken to by paths. */
  ownsPath(path: string): boolean {
    return this.#rest.some(({ prefix }) => path.startsWith(prefix));
  }

  /** Who answers a path, and the operation behind it; loads the service's model, which has the paths. */
  async byPath(
    method: string,
    path: string,
  ): Promise<{ speaker: AwsSpeaker; found?: { route: AwsRoute; labels: ReadonlyMap<string, string> } } | undefined> {
    let owner: AwsSpeaker | undefined;
    for (const { prefix, speaker, routes } of this.#rest) {
      if (!path.startsWith(prefix)) continue;
      owner ??= speaker;
      const { operations } = await speaker.service.load();
      for (const route of routes) {
        const [wanted, template = ''] = operations.get(route.name)?.http ?? [];
        const labels = wanted === method ? matchPath(template, path) : undefined;
        if (labels !== undefined) return { speaker, found: { route, labels } };
      }
    }
    return owner && { speaker: owner };
  }
}

/** Where Smithy's RPC protocols find an operation (Smithy, "Smithy RPC v2 CBOR protocol"). */
export const rpcPath = (target: string, operation: string): string => `/service/${target}/operation/${operation}`;

function checkOperation(label: string, operation: Partial<Operation<never, unknown>> | undefined): void {
  const access = operation?.access;
  if (typeof access !== 'function' && access !== 'authenticated' && access !== 'anonymous') {
    throw new GatewayConfigError(`${label} does not declare what its callers must be allowed (access)`);
  }
  if (typeof operation?.handle !== 'function') throw new GatewayConfigError(`${label} has no handler`);
}
