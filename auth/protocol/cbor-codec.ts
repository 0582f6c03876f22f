import { NormalizedSchema } from '@smithy/core/schema';
import { streamAnswer, streamOf } from './answer-stream.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { inputError } from './json-codec.ts';
import { type Codec, queryErrorHeader, statusOf } from './wire.ts';

const contentType = 'application/cbor';
const headers = { 'smithy-protocol': 'rpc-v2-cbor' };
const anything = NormalizedSchema.of(15);

/** Smithy's RPC v2 CBOR (Smithy, "Smithy RPC v2 CBOR protocol"). */
export const cborCodec: Codec = {
  decode: (operation, request, constraints) => decodeCbor(operation.input, request as Buffer, constraints),
  encode: (operation, output) =>
    streamOf(operation) === undefined
      ? { status: 200, contentType, headers, body: encodeCbor(operation.output ?? anything, output ?? {}) }
      : { ...streamAnswer(operation, output, { contentType, encode: encodeCbor }, true), headers },
  error(error, model) {
    const modeled = model?.errors.get(error.code);
    const body = encodeCbor(anything, {
      __type: modeled?.name ?? error.code,
      ...error.members,
      message: error.message,
    });
    const more = queryErrorHeader(modeled).headers;
    return { status: statusOf(error, modeled?.status), contentType, headers: { ...headers, ...more }, body };
  },
  inputError,
};
