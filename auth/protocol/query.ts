import type { NormalizedSchema } from '@smithy/core/schema';
import type { Constraints } from '../contract/index.ts';
import { readForm } from './form.ts';
import { serializationProblem } from './problems.ts';
import { readInput, type Source } from './walk.ts';
import { unwritable } from './xml-characters.ts';

/** A dotted key (`Tags.member.1.Key`) as a tree. */
export interface Tree {
  value: string | undefined;
  readonly children: Map<string, Tree>;
}

/** What a Query request holds before it is read by a schema. */
export interface QueryRequest {
  readonly action: string | undefined;
  readonly version: string | undefined;
  readonly tree: Tree;
}

/** More parameters than any AWS call has. */
const MAX_PARAMETERS = 10_000;

/**
 * Reads `application/x-www-form-urlencoded` text (a body, or the query of a GET) into a tree. Signing parameters are skipped.
 * @throws InputError when a parameter is given twice, there are too many, or a text cannot be XML
 */
export function parseQuery(text: string): QueryRequest {
  const root: Tree = { value: undefined, children: new Map() };
  for (const [key, value] of readForm(text, MAX_PARAMETERS)) {
    if (key.startsWith('X-Amz-')) continue;
    if (unwritable.test(value)) throw serializationProblem(key.slice(0, 100), 'a character that XML cannot carry');
    let node = root;
    for (const part of key.split('.', 64)) {
      let child = node.children.get(part);
      if (child === undefined) node.children.set(part, (child = { value: undefined, children: new Map() }));
      node = child;
    }
    if (node.value !== undefined) throw serializationProblem(key.slice(0, 100), 'the parameter is given twice');
    node.value = value;
  }
  return { action: root.children.get('Action')?.value, version: root.children.get('Version')?.value, tree: root };
}

/**
 * Reads a parsed Query request as an operation's input.
 * @throws InputError
 */
export function decodeQuery(
  schema: NormalizedSchema,
  request: QueryRequest,
  constraints: Constraints,
): Record<string, unknown> {
  return readInput(query, schema, request.tree, constraints);
}

const query: Source<Tree> = {
  struct: () => undefined,
  member: (node, name, schema) => node.children.get(xmlName(schema) ?? name),
  list: (node, schema, path) => {
    const element = schema.getValueSchema();
    const holder = isFlat(schema) ? node : node.children.get(xmlName(element) ?? 'member');
    return holder === undefined ? emptyOr(node, path) : numbered(holder);
  },
  map: (node, schema, path) => {
    const holder = isFlat(schema) ? node : node.children.get('entry');
    if (holder === undefined) return emptyOr(node, path);
    const keyName = xmlName(schema.getKeySchema()) ?? 'key';
    const valueName = xmlName(schema.getValueSchema()) ?? 'value';
    return numbered(holder).map((entry) => {
      const key = entry.children.get(keyName)?.value;
      if (key === undefined) throw serializationProblem(path, 'a map entry without a key');
      return [key, entry.children.get(valueName)] as const;
    });
  },
  scalar: (node, schema, path) => textScalar(node.value, schema, path),
};

/** A value written as text, as forms and paths hold it. @throws InputError */
export function textScalar(text: string | undefined, schema: NormalizedSchema, path: string): unknown {
  if (text === undefined) throw serializationProblem(path, 'a structure can not be converted to a simple value');
  if (schema.isStringSchema()) return text;
  if (schema.isBooleanSchema()) return boolean(text, path);
  if (schema.isNumericSchema()) return number(text, path);
  if (schema.isTimestampSchema()) return timestamp(text, path);
  if (schema.isBlobSchema()) return Buffer.from(text, 'base64');
  throw serializationProblem(path, 'not a supported type');
}

/**
 * Reads a parsed request of EC2's protocol: members by `ec2QueryName`, or their wire name with a capital; lists are always flat.
 * @throws InputError
 */
export function decodeEc2Query(
  schema: NormalizedSchema,
  request: QueryRequest,
  constraints: Constraints,
): Record<string, unknown> {
  return readInput(ec2, schema, request.tree, constraints);
}

const ec2: Source<Tree> = {
  ...query,
  member: (node, name, schema) => {
    const traits = schema.getMergedTraits() as { readonly ec2QueryName?: string; readonly xmlName?: string };
    const wire = traits.xmlName ?? name;
    return node.children.get(traits.ec2QueryName ?? wire.charAt(0).toUpperCase() + wire.slice(1));
  },
  list: (node, _schema, path) => (node.children.size === 0 ? emptyOr(node, path) : numbered(node)),
  // The protocol has no maps (Smithy, "AWS EC2 query protocol").
  map: (_node, _schema, path) => {
    throw serializationProblem(path, 'not a supported type');
  },
};

const isFlat = (schema: NormalizedSchema): boolean => schema.getMergedTraits().xmlFlattened !== undefined;
const xmlName = (schema: NormalizedSchema): string | undefined => schema.getMergedTraits().xmlName;

/** Clients send `Tags=` for an empty list. */
function emptyOr(node: Tree, path: string): readonly [] {
  if (node.value !== undefined && node.value !== '') throw serializationProblem(path, 'not a list or map');
  return [];
}

/** The children by their number; gaps do not matter, as with AWS. */
function numbered(holder: Tree): readonly Tree[] {
  return [...holder.children]
    .filter(([key]) => /^[1-9][0-9]{0,6}$/.test(key))
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, child]) => child);
}

function boolean(text: string, path: string): boolean {
  const lower = text.toLowerCase();
  if (lower !== 'true' && lower !== 'false') throw serializationProblem(path, 'not a boolean');
  return lower === 'true';
}

function number(text: string, path: string): number {
  const value = Number(text);
  if (!/^-?[0-9]/.test(text) || !Number.isFinite(value)) throw serializationProblem(path, 'not a number');
  return value;
}

function timestamp(text: string, path: string): Date {
  const date = /^-?[0-9.]+$/.test(text) ? new Date(Number(text) * 1000) : new Date(text);
  if (Number.isNaN(date.getTime())) throw serializationProblem(path, 'not a timestamp');
  return date;
}
