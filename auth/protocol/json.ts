import { JsonCodec2 } from '@smithy/core/protocols';
import type { NormalizedSchema } from '@smithy/core/schema';
import type { Constraints } from '../contract/index.ts';
import { serializationProblem } from './problems.ts';
import { readInput, type Source } from './walk.ts';

/**
 * Reads a JSON 1.0/1.1 body as an operation's input. An empty body is an empty input.
 * @throws InputError
 */
export function decodeJson(schema: NormalizedSchema, body: Buffer, constraints: Constraints): Record<string, unknown> {
  let root: unknown = {};
  if (body.byteLength > 0) {
    try {
      root = JSON.parse(body.toString('utf8'));
    } catch {
      throw serializationProblem('', 'the request body is not valid JSON');
    }
  }
  return readInput(json, schema, root, constraints);
}

/** Epoch seconds with a fraction, as the JSON protocols write timestamps. */
const codec = new JsonCodec2({ timestampFormat: { useTrait: true, default: 7 }, jsonName: false });

/** Writes a structure by its schema; members the schema does not know are left out. */
export function encodeJson(schema: NormalizedSchema, value: unknown): Buffer {
  const serializer = codec.createSerializer();
  serializer.write(schema, value);
  const bytes = serializer.flush();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const json: Source<unknown> = {
  struct: (node, path) => {
    if (!isObject(node)) throw wrongType(path, node, 'a structure');
  },
  member: (node, name) => present(own(node as Record<string, unknown>, name)),
  list: (node, _schema, path) => {
    if (!Array.isArray(node)) throw wrongType(path, node, 'a list');
    return node.map(present);
  },
  map: (node, _schema, path) => {
    if (!isObject(node)) throw wrongType(path, node, 'a map');
    return Object.entries(node).map(([key, value]) => [key, present(value)] as const);
  },
  scalar: (node, schema, path) => {
    if (schema.isStringSchema()) return expect(typeof node === 'string', node, path, 'a String');
    if (schema.isBooleanSchema()) return expect(typeof node === 'boolean', node, path, 'a Boolean');
    if (schema.isNumericSchema()) return expect(typeof node === 'number', node, path, 'a Number');
    if (schema.isBlobSchema()) return blob(node, path);
    if (schema.isTimestampSchema()) return timestamp(node, path);
    if (schema.isDocumentSchema()) return document(node, path, 0);
    throw wrongType(path, node, 'a supported type');
  },
};

function expect(holds: boolean, node: unknown, path: string, wanted: string): unknown {
  if (!holds) throw wrongType(path, node, wanted);
  return node;
}

function blob(node: unknown, path: string): Uint8Array {
  if (typeof node !== 'string' || !isBase64(node)) throw serializationProblem(path, 'not a base64 text');
  return Buffer.from(node, 'base64');
}

/** Checks the length and the alphabet without a regular expression over megabytes: a layer part is 20 MiB. */
function isBase64(text: string): boolean {
  if (text.length % 4 !== 0) return false;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return Buffer.byteLength(text, 'base64') === (text.length / 4) * 3 - padding && !/[^A-Za-z0-9+/=]/.test(text);
}

function timestamp(node: unknown, path: string): Date {
  const date = typeof node === 'number' ? new Date(node * 1000) : typeof node === 'string' ? new Date(node) : undefined;
  if (date === undefined || Number.isNaN(date.getTime())) throw serializationProblem(path, 'not a timestamp');
  return date;
}

function document(node: unknown, path: string, depth: number): unknown {
  if (depth > 32) throw serializationProblem(path, 'the document is nested too deeply');
  if (Array.isArray(node)) for (const item of node) document(item, path, depth + 1);
  else if (isObject(node)) {
    if (Object.hasOwn(node, '__proto__')) throw serializationProblem(path, 'the map key __proto__ is not supported');
    for (const item of Object.values(node)) document(item, path, depth + 1);
  }
  return node;
}

const isObject = (node: unknown): node is Record<string, unknown> =>
  typeof node === 'object' && node !== null && !Array.isArray(node);

const own = (node: Record<string, unknown>, name: string): unknown =>
  Object.hasOwn(node, name) ? node[name] : undefined;

/** JSON null and absence are the same to AWS. */
const present = (node: unknown): unknown => (node === null ? undefined : node);

function wrongType(path: string, node: unknown, wanted: string): Error {
  const got = Array.isArray(node) ? 'START_ARRAY' : isObject(node) ? 'START_OBJECT' : kinds[typeof node];
  return serializationProblem(path, `${got ?? 'the value'} can not be converted to ${wanted}`);
}

/** The words AWS uses for what it found. */
const kinds: Readonly<Record<string, string>> = {
  string: 'STRING_VALUE',
  number: 'NUMBER_VALUE',
  boolean: 'BOOLEAN_VALUE',
};
