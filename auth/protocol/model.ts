import { NormalizedSchema } from '@smithy/core/schema';
import type { StaticErrorSchema, StaticOperationSchema } from '@smithy/types';

/**
 * What the runtime schemas of an SDK client module say about its service. The layout of the schemas is not a public
 * server interface of the SDK: this file is the only one that knows it, and the contract test of this room holds it
 * to the pinned versions.
 */
export interface ServiceModel {
  readonly operations: ReadonlyMap<string, OperationModel>;
  /** Modeled errors by shape name and, where the Query protocol renames them, by their wire code too. */
  readonly errors: ReadonlyMap<string, ErrorModel>;
}

export interface OperationModel {
  readonly name: string;
  readonly input: NormalizedSchema;
  /** Undefined when the operation answers nothing. */
  readonly output: NormalizedSchema | undefined;
  /** The reference that a wrapper schema can point at. */
  readonly outputSchema: StaticOperationSchema[5];
  /** Method, path template and status of services that are spoken to by paths. */
  readonly http: readonly [method: string, path: string, status: number] | undefined;
}

export interface ErrorModel {
  readonly name: string;
  readonly schema: NormalizedSchema;
  readonly status: number;
  /** What the Query protocol calls it. */
  readonly queryCode: string;
  readonly queryStatus: number;
}

const OPERATION = 9;
const ERROR = -3;

/** Reads a client module's exported schemas once; modules are cached, so a second call is free. */
export function modelOf(module: Readonly<Record<string, unknown>>): ServiceModel {
  let model = models.get(module);
  if (model === undefined) {
    model = readModel(module);
    models.set(module, model);
  }
  return model;
}

const models = new WeakMap<object, ServiceModel>();

function readModel(module: Readonly<Record<string, unknown>>): ServiceModel {
  const operations = new Map<string, OperationModel>();
  const errors = new Map<string, ErrorModel>();
  for (const exported of Object.values(module)) {
    if (!Array.isArray(exported)) continue;
    if (exported[0] === OPERATION) {
      const schema = exported as StaticOperationSchema;
      operations.set(schema[2], lazyOperation(schema));
    } else if (exported[0] === ERROR) {
      const error = readError(exported as StaticErrorSchema);
      errors.set(error.name, error);
      errors.set(error.queryCode, error);
    }
  }
  if (operations.size === 0) throw new TypeError('the SDK client module exports no operation schemas');
  return { operations, errors };
}

/** Input and output schemas are resolved when first used: most operations of a service are never called. */
function lazyOperation(schema: StaticOperationSchema): OperationModel {
  let input: NormalizedSchema | undefined;
  let output: NormalizedSchema | undefined;
  return {
    name: schema[2],
    outputSchema: schema[5],
    http: httpOf(schema),
    get input() {
      return (input ??= NormalizedSchema.of(schema[4]));
    },
    get output() {
      output ??= NormalizedSchema.of(schema[5]);
      return output.isUnitSchema() ? undefined : output;
    },
  };
}

const httpOf = (schema: StaticOperationSchema): OperationModel['http'] =>
  (schema[3] as unknown as { readonly http?: OperationModel['http'] } | 0 | undefined) === 0
    ? undefined
    : (schema[3] as unknown as { readonly http?: OperationModel['http'] }).http;

interface ErrorTraits {
  readonly error?: 'client' | 'server';
  readonly httpError?: number;
  readonly awsQueryError?: readonly [string, number];
}

function readError(schema: StaticErrorSchema): ErrorModel {
  const traits = schema[3] as unknown as ErrorTraits | 0;
  const { error, httpError, awsQueryError } = traits === 0 ? ({} as ErrorTraits) : traits;
  const status = httpError ?? (error === 'server' ? 500 : 400);
  return {
    name: schema[2],
    schema: NormalizedSchema.of(schema),
    status,
    queryCode: awsQueryError?.[0] ?? schema[2],
    queryStatus: awsQueryError?.[1] ?? status,
  };
}
