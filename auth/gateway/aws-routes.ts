import { type Codec, codecFor, modelOf, type ServiceModel } from '../protocol/index.ts';
import { GatewayConfigError } from './errors.ts';
import type { Operation, ServiceDefinition } from '../contract/index.ts';

/** One operation as it is dispatched to. */
export interface AwsRoute {
  readonly service: AwsServiceFront;
  readonly name: string;
  readonly operation: Operation<never, unknown>;
  readonly bodyBytes: number;
}

/** A service with what it takes to speak to its callers. */
export class AwsServiceFront {
  readonly definition: ServiceDefinition;
  readonly codec: Codec;
  /** Regions that a signature may be scoped to. */
  readonly regions: readonly string[];
  #model: ServiceModel | undefined;

  constructor(definition: ServiceDefinition, region: string) {
    this.definition = definition;
    this.codec = codecFor(definition.protocol);
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
  readonly #prefixes = new Map<string, AwsServiceFront>();
  readonly all: readonly AwsRoute[];
  readonly services: readonly AwsServiceFront[];

  /** @throws GatewayConfigError for an operation without `access`, or one that the SDK's model does not know */
  constructor(definitions: readonly ServiceDefinition[], region: string, bodyBytes: number) {
    const all: AwsRoute[] = [];
    this.services = definitions.map((definition) => {
      const service = new AwsServiceFront(definition, region);
      const { protocol } = definition;
      if (protocol.kind === 'aws-json') this.#prefixes.set(protocol.target, service);
      for (const [name, operation] of Object.entries(definition.operations)) {
        const label = `${definition.name}:${name}`;
        checkOperation(label, operation);
        const route: AwsRoute = { service, name, operation, bodyBytes: operation.bodyBytes ?? bodyBytes };
        const table = protocol.kind === 'aws-json' ? this.#targets : this.#actions;
        const key = protocol.kind === 'aws-json' ? `${protocol.target}.${name}` : `${protocol.apiVersion}/${name}`;
        if (table.has(key)) throw new GatewayConfigError(`${label} is declared twice`);
        table.set(key, route);
        all.push(route);
      }
      return service;
    });
    this.all = all;
  }

  /** The signing names of the services. */
  get names(): readonly string[] {
    return [...new Set(this.services.map(({ definition }) => definition.name))].sort();
  }

  byTarget(target: string): AwsRoute | undefined {
    return this.#targets.get(target);
  }

  byAction(version: string, action: string): AwsRoute | undefined {
    return this.#actions.get(`${version}/${action}`);
  }

  /** The JSON service behind a target, also when the operation is unknown. */
  serviceOfTarget(target: string): AwsServiceFront | undefined {
    const dot = target.indexOf('.');
    return this.#prefixes.get(dot === -1 ? target : target.slice(0, dot));
  }

  /** The Query service whose signing name or API version this is. */
  queryService(name: string | undefined, version: string | undefined): AwsServiceFront | undefined {
    return this.services.find(({ definition: { protocol, name: own } }) => {
      return protocol.kind === 'aws-query' && (own === name || protocol.apiVersion === version);
    });
  }
}

function checkOperation(label: string, operation: Partial<Operation<never, unknown>> | undefined): void {
  const access = operation?.access;
  if (typeof access !== 'function' && access !== 'authenticated' && access !== 'anonymous') {
    throw new GatewayConfigError(`${label} does not declare what its callers must be allowed (access)`);
  }
  if (typeof operation?.handle !== 'function') throw new GatewayConfigError(`${label} has no handler`);
}
