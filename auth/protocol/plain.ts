import type { NormalizedSchema } from '@smithy/core/schema';
import { serializationProblem } from './problems.ts';
import type { Source } from './walk.ts';

/** How a format of plain values (JSON, CBOR) writes what has no type of its own in JSON. */
export interface PlainScalars {
  blob(node: unknown, path: string): Uint8Array;
  timestamp(node: unknown, path: string): Date;
}

/**
 * A source over objects, arrays and scalars. null and absence are the same to AWS.
 * @param nameOf what a member is called on the wire; default: its own name
 */
export const plainSource = (
  scalars: PlainScalars,
  nameOf: (name: string, schema: NormalizedSchema) => string = (name) => name,
): Source<unknown> => ({
  struct: (node, path) => {
    if (!isObject(node)) throw wrongType(path, node, 'a structure');
  },
  member: (node, name, schema) => present(own(node as Record<string, unknown>, nameOf(name, schema))),
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
    if (schema.isBlobSchema()) return scalars.blob(node, path);
    if (schema.isTimestampSchema()) return scalars.timestamp(node, path);
    if (schema.isDocumentSchema()) return document(node, path, 0);
    throw wrongType(path, node, 'a supported type');
  },
});

function expect(holds: boolean, node: unknown, path: string, wanted: string): unknown {
  if (!holds) throw wrongType(path, node, wanted);
  return node;
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

/** A map of a format; bytes and times are values. */
export const isObject = (node: unknown): node is Record<string, unknown> =>
  typeof node === 'object' &&
  node !== null &&
  !Array.isArray(node) &&
  !(node instanceof Uint8Array) &&
  !(node instanceof Date);

const own = (node: Record<string, unknown>, name: string): unknown =>
  Object.hasOwn(node, name) ? node[name] : undefined;

/** JSON null and absence are the same to AWS. */
const present = (node: unknown): unknown => (node === null ? undefined : node);

export function wrongType(path: string, node: unknown, wanted: string): Error {
  const got = Array.isArray(node)
    ? 'START_ARRAY'
    : node instanceof Uint8Array
      ? 'BINARY_VALUE'
      : isObject(node)
        ? 'START_OBJECT'
        : kinds[typeof node];
  return serializationProblem(path, `${got ?? 'the value'} can not be converted to ${wanted}`);
}

/** The words AWS uses for what it found. */
const kinds: Readonly<Record<string, string>> = {
  string: 'STRING_VALUE',
  number: 'NUMBER_VALUE',
  boolean: 'BOOLEAN_VALUE',
};
