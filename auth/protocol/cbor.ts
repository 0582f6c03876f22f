import { CborCodec } from '@smithy/core/cbor';
import type { NormalizedSchema } from '@smithy/core/schema';
import type { Constraints } from '../contract/index.ts';
import { readCbor } from './cbor-reader.ts';
import { plainSource, wrongType } from './plain.ts';
import { readInput } from './walk.ts';

/**
 * Reads a body of Smithy's RPC v2 CBOR protocol as an operation's input. An empty body is an empty input.
 * @throws InputError
 */
export function decodeCbor(schema: NormalizedSchema, body: Buffer, constraints: Constraints): Record<string, unknown> {
  return readInput(cbor, schema, body.byteLength === 0 ? {} : readCbor(body), constraints);
}

const codec = new CborCodec();

/** Writes a structure by its schema; members the schema does not know are left out. */
export function encodeCbor(schema: NormalizedSchema, value: unknown): Buffer {
  const serializer = codec.createSerializer();
  serializer.write(schema, value);
  return Buffer.from(serializer.flush());
}

const cbor = plainSource({
  blob: (node, path) => {
    if (!(node instanceof Uint8Array)) throw wrongType(path, node, 'a Blob');
    return node;
  },
  timestamp: (node, path) => {
    if (!(node instanceof Date)) throw wrongType(path, node, 'a Timestamp');
    return node;
  },
});
