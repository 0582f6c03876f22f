import type { Constraints, WireProtocol } from '../contract/index.ts';
import { decodeJson, encodeJson } from './json.ts';
import type { OperationModel, ServiceModel } from './model.ts';
import { InputError, type Problem } from './problems.ts';
import { decodeQuery, parseQuery, type QueryRequest } from './query.ts';
import { encodeQuery, encodeQueryError } from './xml.ts';

/** An answer as it goes on the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** An error in protocol-neutral words; the codec gives it the service's own code, status and shape. */
export interface WireError {
  /** The modeled name or the Query code, e.g. `ClusterNotFoundException`, `NoSuchEntity`. */
  readonly code: string;
  readonly message: string;
  /** Used when the model does not say; default 400. */
  readonly status?: number;
  /** Further members of a modeled error. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Reads requests and writes answers of one AWS wire protocol, for any service that speaks it. */
export interface Codec {
  /**
   * The operation's input. `request` is the parsed form for the Query protocol, the body for JSON.
   * @throws InputError
   */
  decode(operation: OperationModel, request: Buffer | QueryRequest, constraints: Constraints): Record<string, unknown>;
  encode(operation: OperationModel, output: unknown, requestId: string): WireAnswer;
  error(error: WireError, model: ServiceModel | undefined, requestId: string): WireAnswer;
  /** Words an unreadable or forbidden input as this protocol's services do. */
  inputError(error: InputError, model: ServiceModel): WireError;
}

/** The codec of a protocol; codecs have no state, so ask as often as you like. */
export function codecFor(protocol: WireProtocol): Codec {
  return protocol.kind === 'aws-json'
    ? jsonCodec(`application/x-amz-json-${protocol.version}`)
    : queryCodec(protocol.xmlNamespace);
}

const jsonCodec = (contentType: string): Codec => ({
  decode: (operation, request, constraints) => decodeJson(operation.input, request as Buffer, constraints),
  encode: (operation, output) => ({
    status: 200,
    contentType,
    body: operation.output === undefined ? EMPTY_OBJECT : encodeJson(operation.output, output ?? {}),
  }),
  error(error, model) {
    const modeled = model?.errors.get(error.code);
    const members =
      modeled === undefined || error.members === undefined
        ? {}
        : (JSON.parse(encodeJson(modeled.schema, error.members).toString('utf8')) as Record<string, unknown>);
    // Clients read `__type` first and take a member called `code` for it, so nothing may come before or between.
    delete members['code'];
    const body = { __type: modeled?.name ?? error.code, ...members, message: error.message };
    return { status: statusOf(error, modeled?.status), contentType, body: Buffer.from(JSON.stringify(body)) };
  },
  inputError(error, model) {
    const first = error.problems[0] as Problem;
    if (first.kind === 'serialization') return { code: 'SerializationException', message: sentence(first) };
    // ECR and ECS name bad members with their own error; services without one use the general name.
    const code = model.errors.has('InvalidParameterException') ? 'InvalidParameterException' : 'ValidationException';
    return { code, message: validationMessage(error.problems, (path) => path) };
  },
});

const queryCodec = (namespace: string): Codec => ({
  decode: (operation, request, constraints) =>
    decodeQuery(
      operation.input,
      Buffer.isBuffer(request) ? parseQuery(request.toString('utf8')) : request,
      constraints,
    ),
  encode: (operation, output, requestId) => ({
    status: 200,
    contentType: 'text/xml',
    body: encodeQuery(operation, output ?? {}, namespace, requestId),
  }),
  error(error, model, requestId) {
    const modeled = model?.errors.get(error.code);
    const status = statusOf(error, modeled?.queryStatus);
    const code = modeled?.queryCode ?? error.code;
    const body = encodeQueryError(
      { code, message: error.message, fault: status >= 500 ? 'Receiver' : 'Sender' },
      namespace,
      requestId,
    );
    return { status, contentType: 'text/xml', body };
  },
  inputError(error) {
    const first = error.problems[0] as Problem;
    if (first.kind === 'serialization') return { code: 'MalformedInput', message: sentence(first) };
    return { code: 'ValidationError', message: validationMessage(error.problems, lowerFirst) };
  },
});

const EMPTY_OBJECT = Buffer.from('{}');

/** A status that was chosen wins over the model's; 400 is what nobody chose. */
const statusOf = (error: WireError, modeled: number | undefined): number =>
  error.status !== undefined && error.status !== 400 ? error.status : (modeled ?? error.status ?? 400);

const sentence = (problem: Problem): string =>
  problem.path === '' ? capital(problem.rule) : `${capital(problem.rule)} (at ${problem.path})`;

/** `2 validation errors detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null; …` */
function validationMessage(problems: readonly Problem[], shown: (path: string) => string): string {
  const parts = problems.map(({ path, rule, value }) => {
    const what = rule === 'Member must not be null' ? 'Value null' : value === undefined ? 'Value' : `Value '${value}'`;
    return `${what} at '${shown(path)}' failed to satisfy constraint: ${rule}`;
  });
  return `${parts.length} validation error${parts.length === 1 ? '' : 's'} detected: ${parts.join('; ')}`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const lowerFirst = (path: string): string => path.charAt(0).toLowerCase() + path.slice(1);
