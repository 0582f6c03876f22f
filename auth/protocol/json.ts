import { JsonCodec2 } from '@smithy/core/protocols';
import type { NormalizedSchema } from '@smithy/core/schema';
import type { Constraints } from '../contract/index.ts';
import { serializationProblem } from './problems.ts';
import { plainSource } from './plain.ts';
import { readInput } from './walk.ts';

/**
 * Reads a JSON 1.0/1.1 body as an operation's input. An empty body is an empty input.
 * @throws InputError
 */
export function decodeJson(schema: NormalizedSchema, body: Buffer, constraints: Constraints): Record<string, unknown> {
  return readInput(json, schema, parseJson(body), constraints);
}

/** A JSON body; an empty one is an empty object. @throws InputError */
export function parseJson(body: Buffer): unknown {
  if (body.byteLength === 0) return {};
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw serializationProblem('', 'the request body is not valid JSON');
  }
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

export const json = plainSource({ blob, timestamp });

export function blob(node: unknown, path: string): Uint8Array {
  if (typeof node !== 'string' || !isBase64(node)) throw serializationProblem(path, 'not a base64 text');
  return Buffer.from(node, 'base64');
}

/** Checks the length and the alphabet without a regular expression over megabytes: a layer part is 20 MiB. */
function isBase64(text: string): boolean {
  if (text.length % 4 !== 0) return false;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return Buffer.byteLength(text, 'base64') === (text.length / 4) * 3 - padding && !/[^A-Za-z0-9+/=]/.test(text);
}

export function timestamp(node: unknown, path: string): Date {
  const date = typeof node === 'number' ? new Date(node * 1000) : typeof node === 'string' ? new Date(node) : undefined;
  if (date === undefined || Number.isNaN(date.getTime())) throw serializationProblem(path, 'not a timestamp');
  return date;
}
