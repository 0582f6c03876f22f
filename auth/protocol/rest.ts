import type { NormalizedSchema } from '@smithy/core/schema';
import { JsonCodec2 } from '@smithy/core/protocols';
import type { Constraints } from '../contract/index.ts';
import { readForm } from './form.ts';
import { blob, parseJson, timestamp } from './json.ts';
import type { OperationModel } from './model.ts';
import { plainSource } from './plain.ts';
import { serializationProblem } from './problems.ts';
import { textScalar } from './query.ts';
import { readInput, type Source } from './walk.ts';

/** A request of a service that is spoken to by methods and paths. */
export interface RestRequest {
  /** What stands for `{Name}` in the path template, decoded. */
  readonly labels: ReadonlyMap<string, string>;
  /** The raw query, without `?`. */
  readonly query: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

const MAX_QUERY_PARAMETERS = 1000;

/** Matches a raw path with a template such as `/schedules/{Name}`; the labels are undefined when it is another path. */
export function matchPath(template: string, path: string): ReadonlyMap<string, string> | undefined {
  const wanted = template.split('/');
  const given = path.split('/', wanted.length + 1);
  const labels = new Map<string, string>();
  for (const [index, part] of wanted.entries()) {
    const label = /^\{([^{}+]+)(\+?)\}$/.exec(part);
    const text = label?.[2] === '+' ? path.split('/').slice(index).join('/') : given[index];
    if (text === undefined) return undefined;
    if (label === null) {
      if (text !== part) return undefined;
      continue;
    }
    const decoded = unescape(text);
    if (decoded === undefined || decoded === '') return undefined;
    labels.set(label[1] as string, decoded);
    if (label[2] === '+') return labels;
  }
  return given.length === wanted.length ? labels : undefined;
}

function unescape(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** @throws InputError */
export function decodeRest(
  schema: NormalizedSchema,
  request: RestRequest,
  constraints: Constraints,
): Record<string, unknown> {
  return readInput<Node>(rest, schema, { request: parsed(request, schema) }, constraints);
}

interface Parsed extends RestRequest {
  readonly parameters: ReadonlyMap<string, readonly string[]>;
  readonly json: unknown;
}

/** Where a member is: in the request as a whole, in text that is not the body, or in the body. */
type Node = { readonly request: Parsed } | { readonly texts: readonly string[] } | { readonly json: unknown };

interface HttpTraits {
  readonly httpLabel?: unknown;
  readonly httpQuery?: string;
  readonly httpHeader?: string;
  readonly httpPayload?: unknown;
  readonly jsonName?: string;
}

const traitsOf = (schema: NormalizedSchema): HttpTraits => schema.getMergedTraits() as HttpTraits;

function parsed(request: RestRequest, schema: NormalizedSchema): Parsed {
  const parameters = new Map<string, string[]>();
  for (const [name, value] of readForm(request.query, MAX_QUERY_PARAMETERS)) {
    const known = parameters.get(name);
    if (known === undefined) parameters.set(name, [value]);
    else known.push(value);
  }
  let isRaw = false;
  for (const [, member] of schema.structIterator())
    isRaw ||= traitsOf(member).httpPayload !== undefined && member.isBlobSchema();
  return { ...request, parameters, json: isRaw ? undefined : parseJson(request.body) };
}

const body = plainSource({ blob, timestamp }, (name, schema) => traitsOf(schema).jsonName ?? name);

const rest: Source<Node> = {
  struct: (node, path) => {
    if ('texts' in node) throw serializationProblem(path, 'not a supported type');
    body.struct('request' in node ? (node.request.json ?? {}) : node.json, path);
  },
  member: (node, name, schema) => {
    if ('texts' in node) return undefined;
    if ('json' in node) return asJson(body.member(node.json, name, schema));
    const { request } = node;
    const { httpLabel, httpQuery, httpHeader, httpPayload } = traitsOf(schema);
    if (httpLabel !== undefined) return asTexts(request.labels.get(name));
    if (httpQuery !== undefined) return asTexts(request.parameters.get(httpQuery));
    if (httpHeader !== undefined) return asTexts(request.headers[httpHeader.toLowerCase()]);
    if (httpPayload !== undefined) return { json: schema.isBlobSchema() ? request.body : request.json };
    return request.json === undefined ? undefined : asJson(body.member(request.json, name, schema));
  },
  list: (node, schema, path) => {
    if ('texts' in node) return node.texts.map((text) => ({ texts: [text] }));
    return 'json' in node ? body.list(node.json, schema, path).map(asJson) : [];
  },
  map: (node, schema, path) => {
    if (!('json' in node)) throw serializationProblem(path, 'not a supported type');
    return body.map(node.json, schema, path).map(([key, value]) => [key, asJson(value)] as const);
  },
  scalar: (node, schema, path) => {
    if ('texts' in node) {
      if (node.texts.length !== 1) throw serializationProblem(path, 'the parameter is given twice');
      return textScalar(node.texts[0], schema, path);
    }
    if ('request' in node) throw serializationProblem(path, 'not a supported type');
    return node.json instanceof Uint8Array ? node.json : body.scalar(node.json, schema, path);
  },
};

const asJson = (value: unknown): Node | undefined => (value === undefined ? undefined : { json: value });
const asTexts = (value: string | readonly string[] | undefined): Node | undefined =>
  value === undefined ? undefined : { texts: typeof value === 'string' ? [value] : value };

/** As the JSON codec, with the names that the model gives members on the wire. */
const codec = new JsonCodec2({ timestampFormat: { useTrait: true, default: 7 }, jsonName: true });

/** Writes a structure as a JSON body. */
export function encodeRestBody(schema: NormalizedSchema, value: unknown): Buffer {
  const serializer = codec.createSerializer();
  serializer.write(schema, value);
  const bytes = serializer.flush();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The status of an answer. Outputs that are more than a JSON body (headers, payloads) are refused: none of the services that are
 * spoken to this way has one.
 * @throws TypeError
 */
export function restStatus({ name, output, http }: OperationModel): number {
  for (const [member, schema] of output?.structIterator() ?? []) {
    const { httpHeader, httpPayload } = traitsOf(schema);
    if (httpHeader !== undefined || httpPayload !== undefined)
      throw new TypeError(`${name}: ${member} is not in a JSON body, which answers are written as`);
  }
  return http?.[2] ?? 200;
}
